"""The panel of workers: actions, exits, a rejected configuration, slots that come and go.

States that are hard to bring about are put into the stream on its way to the page.
"""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.panel import SYSTEM, Panel, worker

JOB = {
    "id": 12,
    "type": "resize",
    "progress": 0.4,
    "message": "12 of 30",
    "started_at": "2026-01-02T03:04:05.678Z",
}
MARKUP = "<img src=x onerror=\"document.title='owned'\">"
CRASH: dict[str, Any] = {
    "at": "2026-01-02T03:04:05.678Z",
    "reason": "killed by SIGSEGV",
    "signal": "SIGSEGV",
    "code": None,
    "evidence": f"Fatal Python error: Segmentation fault\n  {MARKUP}",
    "uptime_s": 91.2,
    "out_of_memory": None,
    "output": f"step 1\nstep 2 {MARKUP}",
    "jobs": [],
}
OUT_OF_MEMORY = CRASH | {
    "at": "2026-01-02T03:00:00.000Z",
    "reason": "killed by SIGKILL",
    "signal": "SIGKILL",
    "evidence": None,
    "out_of_memory": True,
}


def test_a_refusal_is_shown_where_it_was_asked_for(panel: Panel) -> None:
    page = panel.open(worker("default-1"), *SYSTEM)
    why = "no supervisor is at work: start one with python -m supervisor"
    panel.answer("/workers/default-1/drain", 503, {"title": "Not now", "detail": why})
    panel.unfold("default-1").locator("[data-action=drain]").click()
    page.locator("#confirm-yes").click()
    expect(page.locator("#confirm-problem")).to_have_text(why)
    expect(page.locator("#confirm-yes")).to_be_focused()


def test_a_stack_is_shown_as_text_and_a_silent_process_is_told(panel: Panel) -> None:
    page = panel.open(worker("default-1", job=JOB), worker("default-2"), *SYSTEM)
    stack = {
        "slot": "default-1",
        "pid": 4711,
        "incarnation": "one",
        "job": JOB,
        "at": CRASH["at"],
        "stack": f"Current thread:\n  {MARKUP}",
    }
    panel.answer("/workers/default-1/stack", 200, stack)
    panel.answer("/workers/default-2/stack", 503, {"detail": "it did not answer: it is stopped"})
    fold = panel.unfold("default-1")
    fold.locator("[data-action=stack]").click()
    expect(fold.locator(".stack pre")).to_have_text(stack["stack"])
    expect(fold.locator(".stack a")).to_have_attribute("href", "/ui/jobs/12")
    silent = panel.unfold("default-2")
    silent.locator("[data-action=stack]").click()
    told = re.compile("^No stack of default-2, .+: it did not answer: it is stopped$")
    expect(silent.locator(".problem")).to_have_text(told)
    assert "owned" not in page.title()


def test_exits_are_listed_newest_first_with_evidence_and_memory(panel: Panel) -> None:
    shown = worker("default-1", recent_exits=[CRASH, OUT_OF_MEMORY])
    panel.answer("/workers", 200, {"items": [shown]})
    page = panel.open(worker("default-1", last_exit=CRASH), *SYSTEM)
    exits = panel.unfold("default-1").locator(".exits > li")
    expect(exits).to_have_count(2)
    expect(exits.nth(0)).to_contain_text("after 1 min 31 s: killed by SIGSEGV")
    expect(exits.nth(0).get_by_label("Evidence")).to_have_text(CRASH["evidence"])
    exits.nth(0).get_by_text("last output, 2 lines").click()
    expect(exits.nth(0).get_by_label("Last output")).to_have_text(CRASH["output"])
    expect(exits.nth(1)).to_contain_text("The kernel killed it because memory ran out.")
    exits.nth(0).locator("summary").first.click()
    later = CRASH | {"at": "2026-01-02T04:00:00.000Z", "reason": "exited with code 3", "code": 3}
    panel.workers = [worker("default-1", last_exit=later), *SYSTEM]
    expect(exits).to_have_count(3)
    expect(exits.nth(0)).to_contain_text("exited with code 3")
    expect(exits.nth(1).get_by_label("Evidence")).to_be_hidden()
    expect(exits.nth(1).get_by_label("Last output")).to_be_visible()
    assert "owned" not in page.title()


def test_what_needs_a_person_is_a_list_with_links_and_commands(panel: Panel) -> None:
    concerns: list[dict[str, Any]] = [
        {
            "code": "queue_paused",
            "text": "Queue mail & co is paused, and 12 jobs wait in it.",
            "command": "orpheus resume 'mail & co'",
            "about": {"kind": "queue", "name": "mail & co"},
        },
        {
            "code": "type_failing",
            "text": "300 of 300 jobs of pay failed.",
            "command": "orpheus errors",
            "about": {"kind": "type", "name": "pay"},
        },
        {
            "code": "configuration_rejected",
            "text": "The configuration was rejected.",
            "command": None,
            "about": None,
        },
        {
            "code": "slot",
            "text": "default-1 is degraded.",
            "command": None,
            "about": {"kind": "slot", "name": "default-1"},
        },
    ]
    stats = panel.dashboard.system.client.get("/stats").json()
    for one in concerns:
        one |= {"severity": "loses_money", "acknowledged": None}
    stats["verdict"] = {"headline": "4 problems need your attention.", "concerns": concerns}
    panel.answer("/stats", 200, stats)
    page = panel.open(worker("default-1"), *SYSTEM)
    expect(page.locator("#verdict")).to_have_text("4 problems need your attention.")
    links = page.locator("#concerns a")
    expect(links).to_have_text([one["text"] for one in concerns])
    expect(page.locator("#sentence")).to_have_text(
        f"{concerns[0]['text']} {concerns[0]['command']}"
    )
    assert [link.get_attribute("href") for link in links.all()] == [
        "/ui/queues#queue-mail%20%26%20co",
        "/ui/errors?q=pay",
        "/ui/configuration",
        "#slot-default-1",
    ]
    expect(page.locator("#slot-default-1")).to_contain_text("default-1")
    expect(page.locator("#concerns code").nth(1)).to_have_text("orpheus errors")
    expect(page).to_have_title(re.compile(r"^\(4\)"))
    calls = panel.answer("/concerns/type_failing/acknowledge", 200, stats["verdict"])
    known = {"by": "api:ada", "until": "2026-01-31T12:00:00.000Z", "reason": "the network"}
    page.get_by_label("Acknowledge: 300 of 300 jobs").click()
    expect(page.locator("#confirm-yes")).to_be_disabled()
    page.locator("#confirm-reason").fill("the network")
    concerns[1]["acknowledged"] = known
    page.locator("#confirm-yes").click()
    expect(page.locator("#concerns .known")).to_contain_text("acknowledged by api:ada")
    sent = {"subject": "pay", "for": "1h", "reason": "the network"}
    assert calls[0].request.post_data_json == sent
    expect(page).to_have_title(re.compile(r"^\(3\)"))


@pytest.mark.parametrize(("width", "first"), [(1280, 3), (390, 3), (390, 0)])
def test_nothing_moves_on_a_first_visit_and_when_problems_come_and_go(
    panel: Panel, width: int, first: int
) -> None:
    stats = panel.dashboard.system.client.get("/stats").json()
    concern = {
        "code": "type_failing",
        "severity": "stops_work",
        "text": "pay: 300 of 300 jobs failed in the last 5 min.",
        "command": "orpheus errors",
        "about": {"kind": "type", "name": "pay"},
        "acknowledged": None,
    }
    stats["verdict"] = {"headline": "At first.", "concerns": [concern] * first}
    panel.answer("/stats", 200, stats)
    panel.page.set_viewport_size({"width": width, "height": 720})
    panel.page.add_init_script(
        """window.moved = 0; new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) window.moved += entry.value;
        }).observe({ type: "layout-shift", buffered: true });"""
    )
    page = panel.open(worker("default-1"), worker("media-1", "media"), *SYSTEM)
    expect(page.locator("#verdict")).to_have_text("At first.")
    page.wait_for_timeout(300)
    for n in (3, 9, 0):
        stats["verdict"] = {"headline": f"{n} problems.", "concerns": [concern] * n}
        panel.workers[0] = worker("default-1", reason=f"change {n}")
        expect(page.locator("#verdict")).to_have_text(f"{n} problems.", timeout=10_000)
        expect(page.locator("#concerns li:not(.none)")).to_have_count(n)
    page.wait_for_timeout(100)
    assert page.evaluate("window.moved") < 0.02


def test_a_worker_is_restarted_with_the_keyboard_alone(panel: Panel) -> None:
    page = panel.open(worker("default-1"), *SYSTEM)
    calls = panel.answer("/workers/default-1/restart", 202, {})
    page.keyboard.type("gw")
    for _ in ("number", "scale", "more"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#confirm")).to_be_visible()
    page.locator("#confirm-yes").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#confirm")).to_be_hidden()
    expect(page.locator("#more-default-1 [data-action=restart]")).to_be_focused()
    assert len(calls) == 1


def test_of_several_hosts_each_has_its_rows_and_its_actions_and_a_lost_one_says_so(
    lasting_dashboard: Any,
) -> None:
    panel = Panel(lasting_dashboard)
    hosts = ("alpha", "beta")
    slots = [{**one, "host": host} for host in hosts for one in (*SYSTEM, worker("default-1"))]
    page = panel.open(*slots)
    pools = page.locator("#slots .pool")
    expect(pools.locator("h3")).to_have_text(
        [f"{name} on {host}" for host in hosts for name in ("default", "Orpheus")]
    )
    calls = panel.answer("/workers/default-1/restart?host=beta", 202, {})
    panel.row("default-1").nth(1).locator(".more").click()
    page.locator("[id='more-beta-default-1'] [data-action=restart]").click()
    page.get_by_role("button", name="Restart it").click()
    expect(page.locator("[id='more-beta-default-1']")).to_contain_text("Restart requested")
    assert len(calls) == 1
    scaled = panel.answer("/pools/default/scale?host=alpha", 202, {})
    form = pools.locator("form").first
    expect(form).to_contain_text("1 worker")
    form.get_by_label("Workers of pool default").fill("3")
    form.get_by_label("Scale pool default").click()
    page.get_by_role("button", name="Scale pool", exact=True).click()
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
    told = page.locator("#slots .slot", has_text="lost: nothing was heard of beta")
    expect(told).to_have_count(3)
    expect(pools).to_have_count(4)
    panel.workers = slots
    expect(told).to_have_count(0)
    panel.workers = slots[:3]
    expect(pools).to_have_count(2)
