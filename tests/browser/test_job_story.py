"""The attempts of a job on its page: the timeline and the errors."""

import re
from datetime import datetime, timedelta
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.interception import intercept
from tests.machine import wait_until

BACKGROUND = "one => getComputedStyle(one).backgroundColor"


def test_a_job_of_many_attempts_folds_those_in_the_middle(lasting_dashboard: Any) -> None:
    system, page = lasting_dashboard.system, lasting_dashboard.page
    job_id = system.submit("flaky", {"failures": 1}, max_retries=1)
    job = system.wait_for_job(job_id)
    failed, succeeded = job["attempts"]
    attempts = [failed | {"number": number} for number in range(1, 60)]
    many = job | {"attempts": [*attempts, succeeded | {"number": 60}]}
    intercept(page, f"**/jobs/{job_id}", lambda route: route.fulfill(json=many))
    lasting_dashboard.open(f"/ui/jobs/{job_id}")
    numbers = page.locator("#timeline .span .number")
    expect(numbers).to_have_text(["1", "56", "57", "58", "59", "60"])
    fold = page.locator("#timeline summary")
    expect(fold).to_have_text("attempts 2 to 55: 54 failed")
    fold.click()
    expect(numbers).to_have_count(60)
    expect(numbers.nth(1)).to_have_text("2")
    fold.click()
    expect(numbers).to_have_count(6)
    errors = page.locator("#errors .error")
    expect(errors).to_have_count(5)
    page.get_by_text("54 older errors").click()
    expect(errors).to_have_count(59)


def answer(page: Page, job_id: int, job: dict[str, Any]) -> None:
    intercept(page, f"**/jobs/{job_id}", lambda route: route.fulfill(json=job))


def snoozed_job(system: Any) -> dict[str, Any]:
    """Return a job whose first attempt has snoozed."""
    job_id = system.submit("nap", {"minutes": 30})

    def snoozed() -> dict[str, Any] | None:
        job: dict[str, Any] = system.get(f"/jobs/{job_id}")
        return job if job["attempt"] and job["status"] == "pending" else None

    found: dict[str, Any] = wait_until(snoozed, "a snooze")
    return found


def test_of_attempts_beyond_those_that_are_kept_the_number_is_told_and_a_fold_stays_open(
    lasting_dashboard: Any,
) -> None:
    system, page = lasting_dashboard.system, lasting_dashboard.page
    job = snoozed_job(system)
    job_id = job["id"]
    snoozed = job["attempts"][0]

    def kept(first: int) -> dict[str, Any]:
        attempts = [snoozed | {"number": number} for number in range(first, first + 30)]
        return job | {"attempt": first + 29, "attempts": attempts}

    answer(page, job_id, kept(1894))
    lasting_dashboard.open(f"/ui/jobs/{job_id}")
    parts = page.locator("#timeline > *")
    expect(parts.first).to_have_text("attempts 1 to 1893 are no longer kept")
    expect(parts.nth(1)).to_contain_text("1894snoozedran ")  # since when it waited is not known
    number, outcome = (page.locator(f"#timeline .{name}").last for name in ("number", "outcome"))
    text_end = number.evaluate(
        "node => { const text = document.createRange(); text.selectNodeContents(node);"
        " return text.getBoundingClientRect().right; }"
    )
    assert outcome.bounding_box()["x"] - text_end > 4
    fold = page.locator("#timeline details")
    fold.locator("summary").click()
    expect(fold.locator(".span")).to_have_count(25)
    answer(page, job_id, kept(1895))
    system.client.post(f"/jobs/{job_id}/cancel")  # an event: the page reads the job again
    expect(parts.first).to_have_text("attempts 1 to 1894 are no longer kept")
    expect(fold.locator("summary")).to_have_text("attempts 1896 to 1920: 25 snoozed")
    expect(fold.locator(".span")).to_have_count(25)


def test_what_waits_for_a_worker_after_a_snooze_is_not_called_snoozed(
    lasting_dashboard: Any,
) -> None:
    system, page = lasting_dashboard.system, lasting_dashboard.page
    job = snoozed_job(system)
    job_id = job["id"]
    # Some minutes ago, by the clock of the server: the page follows it.
    ended = datetime.fromisoformat(job["attempts"][0]["finished_at"]) - timedelta(minutes=2)

    def after(seconds: float) -> str:
        return (ended + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")

    job["attempts"][0] |= {"started_at": after(-1), "finished_at": after(0)}
    job |= {"created_at": after(-2), "freed_at": None}
    second = job["attempts"][0] | {"number": 2, "started_at": after(33), "finished_at": after(34)}
    attempts = [*job["attempts"], second]
    late = job | {"attempt": 2, "run_at": after(36), "attempts": attempts}
    started = {"seq": 1, "at": after(33), "kind": "job.started"}
    event = started | {"job": job | {"attempt": 2, "run_at": after(0.2)}}
    intercept(
        page, f"**/jobs/{job_id}/events?*", lambda route: route.fulfill(json={"items": [event]})
    )
    answer(page, job_id, late)
    lasting_dashboard.open(f"/ui/jobs/{job_id}")
    facts = page.locator("#timeline .span-facts")
    expect(facts.nth(1)).to_contain_text("snoozed 200 ms · waited 33 s · ran 1.0 s")
    expect(facts.nth(2)).to_have_text(re.compile(r"^snoozed 2\.0 s · waited \d"))
    page.get_by_role("button", name="Cancel …").click()
    expect(page.get_by_role("dialog")).to_contain_text("will not run again")


def test_a_job_that_is_done_shows_no_share_of_its_work_and_its_worker_leads_to_the_overview(
    lasting_dashboard: Any,
) -> None:
    system, page = lasting_dashboard.system, lasting_dashboard.page
    job_id = system.submit("step")
    job = system.wait_for_job(job_id) | {"progress": 0.983, "message": "1,200 rows"}
    intercept(page, f"**/jobs/{job_id}", lambda route: route.fulfill(json=job))
    lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("#details > div", has_text="last message")).to_contain_text("1,200 rows")
    expect(page.locator("#progress")).to_be_hidden()
    address = f"/#slot-{job['worker']}"
    links = page.get_by_role("link", name=job["worker"], exact=True)
    expect(links).to_have_count(2)  # of its attempt, and in the details
    expect(links.first).to_have_attribute("href", address)
    links.last.click()
    expect(page).to_have_url(re.compile(re.escape(address) + "$"))
    row: Any = page.locator(f"#slot-{job['worker']}")
    expect(row).to_be_in_viewport()
    other = page.locator(f"#slots .slot:not(.head, #slot-{job['worker']})").first
    plain = other.evaluate(BACKGROUND)
    expect(row).not_to_have_css("background-color", plain)  # it is told from the others


def test_what_let_an_attempt_start_stands_before_it_even_in_the_same_millisecond(
    lasting_dashboard: Any,
) -> None:
    system, page = lasting_dashboard.system, lasting_dashboard.page
    job_id = system.submit("step", depends_on=[system.submit("step")])
    job = system.wait_for_job(job_id)
    events = system.get(f"/jobs/{job_id}/events")["items"]
    unblocked = next(one["at"] for one in events if one["kind"] == "job.unblocked")
    job["attempts"][0]["started_at"] = unblocked
    intercept(page, f"**/jobs/{job_id}", lambda route: route.fulfill(json=job))
    lasting_dashboard.open(f"/ui/jobs/{job_id}")
    parts = page.locator("#timeline > div")
    expect(parts).to_have_count(2)
    expect(parts.first).to_contain_text("Unblocked")
    expect(parts.last).to_contain_text("waited 0 ms")  # it was blocked before


def test_a_job_that_is_blocked_does_not_wait_for_a_worker(lasting_dashboard: Any) -> None:
    system = lasting_dashboard.system
    first = system.submit("step", delay="1h")
    blocked = system.submit("step", depends_on=[first])
    page = lasting_dashboard.open(f"/ui/jobs/{blocked}")
    expect(page.locator("#timeline .outcome")).to_have_text("blocked")
    expect(page.locator("#timeline .span-facts")).to_have_text(re.compile(r"^blocked \d+ s$"))
    page = lasting_dashboard.open(f"/ui/jobs/{first}")
    expect(page.locator("#timeline .span-facts")).to_have_text(re.compile(r"^due in (59|60) min"))


def test_a_delay_is_no_wait(lasting_dashboard: Any) -> None:
    system, page = lasting_dashboard.system, lasting_dashboard.page
    job_id = system.submit("step", delay="1200ms")
    job = system.wait_for_job(job_id)
    due = datetime.fromisoformat(job["run_at"])
    started, finished = (
        (due + timedelta(milliseconds=after)).isoformat(timespec="milliseconds")
        for after in (12, 42)
    )
    job["attempts"][0] |= {"started_at": started, "finished_at": finished}
    answer(page, job_id, job)
    lasting_dashboard.open(f"/ui/jobs/{job_id}")
    facts = re.compile(r"^delayed 1\.2 s · waited 12 ms · ran 30 ms")
    expect(page.locator("#timeline .span-facts")).to_have_text(facts)


def test_the_list_and_the_page_of_a_job_tell_the_same_wait(lasting_dashboard: Any) -> None:
    system, page = lasting_dashboard.system, lasting_dashboard.page
    job_id = system.submit("step", depends_on=[system.submit("step")], tags=["same-wait"])
    job = system.wait_for_job(job_id)
    events = system.get(f"/jobs/{job_id}/events")["items"]
    unblocked = next(one["at"] for one in events if one["kind"] == "job.unblocked")
    assert job["freed_at"] == unblocked
    due = datetime.fromisoformat(unblocked) - timedelta(seconds=35)  # it was blocked for so long

    def earlier(route: Any) -> None:
        found = route.fetch().json()
        for one in found.get("items", [found]):
            one.get("job", one).update(run_at=due.isoformat(), created_at=due.isoformat())
        route.fulfill(json=found)

    for path in (f"/jobs/{job_id}", f"/jobs/{job_id}/events**", "/jobs?**"):
        intercept(page, f"{system.url}{path}", earlier)
    waited = r"waited (\d+) ms"
    lasting_dashboard.open(f"/ui/jobs/{job_id}")
    facts = page.locator("#timeline .span-facts")
    expect(facts).to_have_text(re.compile(waited))
    told = re.search(waited, facts.inner_text())
    assert told is not None
    lasting_dashboard.open("/ui/jobs?tag=same-wait")
    expect(page.locator(f'tr[data-id="{job_id}"] .wait')).to_have_text(f"{told[1]} ms")


def test_a_short_traceback_says_that_a_cause_is_hidden(lasting_dashboard: Any) -> None:
    system, page = lasting_dashboard.system, lasting_dashboard.page
    job_id = system.submit("flaky", {"failures": 1}, max_retries=0)
    job = system.wait_for_job(job_id)
    cause = "The above exception was the direct cause of the following exception:"
    below = 'Traceback (most recent call last):\n  File "a.py", line 1, in a\n    b()\nKeyError: 1'
    job["attempts"][0]["error"]["traceback"] = f"{below}\n\n{cause}\n\n{below}"
    intercept(page, f"**/jobs/{job_id}", lambda route: route.fulfill(json=job))
    lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("#errors pre")).to_have_text(below)
    page.get_by_role("button", name="all 11 lines, with the cause").click()
    expect(page.locator("#errors pre")).to_contain_text(cause)
