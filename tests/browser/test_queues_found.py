"""How a queue is found among many: the search and the order of the page of queues."""

from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import Dashboard, some_queue
from tests.browser.interception import intercept

HELD = {"type": "resize", "jobs": 4, "relation": "eq", "oldest_s": 47_430}


def test_queues_are_sorted_by_what_is_pending_and_by_the_oldest_due_job(
    lasting_dashboard: Dashboard,
) -> None:
    one = some_queue()
    cases: dict[str, tuple[int, float | None, list[dict[str, Any]]]] = {
        "a": (7, 60, []),
        "b": (0, None, []),
        "c": (900, 30, []),
        "d": (2, None, [HELD]),
    }
    queues = [
        {**one, "name": name, "counts": {**one["counts"], "pending": pending}}
        | {"oldest_pending_s": oldest, "held_back": held, "paused": name == "a"}
        for name, (pending, oldest, held) in cases.items()
    ]
    page = lasting_dashboard.page
    intercept(page, "**/queues", lambda route: route.fulfill(json={"items": queues}))
    lasting_dashboard.open("/ui/queues?sort=pending")
    shown = page.locator("#rows tr:not(.unmatched) .name > a")
    expect(shown).to_have_text(["c", "a", "d", "b"])
    expect(page.locator("#summary")).to_have_text(
        "4 queues, sorted by pending jobs · 909 jobs are pending · 1 paused, with 7 pending jobs"
        " · 1 with jobs held back, 4 by quarantines"
    )
    for width in (1440, 1024, 768, 360):
        page.set_viewport_size({"width": width, "height": 900})
        page.get_by_role("button", name="queue", exact=True).click()
        expect(shown).to_have_text(["a", "b", "c", "d"])
        page.get_by_role("button", name="oldest due", exact=True).click()
        expect(shown).to_have_text(["d", "a", "c", "b"])
        page.get_by_role("button", name="live jobs", exact=True).click()
        expect(shown).to_have_text(["c", "a", "d", "b"])
    page.get_by_role("button", name="queue", exact=True).click()
    page.locator("#search").fill("paused")
    expect(page.locator("#summary")).to_have_text(
        "1 of 4 queues · 7 jobs are pending · 1 paused, with 7 pending jobs"
    )
    page.locator("#search").fill("neither")
    expect(page.locator("#summary")).to_have_text("0 of 4 queues")
