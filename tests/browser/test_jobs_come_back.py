"""Who comes back to the list of jobs is where he was."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import Dashboard
from tests.browser.job_list import row, rows
from tests.machine import wait_until


def test_back_and_reload_keep_the_place(
    lasting_dashboard: Dashboard, fail: Callable[..., list[int]]
) -> None:
    ids = fail(60, "place")
    page = lasting_dashboard.open("/ui/jobs?tag=place&status=failed")
    target = row(page, ids[15])
    target.scroll_into_view_if_needed()
    wait_until(lambda: page.evaluate("history.state?.y > 100"), "the place to be noted")
    place = page.evaluate("scrollY")

    def is_there() -> bool:
        return bool(abs(page.evaluate("scrollY") - place) < 3)

    target.locator(".id a").click()
    page.wait_for_url(f"**/ui/jobs/{ids[15]}")
    page.go_back()
    wait_until(is_there, "the page to be where it was")
    page.reload()
    wait_until(is_there, "the page to be where it was")
    page.locator("#older").click()
    expect(rows(page)).to_have_count(10)
    page.reload()
    expect(rows(page)).to_have_count(10)


def test_back_and_reload_keep_the_row_of_the_keyboard_and_what_is_selected(
    lasting_dashboard: Dashboard, fail: Callable[..., list[int]]
) -> None:
    ids = fail(6, "return")[::-1]
    page = lasting_dashboard.open("/ui/jobs?tag=return&status=failed")
    expect(rows(page)).to_have_count(6)
    press = page.keyboard.press
    for key in "jxjjj":
        press(key)
    press("Enter")
    page.wait_for_url(f"**/ui/jobs/{ids[3]}")
    page.go_back()
    expect(row(page, ids[3]).locator(".id a")).to_be_focused()
    expect(page.locator("#selected")).to_have_text("1 selected")
    expect(row(page, ids[0]).get_by_role("checkbox")).to_be_checked()
    press("j")
    expect(row(page, ids[4]).locator(".id a")).to_be_focused()
    wait_until(lambda: page.evaluate("history.state?.row") == ids[4], "the row to be noted")
    page.reload()
    expect(row(page, ids[4]).locator(".id a")).to_be_focused()
    expect(page.locator("#selected")).to_have_text("1 selected")
    page.locator("#status").select_option("done")
    expect(page.locator("#selected")).to_have_text("None selected")
