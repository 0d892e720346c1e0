"""The documentation as a site: no link is broken, nothing comes from other hosts, search works.

What builds it is in the group `docs`: `uv sync --group docs`.
"""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

DOCS = Path(__file__).parents[2] / "docs"
LOADED = re.compile(r"<(?:script|img|iframe|link)\b[^>]*(?:src|href)=\"?(?:https?:)?//[^>]*>")


@pytest.mark.skipif(
    find_spec("zensical") is None and "CI" not in os.environ, reason="needs the group docs"
)
def test_the_site_is_whole_and_is_searched_without_a_network(page: Page) -> None:
    build: list[str | Path] = [sys.executable, DOCS / "build_site.py"]
    done = subprocess.run(build, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    site = DOCS / "site"
    assert {"llms.txt", "jobs.md", "jobs.html"} < {file.name for file in site.iterdir()}
    for file in site.rglob("*.html"):
        assert LOADED.findall(file.read_text(encoding="utf-8")) == [], file

    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto((site / "index.html").as_uri())
    page.get_by_role("button", name="Search").first.click()
    page.get_by_placeholder("Search").fill("fencing")
    expect(page.get_by_text("Lease tokens come from one counter").last).to_be_visible()
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
