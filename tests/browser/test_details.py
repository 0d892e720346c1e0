"""What an operator feels: the place, the focus, room for a finger, text that can be read."""

import re
from typing import Any

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.conftest import READ_ONLY
from tests.browser.interception import Route, intercept
from tests.browser.layout import small_targets
from tests.browser.panel import SYSTEM, Panel, worker

PHONE: ViewportSize = {"width": 360, "height": 740}
RULE = {
    "name": "failed",
    "on": ["job.failed"],
    "types": ["*"],
    "queues": ["*"],
    "after": 1,
    "within": None,
    "every": 300,
    "type": "webhook",
    "last_fired": "2026-01-31T12:00:00.000Z",
    "last_job": 7,
    "last_job_status": "done",
    "undelivered": None,
    "held_back": 2,
    "holding": [],
}
LATE = RULE | {"name": "late", "on": ["queue.late"], "held_back": 0}
LATE["holding"] = ["queue.late mail", "queue.late media/a b"]


def test_the_alerts_say_what_holds_and_what_was_sent_last(panel: Panel) -> None:
    panel.answer("/alerts", 200, {"items": [RULE, LATE]})
    page = panel.open(worker("default-1"), *SYSTEM)
    rules = page.locator("#alert-rows li")
    expect(rules.nth(0)).to_contain_text("2 alerts of this rule held back")
    expect(rules.nth(0).locator("a")).to_have_attribute("href", "/ui/jobs/7")
    holds = rules.nth(1).locator(".bad")
    expect(holds).to_have_text(re.compile(r"^\s*mail, media/a b$"))  # what it is on stands before
    late = holds.get_by_role("link", name="media/a b")
    expect(late).to_have_attribute("href", "/ui/queues#queue-media%2Fa%20b")
    expect(page.locator("#alerts-summary")).to_have_text("2 rules, 1 with a condition that holds")
    assert Axe().run(page, "#alerts").violations_count == 0
    page.set_viewport_size(PHONE)
    assert [small for small in small_targets(page) if "/ui/" in small] == []


def test_without_rules_there_is_no_panel_of_alerts(lasting_dashboard: Any) -> None:
    with lasting_dashboard.page.expect_response("**/alerts"):
        page = lasting_dashboard.open()
    expect(page.locator("#alerts")).to_be_hidden()


@READ_ONLY
def test_read_only_pages_offer_nothing_that_is_refused(page: Page, read_only_system: Any) -> None:
    system = read_only_system
    changes = re.compile(
        "restart|drain|start|scale|pause queue|resume|run now|retry|cancel|delete|save|apply"
        "|submit|release",
        re.IGNORECASE,
    )

    def without_file(route: Route) -> None:
        answer = route.fetch().json()
        answer["in_force"] |= {"file": None, "version": None}
        route.fulfill(json=answer)

    intercept(page, "**/config", without_file)
    no_job: dict[str, Any] = {
        "items": [],
        "next_cursor": None,
        "total": {"value": 0, "relation": "eq"},
    }
    intercept(page, "**/jobs?*", lambda route: route.fulfill(json=no_job))
    page.goto(f"{system.url}/")
    first = page.locator("#first-steps")
    expect(first).to_contain_text("api.read_only")
    expect(first.locator("li, a, button")).to_have_count(0)
    for path in (
        "",  # the same page
        "/ui/queues",
        "/ui/schedules",
        "/ui/types",
        "/ui/errors",
        "/ui/configuration",
    ):
        if path:
            page.goto(system.url + path)
        page.locator("#connection[data-state=live]").wait_for()
        if not path:
            page.locator("#slots .more button").first.click()
        offered = page.locator("button:visible").all_inner_texts()
        assert [text for text in offered if changes.search(text)] == [], path
    expect(page.locator("#in-force")).to_contain_text("In force since ")
