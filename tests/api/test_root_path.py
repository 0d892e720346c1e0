"""The API behind a proxy with a prefix, which the proxy keeps or removes.

The prefix is a path of the API itself: /jobs/7 is job 7, and /jobs/jobs/7 is it, too.
"""

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urljoin

import httpx2
import pytest
from websockets.sync.client import connect

from orpheus import AsyncClient, Client, Job
from orpheus.api.dashboard import pages
from tests.api.conftest import Running, Watcher, applications, options_of
from tests.api.raw_http import raw
from tests.prefix_proxy import prefix_proxy

TOKEN = "the-token-of-this-test-0123456789abcdef"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PAGES = ("/", "/ui/submit", "/ui/jobs/1", "/ui/nothing", "/docs")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An API that asks for TOKEN, with the prefix /jobs."""
    with applications(options_of(tmp_path_factory.mktemp("shared"))) as start_one:
        running = start_one(token=TOKEN, root_path="/jobs")
        running.client.headers.update(BEARER)
        yield running


@pytest.fixture(params=[True, False], ids=["keeps", "removes"])
def url(api: Running, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of the API behind a proxy."""
    with prefix_proxy(api.port, "/jobs", keeps=request.param) as address:
        yield address


@pytest.fixture
def session(url: str) -> Iterator[httpx2.Client]:
    """A client that has logged in as the dashboard does."""
    headers = {"Origin": url.removesuffix("/jobs"), "Accept": "text/html"}
    with httpx2.Client(base_url=url, trust_env=False, headers=headers, timeout=60) as client:
        answer = client.post("/session", json={"token": TOKEN})
        assert answer.status_code == 204
        assert "Path=/jobs;" in answer.headers["Set-Cookie"]
        yield client


def test_pages_link_to_what_is_below_the_prefix(session: httpx2.Client, url: str) -> None:
    for page in PAGES:
        answer = session.get(page)
        assert answer.status_code == (404 if "nothing" in page else 200)
        links = re.findall(r'(?:href|src|action)="([^"#{]+)', answer.text)
        assert links
        for link in {urljoin(f"{url}{page}", link) for link in links}:
            assert link.startswith(f"{url}/"), (page, link)
            assert session.get(link).status_code == 200, (page, link)


def test_no_script_and_no_page_has_a_link_without_the_prefix() -> None:
    folder = Path(pages.__file__).parent
    scripts = [*(folder / "static/js").rglob("*.js"), *(folder / "templates").glob("*.html")]
    links = re.compile(r"[\"'`]/(?:ui/|docs|#)|(?:href|action)=\"/")
    found = [(path.name, line) for path in scripts for line in links.findall(path.read_text())]
    assert len(scripts) > 50
    assert found == []


def test_a_browser_logs_in_and_out(session: httpx2.Client, url: str) -> None:
    login = httpx2.get(f"{url}/", headers={"Accept": "text/html"}, trust_env=False)
    assert login.status_code == 401
    assert 'action="/jobs/session"' in login.text
    assert session.get("/session").json()["ends_at"] is not None
    assert "Path=/jobs;" in session.delete("/session").headers["Set-Cookie"]
    assert session.get("/session").status_code == 401


def test_redirects_and_locations_have_the_prefix(session: httpx2.Client, url: str) -> None:
    host = url.removesuffix("/jobs")
    assert session.get("/ui").headers["Location"] == "/jobs/"
    moved = session.get("/?status=failed", follow_redirects=True)
    assert str(moved.url) == f"{url}/ui/jobs?status=failed"
    assert moved.status_code == 200
    for _ in range(2):  # the second answer is the kept one
        headers = {"Idempotency-Key": f"key-of-{url}"}
        job = session.post("/jobs", json={"type": "add"}, headers=headers)
        assert job.headers["Location"] == f"/jobs/jobs/{job.json()['id']}"
        assert session.get(host + job.headers["Location"]).json()["id"] == job.json()["id"]


def test_the_openapi_document_names_the_prefix(session: httpx2.Client, url: str) -> None:
    document = session.get("/openapi.json").json()
    assert document["servers"] == [{"url": "/jobs"}]
    assert "/jobs/{job_id}" in document["paths"]


def test_streams_come_through(api: Running, url: str) -> None:
    address = f"{url.replace('http', 'ws', 1)}/ws"
    with (
        connect(address, proxy=None, additional_headers=BEARER) as websocket,
        httpx2.stream("GET", f"{url}/events", headers=BEARER, trust_env=False) as answer,
    ):
        watcher, lines = Watcher(websocket), answer.iter_lines()
        watcher.next("hello")
        next(lines)
        job_id = api.submit()
        assert watcher.events(1)[0]["job"]["id"] == job_id
        assert any(f'"job":{{"id":{job_id},' in line for line in lines)


def test_clients_take_the_address_with_the_prefix(api: Running, url: str) -> None:
    with Client(url, token=TOKEN) as client:
        job = client.submit("add", {"n": 1})
        while api.run_one() != job.id:  # before it, those of other tests
            pass
        assert client.wait(job).status == "done"

    async def get() -> Job:
        async with AsyncClient(url, token=TOKEN) as client:
            return await client.get(job)

    assert asyncio.run(get()).payload == {"n": 1}


@pytest.mark.parametrize(
    "path",
    [
        "/jobs",
        "/jobs/jobs",
        "/jobs/jobs/",
        "//jobs/jobs",
        "/jobs//jobs",
        "/jobs/jobs/jobs",
        "/jobs%2Fjobs",
        "/%6aobs/jobs/1",
        "/jobs/%6aobs",
        "/jobs/session",
        "/jobs/docs",
        "/jobs//healthz",
        "/jobs/jobs/healthz",
        "/jobs/healthz/../jobs",
        "/jobs/healthz%2f..%2fjobs",
        "/healthz/jobs/jobs",
        "/jobs/ui/static/x/js/frame/live.js",
        "/jobs/ui/static/jobs/ui/static/x/css/base.css",
        "/jobs/jobs%0a",
    ],
)
def test_the_prefix_opens_nothing_without_the_token(api: Running, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert raw(api, request.encode()).startswith(b"HTTP/1.1 401 ")


def test_limits_of_a_path_hold_with_the_prefix(start: Callable[..., Running]) -> None:
    api = start(root_path="/jobs", read_only=True, max_body_bytes=100, max_batch_body_bytes=200)
    assert api.client.post("/jobs/jobs", json={"type": "add"}).status_code == 403
    assert api.client.post("/jobs/session", json={"token": "x"}).status_code == 409
    body = {"jobs": [{"type": "add", "payload": {"text": "x" * 100}}]}
    api = start(root_path="/jobs", max_body_bytes=100, max_batch_body_bytes=200)
    assert api.client.post("/jobs/jobs/batch", json=body).status_code == 201
    assert api.client.post("/jobs/jobs", json=body).status_code == 413


def test_the_bare_prefix_is_the_overview_unless_it_is_a_path_of_the_api(
    api: Running, start: Callable[..., Running]
) -> None:
    assert api.client.get("/jobs").json()["items"] is not None
    other = start(root_path="/tools/orpheus").client
    for path in ("/tools/orpheus", "/tools/orpheus/", "/"):
        assert 'href="/tools/orpheus/ui/jobs"' in other.get(path).text
    assert other.get("/tools/orpheusui/jobs").status_code == 404
