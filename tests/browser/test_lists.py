"""What the pages of queues, schedules, types, errors and the audit log have in common."""

import re
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard
from tests.browser.interception import Handler, Route, intercept

LISTS = {"queues": "q", "schedules": "s", "types": "t", "errors": "e", "audit": "a"}
QUEUE: dict[str, Any] = {
    "paused": None,
    "counts": {"blocked": 0, "pending": 0, "in_progress": 0, "done": 0, "failed": 0,
               "cancelled": 0},
    "due": 0,
    "oldest_due_s": None,
    "in_per_minute": 0,
    "out_per_minute": 0,
    "limits": {"max_running": None, "rate": None, "burst": 1, "max_running_per_key": None,
               "rate_per_key": None},
    "pools": [],
    "reason": None,
    "empty_in_s": None,
    "empty_in_s_with": {},
}  # fmt: skip


def answer_lists(dashboard: Dashboard, answer: Handler) -> None:
    """Answer all that these pages read of the API."""
    for path in (*(f"/{name}" for name in LISTS), "/stats/types"):
        for query in ("", "?**"):
            intercept(dashboard.page, f"{dashboard.system.url}{path}{query}", answer)


def opened(dashboard: Dashboard, name: str) -> Page:
    page = dashboard.open(f"/ui/{name}")
    page.locator("#rows tr:not(.skeleton)").first.wait_for()
    return page


def test_each_page_is_a_link_and_two_keys_away(lasting_dashboard: Dashboard) -> None:
    page = lasting_dashboard.open()
    for name, key in LISTS.items():
        page.keyboard.type(f"g{key}")
        page.wait_for_url(f"**/ui/{name}")
        page.locator("#connection[data-state=live]").wait_for()
        current = page.locator(".sections [aria-current]")
        expect(current).to_have_attribute("href", f"/ui/{name}")
        page.keyboard.press("?")
        keys = page.locator("#help .keys div", has_text=re.compile(rf"^\s*g\s*{key}\s*go to the"))
        expect(keys).to_be_visible()
        page.keyboard.press("Escape")


def test_nothing_moves_under_the_pointer_and_a_search_finds_a_row(
    lasting_dashboard: Dashboard,
) -> None:
    """The queues are made up: no job of another test waits, which would make a row higher."""
    page = lasting_dashboard.page
    names = ["found.b", "found.c"]

    def answer(route: Route) -> None:
        route.fulfill(json={"items": [QUEUE | {"name": name} for name in names]})

    intercept(page, "**/queues", answer)
    opened(lasting_dashboard, "queues")
    row = page.locator("[id='queue-found.b']")
    row.hover()
    before = row.bounding_box()
    names.insert(0, "found.a")
    new = page.locator("[id='queue-found.a']")
    expect(page.locator("#rows tr").last).to_have_id("queue-found.a")
    assert row.bounding_box() == before
    page.locator("h1").hover()
    expect(page.locator("[id='queue-found.a'] + tr")).to_have_id("queue-found.b")
    page.keyboard.press("/")
    page.keyboard.type("found.C")
    expect(new).to_be_hidden()
    expect(page.locator("[id='queue-found.c']")).to_be_visible()
    page.keyboard.type(" but no such queue")
    expect(page.locator("#no-match")).to_have_text("Nothing here contains this text.")
    search = page.locator("#search")
    search.fill("")
    expect(row).to_be_visible()
    # The Escape that ends the writing of a character is not one that empties the search.
    search.fill("漢")
    search.dispatch_event("keydown", {"key": "Escape", "isComposing": True, "bubbles": True})
    expect(search).to_have_value("漢")
    expect(search).to_be_focused()


def test_without_anything_each_page_says_what_will_be_there(lasting_dashboard: Dashboard) -> None:
    page = lasting_dashboard.page
    nothing: dict[str, Any] = {"items": [], "next_cursor": None}
    answer_lists(lasting_dashboard, lambda route: route.fulfill(json=nothing))
    for name in LISTS:
        lasting_dashboard.open(f"/ui/{name}")
        expect(page.locator("#none")).to_be_visible()
        expect(page.locator("#rows tr")).to_have_count(0)
