"""Where there is nothing, a browser gets a page, and a program a problem."""

from typing import Any

import pytest

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(
    "path", ["/nowhere", "/jobs/999", "/ui/nowhere", "/ui/jobs/x", f"/ui/jobs/{'9' * 5_000}"]
)
def test_a_browser_gets_a_page_with_a_way_back(api: Any, path: str) -> None:
    answer = api.client.get(path, headers=HTML)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'; script-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["vary"] == "Accept"
    assert '<a href="/">' in answer.text
    assert path.rpartition("/")[2][:80] in answer.text


@pytest.mark.parametrize("path", ["/ui", "/ui/"])
def test_the_folder_of_the_pages_leads_to_the_dashboard(api: Any, path: str) -> None:
    answer = api.client.get(path, headers=HTML)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")


def test_what_was_asked_for_is_shown_as_text(api: Any) -> None:
    answer = api.client.get("/ui/<script>alert(1)</script>", headers=HTML)
    assert answer.status_code == 404
    assert "<script>alert" not in answer.text
