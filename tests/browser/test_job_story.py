"""The attempts of a job on its page: the timeline and the errors."""

import re
from datetime import datetime, timedelta
from typing import Any

from playwright.sync_api import expect

from tests.browser.interception import intercept


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
