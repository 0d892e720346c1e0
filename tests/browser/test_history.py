"""The page of the history, as an operator uses it."""

from playwright.sync_api import expect

from tests.browser.conftest import Dashboard
from tests.browser.interception import intercept

AT = "2026-01-31T14:02:00.000Z"
FIGURES = {
    "at": AT, "submitted": 90, "done": 80, "failed": 7, "cancelled": 0, "retried": 3,
    "wait_p50_s": 0.1, "wait_p95_s": 2.0, "run_p50_s": 0.5, "run_p95_s": 4.0, "worker_s": 60.0,
}  # fmt: skip


def test_what_happened_at_a_time_of_yesterday_is_two_clicks_away(
    lasting_dashboard: Dashboard,
) -> None:
    page, system = lasting_dashboard.page, lasting_dashboard.system
    system.client.post("/queues/mail/pause", json={"reason": "the mail server is away"})
    system.client.post("/queues/mail/resume")
    lasting_dashboard.open("/")
    page.locator(".sections").get_by_role("link", name="History").click()
    event = page.locator("#events li", has_text="operator.pause").first
    expect(event).to_contain_text("the mail server is away")
    expect(event.get_by_role("link")).to_have_attribute("href", "/ui/queues#queue-mail")
    page.get_by_label("Search the timeline").fill("no such thing")
    expect(page.locator("#no-events")).to_have_text("No events match.")
    page.get_by_label("Search the timeline").fill("")
    page.get_by_role("button", name="2d").click()
    expect(page.get_by_role("button", name="2d")).to_have_attribute("aria-pressed", "true")
    chart = page.locator(".past svg").first
    box = chart.bounding_box()
    assert box is not None
    chart.click(position={"x": box["width"] / 4, "y": 20})
    page.wait_for_url("**since=*until=*")
    expect(page.locator("#span")).to_contain_text("in steps of 1 min")
    expect(page.get_by_role("button", name="2d")).to_have_attribute("aria-pressed", "false")
    page.go_back()
    expect(page.get_by_role("button", name="2d")).to_have_attribute("aria-pressed", "true")


def test_the_figures_at_the_pointer_are_shown_in_all_charts(lasting_dashboard: Dashboard) -> None:
    page = lasting_dashboard.page
    past = {"by": "queue", "since": AT, "until": AT, "step_s": 60}
    items = [{"name": name, "points": [FIGURES]} for name in ("mail", "default")]
    intercept(page, "**/stats/history**", lambda route: route.fulfill(json=past | {"items": items}))
    query = "since=2026-01-31T14:01:00Z&until=2026-01-31T14:04:00Z"
    lasting_dashboard.open(f"/ui/history?{query}")
    first = page.locator(".past").first
    expect(first).to_contain_text("done 160")
    expect(first).to_contain_text("failed 14")
    box = first.locator("svg").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    expect(page.locator(".past", has_text="Wait, slowest queue")).to_contain_text("p95 2.0 s")
    page.get_by_label("Show one queue").select_option("mail")
    expect(first).to_contain_text("done 80")
    expect(page.locator(".past", has_text="Run")).not_to_contain_text("slowest")
