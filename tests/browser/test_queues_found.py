"""How a queue is found among many: the search and the order of the page of queues."""

from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import Dashboard, some_queue
from tests.browser.interception import intercept
from tests.browser.kept_queues import (  # noqa: F401 - fixtures
    MadeUpQueues,
    kept_queues,
    lent_queues,
)

AWAY = "pool gpu is scaled to 0 by cli:ada 5 min ago (new disks)"
DRAIN = {"seconds": 900, "with_more": []}
HYBRID = "no worker of pool gpu is ready, the others run other jobs"
HELD = {"type": "resize", "jobs": 4, "relation": "eq", "oldest_s": 47_430}
MANY_HELD = {"type": "crop", "jobs": 1_000, "relation": "gte", "oldest_s": 60}


def test_queues_are_searched_by_their_state_and_their_pools_too(
    made_up: MadeUpQueues,
) -> None:
    one = some_queue()
    pool = {"workers": 2, "ready": 2}
    pause = {"by": "cli:ada", "reason": "a release; ticket OPS-1234", "at": None}
    waits = {"due": 3, "counts": {**one["counts"], "pending": 3}}
    one |= {"pools": [{"name": "common", **pool}]}
    queues = [
        {**one, "name": "one", "paused": True, "pause": pause},
        {**one, "name": "two", "pools": []},
        {**one, "name": "three", "held_back": [HELD]},
        {**one, "name": "four", "pools": [{"name": "films", **pool}]},
        {**one, **waits, "name": "five", "none_starts": "no worker is ready", "unready": AWAY},
        {**one, **waits, "name": "six", "none_starts": "its workers run other jobs"},
    ]
    page = made_up.show(*queues)
    for text, found in {
        "paused": "one",
        "no pool": "two",
        "held back": "three",
        "film": "four",
        "our": "four",
        "OPS-1234": "one",
        "no worker": "five",
        "new disks": "five",
        "other jobs": "six",
    }.items():
        page.locator("#search").fill(text)
        expect(page.locator("#rows tr:not(.unmatched)")).to_have_attribute("id", f"queue-{found}")


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


def test_queues_in_trouble_are_counted_on_top_and_found_by_a_click(
    made_up: MadeUpQueues,
) -> None:
    one = some_queue()
    one |= {"due": 3, "counts": {**one["counts"], "pending": 3}}
    queues = [
        {**one, "name": "well"},
        {**one, "name": "lonely", "pools": [], "none_starts": "no pool serves it"},
        {**one, "name": "away", "none_starts": "no worker is ready", "unready": AWAY},
        {**one, "name": "late", "starved": True, "none_starts": "its workers run other jobs"},
        {**one, "name": "slow", "drain": DRAIN, "slowed": "its workers run mostly other jobs"},
        {**one, "name": "shut", "paused": True, "pools": [], "none_starts": "it is paused"},
        {**one, "name": "hybrid", "starved": True, "none_starts": HYBRID, "unready": AWAY},
        {**one, "name": "paused-never", "held_back": [HELD, MANY_HELD], "due": 0},
    ]
    page = made_up.show(*queues)
    held = ", with 3 pending jobs"
    counted = f"1 paused{held} · 1 without a pool{held} · 1 without a ready worker{held}"
    counted += (
        " · 2 starved, with 6 pending jobs · 1 with jobs held back, at least 1,004 by quarantines"
    )
    expect(page.locator("#summary")).to_have_text(f"8 queues · 24 jobs are pending · {counted}")
    for link, found in {
        "1 paused": ["shut"],
        "1 with jobs held back": ["paused-never"],
        "1 without a pool": ["lonely"],
        "1 without a ready worker": ["away"],
        "2 starved": ["late", "hybrid"],
    }.items():
        page.get_by_role("link", name=link).click()
        expect(page.locator("#rows tr:not(.unmatched) .name > a")).to_have_text(sorted(found))
        page.locator("#search").fill("")
    page.locator("#search").fill("starved")
    expect(page.locator("#rows tr:not(.unmatched)")).to_have_count(2)
    assert made_up.dashboard.never_reloaded()


def test_in_a_narrow_table_who_serves_a_queue_stands_below_its_limits(
    made_up: MadeUpQueues,
) -> None:
    one = some_queue()
    one |= {"due": 3, "counts": {**one["counts"], "pending": 3}, "oldest_pending_s": 60}
    one |= {"pools": [{"name": "default", "workers": 2, "ready": 2, "free": 0}]}
    long = {"seconds": 900, "with_more": [{"more_workers": 1, "seconds": 500}]}
    queues = [
        {**one, "name": "short", "paused": True},
        {**one, "name": "long", "drain": long, "grows_per_minute": -4, "held_back": [HELD]},
    ]
    page = made_up.show(*queues)
    page.set_viewport_size({"width": 1024, "height": 900})
    offsets = page.locator("#rows tr").evaluate_all(
        "rows => rows.map((row) => row.querySelector('td.pools').getBoundingClientRect().top"
        " - row.querySelector('td.limits').getBoundingClientRect().bottom)"
    )
    assert [0 <= offset < 8 for offset in offsets] == [True, True], offsets
