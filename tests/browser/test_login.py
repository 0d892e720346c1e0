"""The door as a person meets it: logging in and out, a read-only dashboard, the API's own page."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.examine import examine
from tests.browser.interception import Route, intercept
from tests.conftest import System

TOKEN = "the-token-of-this-test-0123456789abcdef"


@pytest.fixture(scope="module")
def shared_guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Orpheus with a token."""
    folder = tmp_path_factory.mktemp("guarded")
    token = folder / "token"
    token.touch(0o600)
    token.write_text(TOKEN)
    system = System(folder, "pools.default.workers=1", f"api.token_file={token}")
    system.client.headers["Authorization"] = f"Bearer {TOKEN}"
    try:
        system.wait_until_ready()
        yield system
    finally:
        system.end()


@pytest.fixture
def guarded(shared_guarded: System) -> System:
    """The same for all tests of this file, ready again."""
    shared_guarded.wait_until_ready()
    return shared_guarded


@pytest.fixture
def watched(page: Page) -> Iterator[Page]:
    """A page in which nothing may go wrong but what is refused on purpose."""
    problems: list[str] = []
    expected = ("Failed to load resource", "WebSocket connection to")
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "console",
        lambda message: (
            problems.append(message.text)
            if message.type in ("error", "warning") and not message.text.startswith(expected)
            else None
        ),
    )
    yield page
    assert problems == []


def log_in(page: Page, token: str = TOKEN) -> None:
    page.locator("#token").fill(token)
    page.locator("#token").press("Enter")


def test_one_logs_in_once_and_out_again(guarded: Any, watched: Page) -> None:
    page = watched
    page.goto(f"{guarded.url}/ui/submit?type=sleep")
    expect(page.locator("h1")).to_have_text("Log in")
    expect(page.locator("#token")).to_be_focused()
    examine(page)
    log_in(page, "wrong")
    expect(page.locator("#problem")).to_contain_text("Wrong token.")
    expect(page.get_by_label("token")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#token")).to_be_focused()
    log_in(page)
    expect(page.locator("h1")).to_have_text("Submit a job")
    page.locator("#connection[data-state=live]").wait_for()
    assert page.url == f"{guarded.url}/ui/submit?type=sleep"
    assert page.evaluate("document.cookie") == ""
    assert page.evaluate("JSON.stringify([localStorage, sessionStorage])").count(TOKEN) == 0
    page.goto(guarded.url)
    expect(page.locator("#verdict")).to_have_text(re.compile("Ready|All is well"))
    page.locator("#log-out").click()
    expect(page.locator("h1")).to_have_text("Log in")
    page.goto(f"{guarded.url}/docs")
    expect(page.locator("h1")).to_have_text("Log in")


def test_a_page_or_a_stream_whose_session_is_over_leads_to_the_login(
    guarded: Any, watched: Page
) -> None:
    page = watched
    page.goto(guarded.url)
    log_in(page)
    page.locator("#connection[data-state=live]").wait_for()
    page.context.clear_cookies()
    page.evaluate("document.querySelector('.sections a').click()")
    expect(page.locator("h1")).to_have_text("Log in")

    log_in(page)
    page.locator("#connection[data-state=live]").wait_for()
    page.context.clear_cookies()
    api = next(one for one in guarded.workers().values() if one["slot"] == "api")
    assert guarded.client.post("/workers/api/restart").status_code == 202
    assert api["pid"]
    expect(page.locator("h1")).to_have_text("Log in")


def test_the_api_s_own_page_works_under_its_policy(lasting_system: Any, watched: Page) -> None:
    """With one path: to draw all of them takes seconds."""
    page = watched

    def with_one_path(route: Route) -> None:
        told = route.fetch().json()
        told["paths"] = {"/healthz": told["paths"]["/healthz"]}
        route.fulfill(json=told)

    intercept(page, "**/openapi.json", with_one_path)
    page.goto(f"{lasting_system.url}/docs")
    operation = page.locator(".opblock", has_text="/healthz")
    operation.locator(".opblock-summary").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table")).to_contain_text('"status": "ok"')
    expect(page.locator("#ui .information-container")).to_be_visible()
