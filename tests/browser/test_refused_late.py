"""An action that is refused after its dialog was closed: it is told once, and nothing moves."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard, some_queue, wait_until_held
from tests.browser.interception import Route, intercept, stop_intercepting
from tests.browser.layout import small_targets


@pytest.fixture
def busy(page: Page) -> Iterator[Any]:
    """Return what presses a button on a page, closes its dialog, and lets the call be refused."""
    held: list[Route] = []

    def refuse(button: str, confirm: str, detail: str) -> None:
        page.get_by_role("button", name=button).click()
        page.get_by_role("button", name=confirm, exact=True).click()
        wait_until_held(page, held)
        page.keyboard.press("Escape")
        held.pop().fulfill(status=409, json={"detail": detail})

    def hold(route: Route) -> None:
        held.append(route)

    intercept(page, "**/queues/measured/*", hold)
    yield refuse
    stop_intercepting(page, "**/queues/measured/*")


def refusals(page: Page) -> Any:
    return page.get_by_role("alert").filter(has=page.get_by_role("button", name="Close"))


def test_a_refusal_is_told_though_its_dialog_was_closed_and_not_over_a_lost_connection(
    lasting_dashboard: Dashboard, busy: Any
) -> None:
    """The queue is made up: no other stands above it or changes."""
    page = lasting_dashboard.page
    items = [some_queue() | {"name": "measured"}]
    intercept(page, "**/queues", lambda route: route.fulfill(json={"items": items}))
    lasting_dashboard.open("/ui/queues")
    button = page.get_by_role("button", name="Pause measured")
    place = button.bounding_box()
    busy("Pause measured", "Pause it", "It is being moved.")
    told = refusals(page)
    expect(told.locator("li")).to_have_text(["Pause queue measured: It is being moved."])
    expect(button).to_be_focused()
    assert button.bounding_box() == place
    expect(page.locator("#confirm-problem")).to_be_hidden()

    busy("Pause measured", "Pause it", "It is gone.")
    second = "Pause queue measured: It is gone."
    expect(told.locator("li")).to_have_text(["Pause queue measured: It is being moved.", second])
    assert told.get_attribute("aria-atomic") == "false", "what was told is not told again"
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 740})
        assert Axe().run(page, "#refused").violations_count == 0
    close = told.get_by_role("button", name="Close")
    box = close.bounding_box()
    assert box is not None and min(box["width"], box["height"]) >= 44
    close.press("Enter")
    expect(told).to_be_hidden()
    expect(page.locator("#main")).to_be_focused()
    assert small_targets(page) == []

    page.set_viewport_size({"width": 1280, "height": 720})
    busy("Pause measured", "Pause it", "It is being moved.")
    expect(told).to_be_visible()
    intercept(page, "**/queues", lambda route: route.abort())
    banner = page.locator("#banner")
    expect(banner).to_be_visible()
    upper, lower = told.bounding_box(), banner.bounding_box()
    assert upper is not None and lower is not None
    assert upper["y"] + upper["height"] <= lower["y"] or lower["y"] + lower["height"] <= upper["y"]
    stop_intercepting(page, "**/queues")


def test_what_was_done_is_not_told_as_refused_if_the_page_fails_over_the_answer(
    lasting_dashboard: Dashboard,
) -> None:
    page = lasting_dashboard.open("/ui/schedules")
    intercept(page, "**/schedules/often/run", lambda route: route.fulfill(status=200, body="null"))
    with page.expect_event("pageerror"):
        page.get_by_label("Run often now", exact=True).click()
        page.locator("#confirm-yes").click()
    expect(page.locator("#confirm")).to_be_hidden()
    expect(refusals(page)).to_be_hidden()
    stop_intercepting(page, "**/schedules/often/run")
    (problem,) = lasting_dashboard.problems
    assert "null" in problem
    lasting_dashboard.problems.clear()
