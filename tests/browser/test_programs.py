"""Programs on the dashboard: their rows beside the workers, and the page of their output."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

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
    expect(log.locator("[data-stream=stdout]")).to_be_visible()
    page.locator("#log").focus()
    page.keyboard.press("/")
    page.keyboard.type("TROUB")
    expect(log.locator(".line")).to_have_count(1)
    expect(log.locator("mark")).to_have_text("troub")
    found = re.compile(r"^1 of \d newest lines$")
    expect(page.get_by_role("status").filter(has_text=found)).to_have_count(1)
    page.locator("#log-search").fill("")
    expect(page.locator("#status")).to_contain_text(re.compile(r"ready.*pid \d+.*0 restarts"))
    expect(page.locator("#status use")).to_have_attribute("href", "#s-ready")
    expect(page.locator("#slot .exits")).to_have_text("No exit of this slot is known.")
    page.get_by_role("button", name="Drain …").click()
    page.locator("#confirm-reason").fill("gateway moved")
    page.get_by_role("button", name="Drain it").click()
    expect(log.locator(".line").last).to_contain_text("ended: killed by SIGTERM")
    expect(page.locator("#status")).to_contain_text("down")
    expect(page.locator("#slot .exits")).to_contain_text("SIGTERM")
    why = page.locator("#slot-why")
    expect(why).to_contain_text("It has no process until it is started, or Orpheus is restarted.")
    by = re.compile(r"Why: drained by api:\S+ (just now|\d+ (s|min) ago): gateway moved$")
    expect(why).to_have_text(by)
    expect(page.locator("#status use")).to_have_attribute("href", "#s-down")
    start = page.get_by_role("button", name="Start …")
    assert max(top_of(why), top_of(start)) < top_of(log)
    scale(with_program, 0)
    expect(page.locator("#status")).to_have_text("not running")
    assert page.locator("#status").get_attribute("data-state") is None
    for gone in (page.locator("#slot"), why, start):
        expect(gone).to_be_hidden()
    scale(with_program, 2)
    expect(page.locator("#status")).to_contain_text("ready")
    expect(page).to_have_title("ready: web-1 · Orpheus")
    expect(page.locator("#status svg")).to_be_visible()
    expect(page.get_by_role("button", name="Drain …")).to_be_visible()
    scale(with_program, 0)
    page.goto(with_program.system.url)
    expect(page.get_by_role("link", name="Output of web-1")).to_have_count(0)
    scaled = page.get_by_role("button", name="Scale program web")
    told = "0 instances, the configuration says 1: scaled by api:127.0.0.1 "
    expect(page.locator(".pool[data-pool=web] .hint").first).to_contain_text(told)
    page.reload()
    expect(scaled).to_be_visible()
    assert with_program.problems == []


def top_of(place: Locator) -> float:
    box = place.bounding_box()
    assert box is not None
    return box["y"]


def scale(dashboard: Any, instances: int) -> None:
    client = dashboard.system.client
    assert client.post("/pools/web/scale", json={"workers": instances}).is_success


def test_the_page_of_no_program_says_so(lasting_dashboard: Dashboard) -> None:
    page = lasting_dashboard.open("/ui/programs/nothing-1")
    missing = page.locator("#missing")
    expect(missing).to_contain_text("There is no program nothing-1.")
    for gone in ("#problem", "#log", "#log-older", "#log-search", "#status", "#slot"):
        expect(page.locator(gone)).to_be_hidden()
    expect(page).to_have_title("no such program: nothing-1 · Orpheus")
    expect(missing.get_by_role("link")).to_have_attribute("href", "/#workers")
