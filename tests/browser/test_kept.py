"""A page that stays open from test to test shows each of them nothing of the one before."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import some_queue
from tests.browser.kept_page import Kept
from tests.browser.kept_panel import OpenPanel, kept_panel  # noqa: F401 - a fixture
from tests.browser.kept_queues import MadeUpQueues, kept_queues  # noqa: F401 - a fixture
from tests.browser.panel import SYSTEM, worker
from tests.browser.test_details import RULE

CONCERN = {"code": "slot", "text": "A slot is degraded.", "command": None, "about": None}
SEEN = """() => [
    matchMedia("(prefers-color-scheme: dark)").matches,
    matchMedia("(prefers-reduced-motion)").matches,
    document.querySelectorAll("dialog[open]").length,
    document.activeElement.localName,
    getSelection().toString(),
    location.search + location.hash,
    innerWidth,
    scrollY,
]"""
NOTHING = [False, False, 0, "body", "", "", 1280, 0]


def test_nothing_is_left_of_what_an_overview_has_shown(
    shared_panel: Kept[OpenPanel], request: pytest.FixtureRequest
) -> None:
    lent = shared_panel.lend(request.session)
    panel = next(lent)
    stats: dict[str, Any] = panel.dashboard.system.get("/stats")
    stats["verdict"] = {"headline": "20 problems", "concerns": [CONCERN] * 20}
    panel.answer("/stats", 200, stats)
    panel.answer("/alerts", 200, {"items": [RULE]})
    page = panel.open(worker("default-1"), *SYSTEM)
    expect(page.locator("#alert-rows li")).to_have_count(1)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.set_viewport_size({"width": 360, "height": 740})
    page.evaluate("location.hash = '#slot-default-1'")
    page.locator("#more-concerns").click()
    page.locator("#verdict").select_text()
    panel.unfold("default-1").locator("[data-action=restart]").click()
    page.evaluate("document.getElementById('workers').open = false")
    assert next(lent, None) is None
    lent = shared_panel.lend(request.session)
    assert next(lent).page == page
    assert page.evaluate(SEEN) == NOTHING
    assert page.locator("#verdict").inner_text() != "20 problems"
    assert page.locator("#alerts").is_hidden()
    assert page.locator("#more-concerns").get_attribute("aria-expanded") == "false"
    assert page.locator("#workers[open]").count() == 1
    assert next(lent, None) is None


def test_nothing_is_left_of_what_a_list_of_queues_has_shown(
    shared_queues: Kept[MadeUpQueues], request: pytest.FixtureRequest
) -> None:
    lent = shared_queues.lend(request.session)
    made_up = next(lent)
    page = made_up.show(*(some_queue() | {"name": name} for name in ("a", "b")))
    page.get_by_role("button", name="live jobs", exact=True).click()
    page.locator("#search").fill("a")
    page.locator("#rows").select_text()
    assert next(lent, None) is None
    lent = shared_queues.lend(request.session)
    assert next(lent).page == page
    assert page.evaluate(SEEN) == NOTHING
    assert page.locator("#search").input_value() == ""
    assert page.locator("[aria-sort]").inner_text() == "queue"
    assert page.locator("#rows tr").count() == 0
    assert next(lent, None) is None
