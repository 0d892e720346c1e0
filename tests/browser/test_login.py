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
ROLES = {"wall": ("viewer", "*"), "oncall": ("operator", "*"), "uploads": ("submitter", "sleep")}
"""The role of each named token and the type that it sees."""


def token_of(name: str) -> str:
    return name.ljust(40, "x")


@pytest.fixture(scope="module")
def shared_guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Orpheus with an admin's token and those of ROLES."""
    folder = tmp_path_factory.mktemp("guarded")
    for name, text in {"token": TOKEN, **{name: token_of(name) for name in ROLES}}.items():
        (folder / name).touch(0o600)
        (folder / name).write_text(text)
    tokens = ",".join(
        f'{{name="{name}", file="{folder / name}", role="{role}", types=["{type}"]}}'
        for name, (role, type) in ROLES.items()
    )
    system = System(
        folder,
        "pools.default.workers=1",
        f"api.token_file={folder / 'token'}",
        f"api.tokens=[{tokens}]",
    )
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


def test_the_pages_offer_what_the_role_of_the_login_may_do_and_say_what_it_may_not(
    guarded: Any, watched: Page
) -> None:
    page, url = watched, guarded.url
    job = guarded.submit("sleep", {"seconds": 0})
    other = guarded.submit("flaky", {"failures": 1, "permanent": True})
    for done in (job, other):
        guarded.wait_for_job(done)
    refused: list[str] = []
    page.on("response", lambda answer: refused.append(answer.url) if answer.status == 403 else None)

    def enter(name: str, path: str) -> None:
        page.goto(url + path)
        if page.locator("#log-out").count():
            page.locator("#log-out").click()
        log_in(page, token_of(name))
        expect(page.locator("html")).to_have_attribute("data-role", ROLES[name][0])
        page.locator("#connection[data-state=live]").wait_for()

    def open_page(path: str) -> None:
        page.goto(url + path)
        page.locator("#connection[data-state=live]").wait_for()
        expect(page.locator("#rows[aria-busy]")).to_have_count(0)

    enter("wall", "/")
    expect(page.locator("#may")).to_have_text(
        "You are logged in as wall, a viewer: you can see everything here but change nothing."
    )
    expect(page.locator("#log-out")).to_have_attribute("title", re.compile("wall, a viewer"))
    page.locator("#slots .more").first.click()
    expect(page.locator("#slots [data-action=stack]")).to_be_visible()
    expect(page.locator("[data-needs]:visible")).to_have_count(0)
    examine(page)
    page.goto(f"{url}/ui/configuration")
    expect(page.locator(".lead")).to_have_text("This page needs an operator.")
    expect(page.locator(".sections")).not_to_contain_text(re.compile("Configuration|Submit"))

    enter("oncall", "/")
    page.locator("#slots .more").first.click()
    expect(page.locator("#slots [data-action=restart]")).to_be_visible()
    expect(page.locator("#slots :is([data-action=drain], [name=workers])")).to_have_count(2)
    expect(page.locator("#slots :is([data-action=drain], [name=workers]):visible")).to_have_count(0)
    open_page(f"/ui/jobs/{other}")
    page.locator("[data-action=retry]").click()
    page.locator("#confirm-yes").click()
    expect(page.locator("#timeline")).to_contain_text("Retried by api:oncall@127.0.0.1")
    open_page("/ui/configuration")
    expect(page.locator("#settings tr").first).to_be_visible()
    expect(page.locator("#change")).to_be_hidden()
    expect(page.locator("#text")).not_to_be_editable()

    enter("uploads", "/")
    expect(page).to_have_url(f"{url}/ui/jobs")
    expect(page.locator("#may")).to_contain_text("You see only types sleep.")
    expect(page.locator("#rows tr")).to_have_count(1)
    expect(page.locator(".sections a:visible")).to_have_text(
        ["Jobs", "Schedules", "Types", "Errors", "Submit", "API"]
    )
    for path in ("/ui/jobs?queue=default", "/ui/schedules", "/ui/types", "/ui/errors"):
        open_page(path)
        expect(page.locator("#problem:visible, #filter-problem:visible")).to_have_count(0)
    open_page(f"/ui/jobs/{job}")
    expect(page.locator("#actions :visible")).to_have_text(["Edit and resubmit"])
    page.locator("[data-action=resubmit]").click()
    page.locator("#send").click()
    expect(page.locator("#sent li .status")).to_contain_text("done")
    examine(page)
    assert refused == []


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
