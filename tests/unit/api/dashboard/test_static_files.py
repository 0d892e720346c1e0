"""The static files of the dashboard, as a browser gets them."""

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from orpheus.api.dashboard import pages
from orpheus.api.dashboard.static_files import StaticFiles

FOLDER = Path(pages.__file__).parent / "static"


def client_of(files: StaticFiles) -> TestClient:
    return TestClient(Starlette(routes=[Route("/{version}/{path:path}", files.answer)]))


@pytest.fixture
def files() -> StaticFiles:
    return StaticFiles(FOLDER, {"X-Policy": "strict"})


@pytest.mark.parametrize("path", ["css/base.css", "js/overview/overview.js", "js/base/time.js"])
def test_a_page_of_an_older_version_gets_the_present_files_but_does_not_keep_them(
    files: StaticFiles, path: str
) -> None:
    client = client_of(files)
    old, present = (client.get(f"/{one}/{path}") for one in ("0123456789abcdef", files.version))
    assert old.headers["cache-control"] == "no-cache"
    assert "immutable" in present.headers["cache-control"]
    assert old.text == present.text


@pytest.mark.parametrize(
    "path", ["js/base/time.js", "js/base/login.js", "js/base/theme-first.js", "css/job.css"]
)
def test_what_is_no_script_of_a_page_is_sent_as_it_is(files: StaticFiles, path: str) -> None:
    assert client_of(files).get(f"/x/{path}").content == (FOLDER / path).read_bytes()


def test_a_file_is_compressed_for_whoever_can_read_that(files: StaticFiles) -> None:
    client = client_of(files)
    plain = client.get("/x/js/overview/overview.js", headers={"Accept-Encoding": "identity"})
    small = client.get("/x/js/overview/overview.js", headers={"Accept-Encoding": "gzip, br"})
    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    assert plain.headers["vary"] == small.headers["vary"] == "Accept-Encoding"
    assert small.text == plain.text
    assert int(small.headers["content-length"]) < int(plain.headers["content-length"]) / 3
    assert small.headers["x-policy"] == "strict"
