"""The pages and files of the dashboard, without a browser."""

import re

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from orpheus.api.dashboard.pages import make_pages

LISTS = ["jobs", "queues", "schedules", "types", "errors", "audit"]
PAGES = [
    "/",
    "/ui/jobs/5",
    "/ui/programs/web-1",
    "/ui/submit",
    "/ui/configuration",
    *(f"/ui/{one}" for one in LISTS),
]


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=make_pages(read_only=False, has_sessions=False).routes))


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
