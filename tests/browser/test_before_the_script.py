"""Before the script of a page runs, nothing can be typed or pressed that would be lost."""

from playwright.sync_api import Page

from tests.browser.conftest import Dashboard

PAGES = ("jobs", "audit", "configuration", "submit", "jobs/9999999")
OPEN = """() => [...document.querySelectorAll("input, textarea, select, form button")]
    .filter((one) => one.checkVisibility() && !one.disabled && !one.readOnly)
    .filter((one) => !one.closest("[inert]")).map((one) => one.id)"""
TAKEN = {"search", "log-search", "pick-page"}
"""What is typed there stays, and the script takes it. The box shows what is selected, once there is
a list."""


def open_without_scripts(page: Page, url: str) -> None:
    page.route("**/js/**/*.js", lambda route: route.abort())
    page.goto(url)
    page.unroute("**/js/**/*.js")


def test_no_field_is_open_that_the_script_would_overwrite_or_that_would_leave_the_page(
    lasting_dashboard: Dashboard,
) -> None:
    page, url = lasting_dashboard.page, lasting_dashboard.system.url
    for path in PAGES:
        open_without_scripts(page, f"{url}/ui/{path}")
        assert set(page.evaluate(OPEN)) <= TAKEN, path
    lasting_dashboard.open("/ui/jobs")
    assert "query" in page.evaluate(OPEN)
