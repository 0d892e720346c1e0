"""The dashboard behind a proxy with a prefix: nothing it asks for is above the prefix."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard
from tests.conftest import System
from tests.prefix_proxy import prefix_proxy

TOKEN = "the-token-of-this-test-0123456789abcdef"


@pytest.fixture
def below_jobs(page: Page, tmp_path: Path) -> Iterator[Dashboard]:
    """A page on Orpheus with a token, behind a proxy that removes the prefix /jobs."""
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text(TOKEN)
    settings = ("pools.default.workers=1", "api.root_path=/jobs", f"api.token_file={token}")
    system = System(tmp_path, *settings)
    try:
        assert f"{system.url}/jobs/ " in system.log()
        with prefix_proxy(httpx2.URL(system.url).port or 0, "/jobs", keeps=False) as system.url:
            watched = Dashboard(page, system)
            yield watched
            assert watched.problems == []
    finally:
        system.end()


def test_one_logs_in_submits_a_job_and_sees_it_end(below_jobs: Dashboard) -> None:
    page, url = below_jobs.page, below_jobs.system.url
    page.goto(f"{url}/")
    page.locator("#token").fill(TOKEN)
    page.locator("#token").press("Enter")
    expect(page.locator("#verdict")).to_contain_text("Ready")
    page.get_by_role("link", name="Submit", exact=True).click()
    page.locator("#type").select_option("sum_range")
    page.locator("#example").click()
    expect(page.locator("#curl")).to_contain_text(f"{url}/jobs")
    page.locator("#send").click()
    expect(page.locator("#sent")).to_contain_text("done")
    page.locator("#sent a").click()
    expect(page.locator("#status")).to_contain_text("done")
    assert page.url == f"{url}/ui/jobs/1"
    page.keyboard.press("g")
    page.keyboard.press("h")
    page.wait_for_url(f"{url}/ui/history")
    page.get_by_role("link", name="API", exact=True).click()
    expect(page.get_by_text("/jobs/batch").first).to_be_visible()
    expect(page.locator(".servers select")).to_have_value("/jobs")
