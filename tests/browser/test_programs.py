"""Programs on the dashboard: their rows beside the workers, and the page of their output."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard

COLOURED = r"printf '\\033[1;32m<b>up</b>\\033[0m\\n'"
SCRIPT = f"{COLOURED}; echo trouble >&2; exec sleep 600"
PROGRAMS = f"""programs=[{{name="web", argv=["sh", "-c", "{SCRIPT}"], ready={{line="up"}}}}]"""


@pytest.fixture
def with_program(page: Page, start_system: Callable[..., Any]) -> Any:
    system = start_system("pools.default.workers=1", PROGRAMS)
    system.wait_until_ready()
    return Dashboard(page, system)


def test_a_program_has_a_row_whose_output_is_a_click_away(with_program: Any) -> None:
    page = with_program.open()
    expect(page.locator("#workers-summary")).to_have_text("1 idle · 1 of 1 program ready")
    expect(page.locator("#sentence")).to_contain_text("1 of 1 worker ready")
    page.get_by_role("link", name="Output of web-1").click()
    log = page.locator("#log")
    expect(log.locator("[data-stream=stdout] .text")).to_have_text("<b>up</b>")
    expect(log.locator("[data-stream=stderr] .text")).to_have_text("trouble")
    expect(log.locator("[data-stream=orpheus] .text")).to_contain_text("started")
    page.locator("#log-stream").select_option("stderr")
    expect(log.locator("[data-stream=stdout]")).to_be_hidden()
    page.locator("#log-stream").select_option("")
    page.locator("#log").focus()
    page.keyboard.press("/")
    page.keyboard.type("TROUB")
    expect(log.locator(".line")).to_have_count(1)
    expect(log.locator("mark")).to_have_text("troub")
    page.locator("#log-search").fill("")
    expect(page.locator("#status")).to_contain_text(re.compile(r"ready.*pid \d+.*0 restarts"))
    page.get_by_role("button", name="Drain …").click()
    page.locator("#confirm-reason").fill("gateway moved")
    page.get_by_role("button", name="Drain it").click()
    expect(log.locator(".line").last).to_contain_text("ended: killed by SIGTERM")
    expect(page.locator("#status")).to_contain_text("down")
    expect(page.locator("#slot .exits")).to_contain_text("SIGTERM")
    expect(page.locator("#slot-why")).to_contain_text("drained")
    expect(page.get_by_role("button", name="Start …")).to_be_visible()
    scale(with_program, 0)
    expect(page.locator("#status")).to_have_text("not running")
    scale(with_program, 2)
    expect(page.locator("#status")).to_contain_text("ready")
    assert with_program.problems == []


def scale(dashboard: Any, instances: int) -> None:
    client = dashboard.system.client
    assert client.post("/pools/web/scale", json={"workers": instances}).is_success
