"""While the rows of a list stand still, the page looks up how many jobs match and what is new."""

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard
from tests.browser.job_list import row, rows, wait_submitted
from tests.browser.told_stream import Stream


def drawn(page: Page) -> None:
    """Wait until what has come is shown."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")


def test_the_total_follows_while_the_rows_stand_still_under_the_pointer(
    lasting_dashboard: Dashboard,
) -> None:
    system = lasting_dashboard.system
    failing: dict[str, Any] = {"max_retries": 0, "queue": "again", "tags": ["again"]}
    failed = [system.submit("flaky", {"failures": 9}, **failing) for _ in range(2)]
    for one in failed:
        system.wait_for_job(one)
    page = lasting_dashboard.open("/ui/jobs?tag=again&status=failed")
    rows(page).first.hover()
    system.client.post("/queues/again/pause", json={})
    for one in failed:
        system.client.post(f"/jobs/{one}/retry", json={})
    total = page.locator("#total")
    expect(total).to_have_text("0 jobs match")
    system.client.post("/queues/again/resume")
    expect(total).to_have_text("2 jobs match")


def test_what_a_summary_leaves_open_is_looked_up_and_nothing_new_is_not_called_new(
    lasting_dashboard: Dashboard, held: str
) -> None:
    system = lasting_dashboard.system
    wait_submitted(system, held, "left-open")
    stream = Stream(lasting_dashboard.page)
    page = lasting_dashboard.open("/ui/jobs?tag=left-open")
    rows(page).first.hover()
    new = page.locator("#new")
    with page.expect_response(re.compile(r"/jobs\?.*tag=left-open")):
        stream.tell(counts={"job.enqueued": {"sum_range": 1}})
    drawn(page)
    expect(new).to_have_text("0 new")
    stream.is_silent = True
    wait_submitted(system, held, "left-open")
    stream.tell(counts={"job.enqueued": {"sum_range": 1}})
    expect(new).to_have_text("1 new")
    new.press("Enter")  # with the pointer on its way, the list may show it by itself
    expect(rows(page)).to_have_count(2)


def test_older_jobs_that_move_up_are_not_called_new_and_the_list_is_read_again(
    lasting_dashboard: Dashboard, fail: Callable[..., list[int]]
) -> None:
    system = lasting_dashboard.system
    ids = fail(60, "moves-up")
    stream = Stream(lasting_dashboard.page)
    page = lasting_dashboard.open("/ui/jobs?tag=moves-up")
    expect(rows(page)).to_have_count(50)
    rows(page).first.hover()
    stream.is_silent = True
    shown = {"action": "delete", "filter": {"ids": ids[10:]}}
    assert system.client.post("/jobs/bulk", json=shown).json()["changed"] == 50
    stream.tell(counts={"job.done": {"flaky": 50}})
    expect(page.locator("#total")).to_have_text("10 jobs match")
    drawn(page)
    expect(page.locator("#new")).to_have_text("0 new")
    page.mouse.move(2, 2)
    stream.tell(counts={"job.done": {"flaky": 1}})
    expect(rows(page)).to_have_count(10)
    expect(row(page, ids[9])).to_be_visible()


def test_a_list_is_looked_up_again_only_after_another_summary(
    lasting_dashboard: Dashboard,
) -> None:
    page = lasting_dashboard.open("/ui/jobs")
    code = """async () => {
        const own = document.querySelector("script[type=module]").src;
        const { Filling } = await import(own.replace("jobs.js", "filling.js"));
        const catchUp = { summaries: 1 }, filling = new Filling({ catchUp, filter: {} });
        let looks = 0;
        filling.soon = () => { looks++; };
        const look = () => { filling.lookedAt = -Infinity; filling.look(); return looks; };
        const first = look();
        filling.seen = 1;
        const second = look();
        catchUp.summaries = 2;
        return [first, second, look()];
    }"""
    assert page.evaluate(code) == [1, 1, 2]
