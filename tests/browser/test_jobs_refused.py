"""The page of jobs after a filter that cannot be, or that nothing can match."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Dashboard
from tests.browser.job_list import rows
from tests.variants import variants


@pytest.mark.parametrize(
    "wrong", variants(["status:lost", "since:1x", "type:a type:b"], "since:1x")
)
def test_after_a_filter_that_cannot_be_no_job_is_shown_or_selected(
    lasting_dashboard: Dashboard, fail: Callable[..., list[int]], wrong: str
) -> None:
    tag = f"cannot-be-{len(wrong)}"
    fail(60, tag)
    page = lasting_dashboard.open(f"/ui/jobs?tag={tag}&status=failed")
    expect(rows(page)).to_have_count(50)
    page.get_by_role("button", name="All that match: select them").click()
    page.locator("#query").fill(f"tag:{tag} {wrong}")
    page.keyboard.press("Enter")
    expect(page.locator("#filter-problem")).to_be_visible()
    expect(page.locator("#rows tr")).to_have_count(0)
    expect(page.locator("#total")).to_have_text("")
    expect(page.locator("#status")).not_to_have_value("failed")
    expect(page.locator("#selected")).to_have_text("None selected")
    expect(page.get_by_role("button", name="All that match: select them")).to_be_disabled()
    expect(page.locator("#older")).to_be_hidden()
    fail(1, tag)
    expect(page.locator("#new")).to_have_text("0 new")
    page.locator("#query").fill(f"tag:{tag} status:failed")
    expect(page.locator("#total")).to_have_text("61 jobs match")
    expect(page.locator("#filter-problem")).to_be_hidden()


def test_a_type_or_queue_that_nothing_names_is_said_so(lasting_dashboard: Dashboard) -> None:
    lasting_dashboard.system.submit("sum_range", {"n": 1}, queue="named")
    page = lasting_dashboard.open("/ui/jobs?type=sum_rnage")
    told = page.locator("#no-match-words")
    no_type = "No job, job type or schedule has the type"
    expect(told).to_have_text(
        f"No jobs match the filter. {no_type} 'sum_rnage'; did you mean 'sum_range'?"
    )
    page.locator("#query").fill("queue:nmaed type:x-1")
    no_queue = "No job, job type, schedule, pool or setting names a queue"
    expect(told).to_have_text(
        f"No jobs match the filter. {no_queue} 'nmaed'; did you mean 'named'? {no_type} 'x-1'."
    )
    page.locator("#query").fill("queue:named status:blocked")
    expect(told).to_have_text("No jobs match the filter.")
