"""The pages and files of the dashboard, without a browser."""

import re
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from orpheus.api.dashboard.pages import make_pages
from orpheus.api.http.auth import EVERYBODY, Caller
from orpheus.api.http.scope import CALLER
from orpheus.shared.domain.access import Role, Scope

LISTS = ["jobs", "queues", "schedules", "types", "errors", "audit"]
PAGES = [
    "/",
    "/ui/jobs/5",
    "/ui/programs/web-1",
    "/ui/submit",
    "/ui/configuration",
    *(f"/ui/{one}" for one in LISTS),
]


def client_of(caller: Caller, *, read_only: bool = False) -> TestClient:
    """Return a client whose requests `caller` sends."""
    app = Starlette(routes=make_pages(read_only=read_only, needs_token=False).routes)

    async def calling(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, CALLER: caller}, receive, send)

    return TestClient(calling)


@pytest.fixture
def client() -> TestClient:
    return client_of(EVERYBODY)


def linked_files(page: str) -> set[str]:
    return set(re.findall(r'(?:src|href)="(/ui/static/[^"]+)"', page))


@pytest.mark.parametrize("path", PAGES)
def test_a_page_forbids_everything_that_is_not_its_own(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_nothing_inline_and_nothing_from_elsewhere(
    client: TestClient, path: str
) -> None:
    page = client.get(path).text
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", page)
    assert not re.search(r'(src|href)="(https?:)?//', page)


@pytest.mark.parametrize("path", PAGES)
def test_the_files_of_a_page_are_there_and_kept_for_ever(client: TestClient, path: str) -> None:
    files = linked_files(client.get(path).text)
    assert files
    for file in files:
        answer = client.get(file)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]


def test_the_script_of_a_page_is_one_file(client: TestClient) -> None:
    for path in PAGES:
        (script,) = re.findall(r'<script type="module" src="(.+?)"', client.get(path).text)
        answer = client.get(script)
        assert answer.headers["content-type"].startswith("text/javascript")
        assert "\nfunction " in answer.text
        assert not re.search(r"^(import|export)\b", answer.text, re.MULTILINE), script


@pytest.mark.parametrize("path", ["nothing.js", "../pages.py", "%2e%2e/pages.py"])
def test_only_static_files_are_served(client: TestClient, path: str) -> None:
    assert client.get(f"/ui/static/x/{path}").status_code == 404


# By role

ALL = ["Overview", "Jobs", "Queues", "Schedules", "Types", "Errors", "History", "Audit"]
NARROW = ["Jobs", "Schedules", "Types", "Errors"]


def entries_of(page: str) -> list[str]:
    """Return the entries of the navigation that lead to pages."""
    navigation = page[page.index("<nav") : page.index("</nav>")]
    return [
        name
        for name in re.findall(r"<a [^>]*>(\w+)</a>", navigation)
        if name not in ("API", "Programs")
    ]


@pytest.mark.parametrize(
    ("caller", "entries", "notice"),
    [
        (EVERYBODY, [*ALL, "Configuration", "Submit"], None),
        (Caller(Role.OPERATOR, name="oncall"), [*ALL, "Configuration", "Submit"], None),
        (
            Caller(Role.SUBMITTER, name="up"),
            [*ALL, "Submit"],
            "You are logged in as up, a submitter: you can submit jobs but change nothing else.",
        ),
        (
            Caller(Role.VIEWER, name="wall"),
            ALL,
            "You are logged in as wall, a viewer: you can see everything here but change nothing.",
        ),
        (
            Caller(Role.ADMIN, Scope(types=("resize",)), "own"),
            [*NARROW, "Submit"],
            "You see only types resize.",
        ),
        (
            Caller(Role.OPERATOR, Scope(("mail", "shop-*")), "own"),
            ["Jobs", "Queues", "Schedules", "Types", "Errors", "Submit"],
            "You see only queues mail, shop-*.",
        ),
        (
            Caller(Role.VIEWER, Scope(("mail",), ("resize",)), "own"),
            NARROW,
            (
                "You are logged in as own, a viewer: you can look but change nothing. "
                "You see only queues mail and types resize."
            ),
        ),
    ],
)
def test_a_caller_is_led_to_the_pages_that_work_for_it_and_told_what_it_may_do(
    caller: Caller, entries: list[str], notice: str | None
) -> None:
    page = client_of(caller).get("/ui/jobs").text
    assert entries_of(page) == entries
    assert re.findall(r'<p id="may" class="notice">(.*)</p>', page) == ([notice] if notice else [])
    assert f'data-role="{caller.role}"' in page
    assert ("data-read-only" in page) == (caller.role is Role.VIEWER)
    assert ('id="selection"' in page) == (caller.role in (Role.OPERATOR, Role.ADMIN))


@pytest.mark.parametrize(
    ("caller", "path", "why"),
    [
        (Caller(Role.VIEWER, name="wall"), "/ui/configuration", "This page needs an operator."),
        (Caller(Role.SUBMITTER, name="w"), "/ui/configuration", "This page needs an operator."),
        (Caller(Role.VIEWER, name="wall"), "/ui/submit", "This page needs a submitter."),
        *(
            (
                Caller(Role.ADMIN, Scope(types=("resize",)), "own"),
                path,
                "This page is about more than the jobs that you may see.",
            )
            for path in ("/ui/queues", "/ui/audit", "/ui/history", "/ui/programs/web-1")
        ),
    ],
)
def test_a_page_that_does_not_work_for_a_caller_says_why(
    caller: Caller, path: str, why: str
) -> None:
    answer = client_of(caller).get(path)
    assert (answer.status_code, answer.text.count(why)) == (200, 1)
    assert "frame/not-found.js" in answer.text


def test_who_sees_only_some_jobs_begins_with_the_jobs() -> None:
    client = client_of(Caller(Role.VIEWER, Scope(("mail",)), "own"))
    answer = client.get("/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (302, "/ui/jobs")
    assert ">Overview<" not in client.get("/ui/submit").text


def test_a_read_only_api_lets_an_admin_look_at_everything() -> None:
    client = client_of(EVERYBODY, read_only=True)
    assert entries_of(client.get("/ui/jobs").text) == [*ALL, "Configuration"]
    assert "data-read-only" in client.get("/ui/configuration").text
    assert "api.read_only" in client.get("/ui/submit").text


@pytest.mark.parametrize(
    ("caller", "login", "can_log_out"),
    [
        (EVERYBODY, "", False),
        (Caller(Role.ADMIN, session_id="1"), "admin", True),
        (Caller(Role.OPERATOR, name="oncall", session_id="1"), "oncall", True),
        (Caller(Role.OPERATOR, name="ada@example.com"), "ada@example.com", False),  # a proxy's
    ],
)
def test_a_login_is_named_and_a_session_can_be_ended(
    caller: Caller, login: str, can_log_out: bool
) -> None:
    page = client_of(caller).get("/").text
    assert ('id="log-out"' in page) == can_log_out
    assert ('id="login-name"' in page) == bool(login)
    assert not login or f'title="You are logged in as {login}, an {caller.role}">{login}<' in page
