"""The panel of workers where several hosts share the database."""

import re
from typing import Any

from playwright.sync_api import expect

from tests.browser.panel import SYSTEM, Panel, worker


def test_of_several_hosts_each_has_its_rows_and_its_actions_and_a_lost_one_says_so(
    lasting_dashboard: Any,
) -> None:
    panel = Panel(lasting_dashboard)
    hosts = ("alpha", "beta")
    slots = [{**one, "host": host} for host in hosts for one in (*SYSTEM, worker("default-1"))]
    page = panel.open(*slots)
    rows = page.locator("#slots > :is(.host, .slot)")
    of_one = ["default-1", "api", "supervisor"]
    expect(rows).to_have_text([re.compile(f"^{one}") for host in hosts for one in (host, *of_one)])
    calls = panel.answer("/workers/default-1/restart?host=beta", 202, {})
    panel.row("default-1").nth(1).locator(".more button").click()
    page.locator("[id='more-beta-default-1'] [data-action=restart]").click()
    page.get_by_role("button", name="Restart it").click()
    expect(page.locator("[id='more-beta-default-1']")).to_contain_text("Restart requested")
    assert len(calls) == 1
    scaled = panel.answer("/pools/default/scale?host=alpha", 202, {})
    form = page.locator("form.pool").first
    expect(form).to_contain_text("1 worker on alpha")
    form.get_by_label("Workers of pool default").fill("3")
    form.get_by_label("Scale pool default").click()
    page.get_by_role("button", name="Scale it").click()
    expect(form).to_contain_text("3 workers requested")
    assert len(scaled) == 1
    why = "lost: nothing was heard of beta since 2026-01-31T12:00:00.000Z"
    lost = {
        "state": "down",
        "pid": None,
        "degraded": True,
        "order": "lost",
        "reason": why,
        "why": why,
    }
    panel.workers = [*slots[:3], *({**one, **lost} for one in slots[3:])]
    told = page.locator("#slots > .slot", has_text="lost: nothing was heard of beta")
    expect(told).to_have_count(3)
    expect(page.locator("#slots .host")).to_have_count(2)
    panel.workers = slots
    expect(told).to_have_count(0)
    panel.workers = slots[:3]
    expect(page.locator("#slots .host")).to_have_count(0)
