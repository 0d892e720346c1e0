"""How many jobs match, above a list whose rows do not change themselves while others do."""

from playwright.sync_api import expect

from tests.browser.conftest import Dashboard, some_queue
from tests.browser.interception import intercept
from tests.browser.job_list import rows, wait_submitted
from tests.browser.test_jobs_by_status import by_status


def test_the_total_follows_while_jobs_leave_the_list_that_stand_below_its_page(
    lasting_dashboard: Dashboard, held: str
) -> None:
    system = lasting_dashboard.system
    ids = [wait_submitted(system, held, "drains") for _ in range(55)]
    page = lasting_dashboard.open("/ui/jobs?tag=drains&status=pending")
    expect(rows(page)).to_have_count(50)
    total = page.locator("#total")
    for gone, number in ((ids[:1], 54), (ids[1:3], 52)):
        for one in gone:
            system.client.post(f"/jobs/{one}/cancel", json={})
        expect(total).to_have_text(f"{number} jobs match", timeout=10_000)


def test_while_events_go_on_the_jobs_are_counted_every_few_seconds_and_then_once_more(
    lasting_dashboard: Dashboard,
) -> None:
    page = lasting_dashboard.open("/ui/jobs")
    code = """async () => {
        const own = document.querySelector("script[type=module]").src;
        const { Filling } = await import(own.replace("jobs.js", "filling.js"));
        const told = (kind, filter = { status: "pending", queue: "a" }, more = {}) => {
            const job = { queue: "a", type: "t", status: "done", tags: [], ...more };
            const filling = new Filling({ catchUp: { beganAt: -Infinity }, filter });
            filling.tell(kind, job);
            const first = filling.isDue;
            filling.lookedAt = performance.now();
            return [first, filling.isDue, (filling.tell(kind, job), filling.isDue)];
        };
        return [
            told("job.done"), told("job.progress"), told("job.done", {}), told("job.enqueued", {}),
            told("job.done", undefined, { queue: "b" }), told("job.done", { q: "x" }),
        ];
    }"""
    once, never = [True, False, False], [False, False, False]
    assert page.evaluate(code) == [once, never, never, once, never, never]


def test_where_a_tab_counts_what_the_filter_asks_for_the_total_is_its_number(
    lasting_dashboard: Dashboard, held: str
) -> None:
    system, page = lasting_dashboard.system, lasting_dashboard.page
    wait_submitted(system, held, "tab")
    counts = {"pending": 872}
    one = some_queue() | {"name": held, "counts": counts}
    intercept(
        page,
        f"**/queues?name={held}",
        lambda route: route.fulfill(json={"items": [one]}) if counts else route.abort(),
    )
    lasting_dashboard.open(f"/ui/jobs?queue={held}&status=pending")
    total, tab = page.locator("#total"), by_status(page, "pending").locator("b")
    expect(total).to_have_text("872 jobs match")
    counts["pending"] = 830
    expect(total).to_have_text("830 jobs match")
    expect(tab).to_have_text("830")
    counts.clear()
    wait_submitted(system, held, "tab")
    expect(total).to_have_text("2 jobs match", timeout=10_000)  # a newer look at the list
    expect(tab).to_have_text("2")
