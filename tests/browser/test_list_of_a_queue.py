"""What stands above the list of the jobs of one queue."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Dashboard, some_queue
from tests.browser.interception import intercept
from tests.browser.test_jobs_by_status import by_status


def test_a_list_of_a_queue_says_why_no_worker_is_ready_or_which_limit_holds_its_jobs(
    lasting_dashboard: Dashboard,
) -> None:
    page = lasting_dashboard.page
    one = some_queue() | {"name": "reports"}
    away = "pool gpu is scaled to 0 by cli:ada 5 min ago (new disks)"
    limited = {"by": ["queue_rate"], "text": "held by its rate", "next_s": 299.6}
    told = [
        one | {"none_starts": "no worker is ready", "unready": away},
        one | {"limited": limited},
        one,
    ]
    intercept(
        page,
        "**/queues?name=reports",
        lambda route: route.fulfill(json={"items": [told[0]]}),
    )
    lasting_dashboard.open("/ui/jobs?queue=reports")
    line = page.locator("#none-starts")
    unready = f"Queue reports: no worker is ready, so none of its jobs starts: {away}"
    expect(line).to_have_text(unready)
    del told[0]
    expect(line).to_have_text("Queue reports: held by its rate, the next may start in 4 min")
    del told[0]
    expect(line).to_be_hidden()


def test_the_sentence_stands_only_above_a_list_that_can_hold_jobs_that_wait(
    lasting_dashboard: Dashboard, held: str
) -> None:
    page = lasting_dashboard.open(f"/ui/jobs?queue={held}&status=failed")
    told, counted = page.locator("#none-starts"), by_status(page, "failed").locator("b")
    expect(counted).to_have_text(re.compile(r"\d"))  # its queue was read
    expect(told).to_be_hidden()
    for more, is_shown in (
        ("status:blocked", True),
        ("status:done", False),
        ("", True),
        ("since:1h", False),
        ("status:pending", True),
        ("status:in_progress", False),
    ):
        page.locator("#query").fill(f"queue:{held} {more}")
        expect(told).to_be_visible(visible=is_shown)
