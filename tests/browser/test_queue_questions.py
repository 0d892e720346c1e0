"""What the question before a queue is paused or resumed says, also while others are quicker."""

import re
from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import Dashboard, some_queue
from tests.browser.kept_queues import (  # noqa: F401 - fixtures
    MadeUpQueues,
    kept_queues,
    lent_queues,
)


def test_an_open_question_notices_that_somebody_else_has_paused_the_queue(
    lasting_dashboard: Dashboard,
) -> None:
    page, client = lasting_dashboard.page, lasting_dashboard.system.client
    lasting_dashboard.system.submit("sum_range", {"n": 1}, queue="twice")
    lasting_dashboard.open("/ui/queues")
    page.get_by_label("Pause twice", exact=True).click()
    text = page.locator("#confirm-text")
    expect(text).to_contain_text("No job of it starts until it is resumed")
    client.post("/queues/twice/pause", json={"reason": "the other was first"})
    expect(text).to_contain_text(
        re.compile(
            r"^It is paused by now by api:127\.0\.0\.1 .*: the other was first\. To pause it"
        )
    )
    page.keyboard.press("Enter")
    expect(page.locator("#confirm")).to_be_hidden()
    expect(page.locator("#queue-twice .paused")).to_contain_text("other was first")
    page.get_by_label("Resume twice", exact=True).click()
    expect(text).to_contain_text(
        re.compile(r"^It was paused by api:127\.0\.0\.1 .*: the other was first\.\s*Workers start")
    )
    page.locator("#confirm-yes").focus()
    client.post("/queues/twice/resume")
    expect(text).to_have_text("Somebody else has resumed it meanwhile.")
    expect(page.locator("#confirm-yes")).to_be_disabled()
    expect(page.get_by_role("button", name="Do nothing")).to_be_focused()
    client.post("/queues/twice/pause", json={})
    expect(page.locator("#confirm-yes")).to_be_enabled()
    client.post("/queues/twice/resume")
    expect(page.locator("#confirm-yes")).to_be_disabled()
    page.keyboard.press("Escape")
    client.post("/queues/without-jobs/pause", json={})
    page.get_by_label("Resume without-jobs", exact=True).click()
    client.post("/queues/without-jobs/resume")
    expect(text).to_have_text("Somebody else has resumed it meanwhile.")
    page.keyboard.press("Escape")


def test_the_question_before_a_resume_says_whether_anything_would_start(
    made_up: MadeUpQueues,
) -> None:
    none, unready = {"workers": 0, "ready": 0}, {"workers": 2, "ready": 0}
    until = "so none of its jobs starts until"
    cases: list[tuple[list[dict[str, Any]], str]] = [
        ([], f"No pool serves it, {until} one does: 3 pending jobs."),
        (
            [{"name": "a", **none}],
            f"There are no workers in pool a, {until} there is one: 3 pending jobs.",
        ),
        (
            [{"name": "A", **none}, {"name": "b", **none}],
            f"There are no workers in pools A, b, {until} there is one: 3 pending jobs.",
        ),
        (
            [{"name": "A", **unready}, {"name": "b", **none}],
            "No worker of pools A, b is ready, so its jobs start when one is: 3 pending jobs.",
        ),
        (
            [{"name": "a", **none}, {"name": "b", "workers": 2, "ready": 1}],
            "Workers start its jobs again: 3 pending jobs.",
        ),
    ]
    one = some_queue()
    one |= {"paused": True, "counts": one["counts"] | {"pending": 3}}
    queues = [{**one, "name": f"q{n}", "pools": pools} for n, (pools, _) in enumerate(cases)]
    page = made_up.show(*queues)
    for n, (_, text) in enumerate(cases):
        page.get_by_label(f"Resume q{n}", exact=True).click()
        expect(page.locator("#confirm-text")).to_have_text(text)
        page.keyboard.press("Escape")


def test_a_paused_queue_tells_how_many_of_its_jobs_are_due_and_when_the_next_is(
    made_up: MadeUpQueues,
) -> None:
    cases: list[tuple[dict[str, int | None], str]] = [
        ({"due": 0, "next_due_s": 6_780}, "none is due now, the first in 1 h 53 min"),
        ({"due": 2, "next_due_s": 6_780}, "2 due, the next in 1 h 53 min"),
        ({"due": 2, "next_due_s": None}, "2 due"),
        ({"due": 5, "next_due_s": None}, ""),
    ]
    one = some_queue()
    pools = [{"name": "a", "workers": 1, "ready": 1, "free": 1}]
    one |= {"paused": True, "counts": one["counts"] | {"pending": 5}, "pools": pools}
    queues = [{**one, "name": f"q{n}", **its} for n, (its, _) in enumerate(cases)]
    page = made_up.show(*queues)
    for n, (_, told) in enumerate(cases):
        lines = page.locator(f"#queue-q{n} .backlog div div")
        expect(lines).to_have_text(["paused", told] if told else ["paused"])
        page.get_by_label(f"Resume q{n}", exact=True).click()
        also = f" ({told})" if told else ""
        text = f"Workers start its jobs again: 5 pending jobs{also}."
        expect(page.locator("#confirm-text")).to_have_text(text)
        page.keyboard.press("Escape")


def test_the_numbers_of_an_open_question_follow_its_queue(lasting_dashboard: Dashboard) -> None:
    page, system = lasting_dashboard.page, lasting_dashboard.system
    system.client.post("/queues/counted/pause")
    for _ in range(2):
        system.submit("sum_range", {"n": 1}, queue="counted")
    lasting_dashboard.open("/ui/queues")
    page.get_by_label("Resume counted", exact=True).click()
    text = page.locator("#confirm-text")
    expect(text).to_contain_text("Workers start its jobs again: 2 pending jobs")
    system.submit("sum_range", {"n": 1}, queue="counted")
    expect(text).to_contain_text("Workers start its jobs again: 3 pending jobs")
    page.locator("#confirm-yes").click()
    expect(page.get_by_label("Pause counted", exact=True)).to_be_visible()
