"""The list of jobs as a test looks at it."""

from typing import Any

from playwright.sync_api import Page


def rows(page: Page, more: str = "") -> Any:
    return page.locator(f"#rows tr[data-id]{more}")


def row(page: Page, job_id: int) -> Any:
    return page.locator(f"#rows tr[data-id='{job_id}']")


def wait_submitted(system: Any, queue: str, tag: str, type: str = "sum_range") -> int:
    """Submit a job to a queue that is paused; its id."""
    body = {"type": type, "payload": {"n": 1}, "queue": queue, "tags": [tag]}
    return int(system.client.post("/jobs", json=body).json()["id"])


def confirm(page: Page, typed: str = "", reason: str = "") -> None:
    if reason:
        page.locator("#confirm-reason").fill(reason)
    if typed:
        page.locator("#confirm-typed").fill(typed)
    page.locator("#confirm-yes").click()


def select_all(page: Page) -> None:
    """Select all jobs that match the filter."""
    page.locator("#pick-page").check()
    page.get_by_role("button", name="Select all matching").click()
