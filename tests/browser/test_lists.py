"""What the pages of queues, schedules, types, errors and the audit log have in common."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard
from tests.browser.examine import examine
from tests.browser.interception import Handler, Route, intercept
from tests.variants import variants

LISTS = {"queues": "q", "schedules": "s", "types": "t", "errors": "e", "audit": "a"}
WIDTHS = [360, 390, 760, 761, 900, 1000, 1279, 1280, 1400, 1920]
LONG = "a_name_as_long_as_one_may_be_which_is_sixty-four_characters.1234"
AT = "2026-01-31T12:00:00.000Z"
MANY = 98_765_432
OVERPRINTED = """() => [...document.querySelectorAll(".list :is(td, th)")].filter((cell) => {
    const box = cell.getBoundingClientRect(), text = document.createRange();
    text.selectNodeContents(cell);
    return [...text.getClientRects()].some(({ left, right }) =>
        left < box.left - 1 || right > box.right + 1);
}).map((cell) => `${cell.className}: ${cell.textContent}`)"""
COUNTS = dict.fromkeys(["blocked", "pending", "in_progress", "done", "failed", "cancelled"], MANY)
TIMES = {"p50": 0.0123, "p95": 59_000.0, "p99": 190_000.0}
EXTREME: dict[str, list[dict[str, Any]]] = {
    "/queues": [
        {
            "name": LONG,
            "paused": None,
            "counts": COUNTS,
            "due": MANY,
            "oldest_due_s": 9_000_000,
            "in_per_minute": 1e6,
            "out_per_minute": 1e6,
            "limits": {
                "max_running": 100_000,
                "rate": "100000/m",
                "burst": 10_000,
                "max_running_per_key": 1000,
                "rate_per_key": "100000/m",
            },
            "pools": [{"name": LONG.lower(), "workers": 1000, "ready": 1000}],
            "reason": {
                "code": "no_worker",
                "text": f"no worker of pool {LONG.lower()} is ready: {'because ' * 40}",
                "until": None,
                "by": f"pool {LONG.lower()}",
            },
            "empty_in_s": 1e6,
            "empty_in_s_with": {"1": 1e5, "3": 1e4},
        }
    ],
    "/schedules": [
        {
            "name": LONG,
            "type": LONG,
            "cron": "0,1,2,3,4,5 0,1,2,3,4,5,6 1-31 */2 MON,TUE,WED",
            "every": None,
            "timezone": "America/Argentina/ComodRivadavia",
            "paused": True,
            "pause": {"by": "cli:ada", "reason": "because " * 40, "at": AT},
            "last_run": AT,
            "last_job": 1_000_000_000,
            "next_runs": [f"2027-01-3{day}T12:34:56.000Z" for day in (1, 1, 1, 1, 1)],
            "in_words": "Every minute past hours 1, 2, 3 and 4 on Monday, " * 4,
            "queue": LONG,
            "last_result": {"status": "failed", "ran_s": 1e6, "error": "An" + "Error" * 40},
            "last_runs": [
                {"job": 10**9 - n, "at": AT, "status": "failed", "ran_s": 1e6, "error": LONG}
                for n in range(5)
            ],
            "tag": LONG,
            "missed": AT,
        }
    ],
    "/types": [
        {
            "name": LONG,
            "description": "It does a lot. " * 20,
            "schema": {"properties": {LONG: {"type": "string", "default": LONG}}},
            "defaults": {"queue": LONG, "max_retries": 3, "timeout": 900},
        }
    ],
    "/stats/types": [
        {
            "name": LONG,
            "ended": dict.fromkeys(["succeeded", "failed", "timed_out", "crashed"], MANY),
            "run_s": TIMES,
            "wait_s": TIMES,
            "cpu_s": TIMES,
            "cpu_total_s": 1e8,
            "max_rss_bytes": 2**40,
            "last_hour": {"done": MANY, "failed": MANY, "cancelled": MANY},
        }
    ],
    "/errors": [
        {
            "type": LONG,
            "error": "An" + "Error" * 40,
            "where": f"{LONG}.py:12345 in {LONG}",
            "count": MANY,
            "last_hour": MANY,
            "hour_before": MANY,
            "first_seen": AT,
            "last_seen": AT,
            "newest": 1_000_000_000,
            "message": "it is full " * 45,
            "messages": 10,
            "max_id": 2**53,
        }
    ],
    "/audit": [
        {
            "id": 1,
            "at": AT,
            "by": "cli:" + LONG,
            "action": "configure",
            "target": f"jobs with status=failed, type={LONG}, queue={LONG}, id<={2**53}",
            "count": MANY,
            "reason": "because" * 60,
            "before": f"version {2**53}",
            "after": f"version {2**53}: {LONG}, {LONG}",
        },
        {
            "id": 2,
            "at": AT,
            "by": "cli:ada",
            "action": "delete",
            "target": "jobs " + ", ".join(map(str, range(2**53, 2**53 + 20))),
            "count": MANY,
            "reason": None,
            "before": None,
            "after": None,
        },
    ],
}


def answer_lists(dashboard: Dashboard, answer: Handler) -> None:
    """Answer all that these pages read of the API."""
    for path in EXTREME:
        for query in ("", "?**"):
            intercept(dashboard.page, f"{dashboard.system.url}{path}{query}", answer)


@pytest.fixture
def extreme(lasting_dashboard: Dashboard) -> Dashboard:
    """A page whose lists have the longest names and numbers."""

    def answer(route: Route) -> None:
        path = re.sub(r"\?.*", "", route.request.url.removeprefix(lasting_dashboard.system.url))
        route.fulfill(json={"items": EXTREME[path], "next_cursor": None})

    answer_lists(lasting_dashboard, answer)
    return lasting_dashboard


def opened(dashboard: Dashboard, name: str) -> Page:
    page = dashboard.open(f"/ui/{name}")
    page.locator("#rows tr:not(.skeleton)").first.wait_for()
    return page


@pytest.mark.parametrize("name", LISTS)
def test_however_wide_the_window_is_everyone_can_read_and_press_all_of_a_list(
    extreme: Dashboard, name: str
) -> None:
    """A finger finds what it presses, nothing is printed over anything else, axe finds nothing."""
    extreme.page.set_viewport_size({"width": 390, "height": 844})
    page = opened(extreme, name)
    pressed = page.locator("main button:visible, main input:visible, .sections a, .button:visible")
    heights = pressed.evaluate_all("all => all.map((one) => one.getBoundingClientRect().height)")
    assert heights
    assert min(heights) >= 44
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
        assert page.evaluate(OVERPRINTED) == [], width
    unfold(page)
    examine(page)


@pytest.mark.parametrize("name", variants(LISTS, "types", "queues", "errors"))
def test_axe_finds_nothing_in_a_list_on_a_phone(extreme: Dashboard, name: str) -> None:
    page = opened(extreme, name)
    unfold(page)
    page.set_viewport_size({"width": 360, "height": 740})
    examine(page)


def unfold(page: Page) -> None:
    """Show all that a wide list has."""
    page.set_viewport_size({"width": 1400, "height": 900})
    for fold in page.get_by_label(re.compile("^Fields of")).all():
        fold.click()


def test_each_page_is_a_link_and_two_keys_away(lasting_dashboard: Dashboard) -> None:
    page = lasting_dashboard.open()
    for name, key in LISTS.items():
        page.keyboard.type(f"g{key}")
        page.wait_for_url(f"**/ui/{name}")
        page.locator("#connection[data-state=live]").wait_for()
        current = page.locator(".sections [aria-current]")
        expect(current).to_have_attribute("href", f"/ui/{name}")
        page.keyboard.press("?")
        keys = page.locator("#help .keys div", has_text=re.compile(rf"^\s*g\s*{key}\s*go to the"))
        expect(keys).to_be_visible()
        page.keyboard.press("Escape")


def test_nothing_moves_under_the_pointer_and_a_search_finds_a_row(
    lasting_dashboard: Dashboard,
) -> None:
    """The queues are made up: no job of another test waits, which would make a row higher."""
    page = lasting_dashboard.page
    names = ["found.b", "found.c"]

    def answer(route: Route) -> None:
        route.fulfill(json={"items": [EXTREME["/queues"][0] | {"name": name} for name in names]})

    intercept(page, "**/queues", answer)
    opened(lasting_dashboard, "queues")
    row = page.locator("[id='queue-found.b']")
    row.hover()
    before = row.bounding_box()
    names.insert(0, "found.a")
    new = page.locator("[id='queue-found.a']")
    expect(page.locator("#rows tr").last).to_have_id("queue-found.a")
    assert row.bounding_box() == before
    page.locator("h1").hover()
    expect(page.locator("[id='queue-found.a'] + tr")).to_have_id("queue-found.b")
    page.keyboard.press("/")
    page.keyboard.type("found.C")
    expect(new).to_be_hidden()
    expect(page.locator("[id='queue-found.c']")).to_be_visible()
    page.keyboard.type(" but no such queue")
    expect(page.locator("#no-match")).to_have_text("Nothing here contains this text.")
    search = page.locator("#search")
    search.fill("")
    expect(row).to_be_visible()
    # The Escape that ends the writing of a character is not one that empties the search.
    search.fill("漢")
    search.dispatch_event("keydown", {"key": "Escape", "isComposing": True, "bubbles": True})
    expect(search).to_have_value("漢")
    expect(search).to_be_focused()


def test_without_anything_each_page_says_what_will_be_there(lasting_dashboard: Dashboard) -> None:
    page = lasting_dashboard.page
    nothing: dict[str, Any] = {"items": [], "next_cursor": None}
    answer_lists(lasting_dashboard, lambda route: route.fulfill(json=nothing))
    for name in LISTS:
        lasting_dashboard.open(f"/ui/{name}")
        expect(page.locator("#none")).to_be_visible()
        expect(page.locator("#rows tr")).to_have_count(0)
