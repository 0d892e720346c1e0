"""What a row of a list of jobs says."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import ViewportSize, expect

from tests.browser.conftest import Dashboard
from tests.browser.interception import Route, intercept
from tests.browser.job_list import row, wait_submitted
from tests.browser.panel import ending, releases
from tests.browser.told_stream import Stream
from tests.machine import wait_until
from tests.variants import variants

PHONE: ViewportSize = {"width": 360, "height": 740}
PREVIEWS = [
    ('{"path":"a.png","width":640}', "path=a.png width=640"),
    ('{"a":1,"b":{"c":[1,"x,y"],"d":"}"},"e":"long', 'a=1 b={"c":[1,"x,y"],"d":"}"} e="long…'),
    ('{"a":1,"b":{"c":[1,2', 'a=1 b={"c":[1,2…'),
    ('{"a":"all of \\"it\\", is cut', 'a="all of \\"it\\", is cut…'),
    ('{"a":1,"b', "a=1 …"),
    ('{"a":12345678901234567890,"b":1', "a=12345678901234567890 b=1…"),
    ("[1,2,[3", "[1,2,[3"),
    (None, ""),
]


def test_a_preview_that_was_cut_off_reads_as_a_whole_one(lasting_dashboard: Dashboard) -> None:
    page = lasting_dashboard.open("/ui/jobs?tag=none")
    code = """async (json) => {
        const own = document.querySelector("script[type=module]").src;
        return (await import(own.replace("jobs.js", "preview.js"))).preview(json);
    }"""
    for json, text in PREVIEWS:
        assert page.evaluate(code, json) == text


SHOWS_TAGS = """cell => [...cell.querySelectorAll(".tags a")].every(
    (tag) => tag.getBoundingClientRect().right <= cell.getBoundingClientRect().right)"""
"""A tag that does not fit is not painted at all."""


def test_how_long_a_job_runs_and_its_tags_are_seen_at_every_width(
    lasting_dashboard: Dashboard,
) -> None:
    system = lasting_dashboard.system
    running = system.submit("sleep", {"seconds": 60}, tags=["a-" * 30, "runs"])
    stream = Stream(lasting_dashboard.page)
    page = lasting_dashboard.open("/ui/jobs?tag=runs")
    one = row(page, running)
    expect(one).to_have_attribute("data-status", "in_progress")
    slot = one.locator(".worker").text_content() or ""
    stream.workers = [ending(slot, running)]
    text = one.locator(".text")
    expect(text).to_have_text(re.compile(rf"^\d+ s left · {releases(slot)}$"))
    expect(text).to_have_attribute("title", re.compile(r"^\d+ s left$"))
    stream.workers = [ending(slot, running + 1)]
    expect(text).to_have_text(re.compile(r"^\d+ s left$"))
    for width in (1440, 1024, 768):
        page.set_viewport_size({"width": width, "height": 768})
        assert width == 768 or one.locator(".detail").evaluate(SHOWS_TAGS), f"tags at {width} px"
        expect(one.locator(".ran")).to_have_text(re.compile(r"^\d+ s$"))
        expect(one.locator(".ran")).to_be_visible()
        status = one.locator(".status")
        assert status.evaluate("one => one.scrollWidth <= one.clientWidth"), "it is cut"
    page.set_viewport_size(PHONE)
    assert one.locator(".detail").evaluate(SHOWS_TAGS)
    expect(one.locator(".ran")).to_be_visible()
    expect(one.locator(".when")).to_be_hidden()
    system.client.post(f"/jobs/{running}/cancel", json={})
    expect(one).to_have_attribute("data-status", "cancelled")
    expect(one.locator(".ran")).to_be_hidden()
    expect(one.locator(".when")).to_be_visible()


def test_what_was_cancelled_with_another_says_so(lasting_dashboard: Dashboard) -> None:
    system = lasting_dashboard.system
    failing = {"failures": 1, "permanent": True}
    failed = system.submit("flaky", failing, tags=["chain"])
    waiting = system.submit("sum_range", {"n": 1}, tags=["chain"], depends_on=[failed])
    system.wait_for_job(waiting)
    page = lasting_dashboard.open("/ui/jobs?tag=chain")
    expect(row(page, waiting).locator(".detail")).to_contain_text(f"job {failed} is failed")


LONG = "sync_warehouse_inventory_with_external_ids"
CUT = """cell => [...cell.querySelectorAll("a"), cell].some(
    (one) => one.scrollWidth > one.clientWidth && getComputedStyle(one).overflowX !== "visible")"""
FITS = """(cell, text) => {
    (cell.firstElementChild ?? cell).textContent = text;
    return cell.scrollWidth <= cell.clientWidth;
}"""


def told_jobs(dashboard: Dashboard, path: str, submit: Callable[[], list[int]]) -> list[int]:
    """Submit jobs while the page is open, and return them once it has been told how they are now.

    An event that is still to come would put the real job in the place of a made-up answer.
    """
    stream = Stream(dashboard.page)
    page = dashboard.open(path)
    jobs = submit()
    now = {job: dashboard.system.get(f"/jobs/{job}")["status"] for job in jobs}

    def are_told() -> bool:
        page.title()  # meanwhile, the stream is passed on
        told = {one["job"]["id"]: one["job"]["status"] for one in stream.events if "job" in one}
        return now.items() <= told.items()

    wait_until(are_told, "the page to be told of the jobs")
    return jobs


def test_a_job_held_back_is_not_said_to_be_retried_now_and_one_died_unseen_did_not_run_on(
    lasting_dashboard: Dashboard,
) -> None:
    system, page = lasting_dashboard.system, lasting_dashboard.page
    tags = ["held-back"]
    due, dead = told_jobs(
        lasting_dashboard,
        "/ui/jobs?tag=held-back",
        lambda: [system.submit("sum_range", {"n": n}, delay="1h", tags=tags) for n in (1, 2)],
    )
    error = {"type": "WorkerCrashed", "message": "killed by SIGKILL", "traceback": None}
    changes: dict[int, dict[str, Any]] = {
        due: {"run_at": "2026-01-02T03:04:05.678Z", "error": error, "attempt": 1},
        dead: {
            "status": "failed",
            "started_at": "2026-01-02T03:04:05.000Z",
            "ran_until": "2026-01-02T03:04:40.000Z",
            "finished_at": "2026-01-02T11:04:40.000Z",  # when it was found
        },
    }

    def change(route: Route) -> None:
        answer = route.fetch()
        items = [{**one, **changes[one["id"]]} for one in answer.json()["items"]]
        route.fulfill(response=answer, json={**answer.json(), "items": items})

    intercept(page, "**/jobs?**", change)
    lasting_dashboard.open("/ui/jobs?tag=held-back")
    told = "due, after WorkerCrashed: killed by SIGKILL"
    expect(row(page, due).locator(".detail .text")).to_have_text(told)
    expect(row(page, dead).locator(".ran")).to_have_text("35 s")
    for job in (due, dead):
        system.client.post(f"/jobs/{job}/cancel")


# A row says the same on both pages.
@pytest.mark.parametrize(
    "path", variants(["/ui/jobs?tag=of-held-type", "/"], "/ui/jobs?tag=of-held-type")
)
def test_a_job_that_a_quarantine_holds_back_is_not_said_to_be_due(
    lasting_dashboard: Dashboard, path: str
) -> None:
    system, page = lasting_dashboard.system, lasting_dashboard.page
    tags = ["of-held-type"]
    first, again = told_jobs(
        lasting_dashboard,
        path,
        lambda: [system.submit("sum_range", {"n": n}, delay="1h", tags=tags) for n in (1, 2)],
    )
    error = {"type": "WorkerCrashed", "message": "killed by SIGKILL", "traceback": None}
    held = ["sum_range"]

    def hold(route: Route) -> None:
        answer = route.fetch()
        items = [
            {**one, "run_at": "2026-01-02T03:04:05.678Z"}
            | ({"error": error, "attempt": 1} if one["id"] == again else {})
            for one in answer.json()["items"]
        ]
        body = {**answer.json(), "items": items, "quarantined": held}
        route.fulfill(response=answer, json=body)

    intercept(page, "**/jobs?**", hold)
    lasting_dashboard.open(path)
    told = "held back: quarantined, after WorkerCrashed: killed by SIGKILL"
    expect(row(page, again).locator(".detail .text")).to_have_text(told)
    expect(row(page, first).locator(".detail .text")).to_have_text(
        re.compile("^held back: quarantined · ")
    )
    for job in (first, again):
        system.client.post(f"/jobs/{job}/cancel")


@pytest.mark.parametrize("path", ["/ui/jobs?tag=wide-row", "/"])
def test_no_figure_of_a_row_is_cut_and_a_long_type_is_whole_on_a_phone_and_else_in_one_line(
    lasting_dashboard: Dashboard, fail: Callable[..., list[int]], path: str
) -> None:
    page = lasting_dashboard.page

    def rename(route: Route) -> None:
        answer = route.fetch()
        items = [{**one, "type": LONG} for one in answer.json()["items"]]
        route.fulfill(response=answer, json={**answer.json(), "items": items})

    (failed,) = told_jobs(lasting_dashboard, path, lambda: fail(1, "wide-row"))
    intercept(page, "**/jobs?**", rename)
    lasting_dashboard.open(path)
    one = row(page, failed)
    name = one.locator(".type")
    expect(name).to_have_text(LONG)
    height = "cell => cell.getBoundingClientRect().height"
    longest = {
        ".ran": ["49 min 59 s", "23 h 59 min"],
        ".wait": ["23 h 59 min"],
        ".when": ["23 h 59 min ago"],
        ".id": ["1234567"],
    }
    for width in (1440, 1280, 1024, 840, 768):
        page.set_viewport_size({"width": width, "height": 768})
        if width == 1024:
            assert name.evaluate(height) < 40
        for column, texts in longest.items():
            for text in texts:
                assert one.locator(column).evaluate(FITS, text), f"{text} at {width}"
    page.set_viewport_size(PHONE)
    assert not name.evaluate(CUT)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_blocked_job_says_after_which_jobs_it_runs(
    lasting_dashboard: Dashboard, held: str
) -> None:
    system = lasting_dashboard.system
    first = [wait_submitted(system, held, "before") for _ in range(5)]
    by_number = {}
    for number in (1, 2, 5):
        by_number[number] = system.submit("sum_range", {"n": 7}, depends_on=first[:number])
    page = lasting_dashboard.open("/ui/jobs?status=blocked")
    a, b, c = first[:3]
    for number, words in (
        (1, f"after job {a} · n=7"),
        (2, f"after jobs {a} and {b} · n=7"),
        (5, f"after jobs {a}, {b}, {c} and 2 more · n=7"),
    ):
        expect(row(page, by_number[number]).locator(".detail .text")).to_have_text(words)
