"""The page of the audit log, as an operator reads it."""

from playwright.sync_api import expect

from tests.browser.conftest import Dashboard


def test_an_action_is_told_with_who_what_on_what_and_why(
    lasting_dashboard: Dashboard,
) -> None:
    client = lasting_dashboard.system.client
    lasting_dashboard.system.submit("sum_range", {"n": 1}, queue="told")  # so it is listed
    client.post("/queues/told/pause", json={"reason": "the mail server is down"})
    client.post("/queues/told/resume")
    wanted = {"status": "failed", "type": "nothing.like-it"}
    body = {"action": "retry", "filter": wanted, "max_id": 900}
    client.post("/jobs/bulk", json=body)
    slow = "const real = Date.now; Date.now = () => real() - 4000"  # the browser's clock
    lasting_dashboard.page.add_init_script(slow)
    page = lasting_dashboard.open("/ui/audit")
    many = page.locator("#rows tr", has_text="jobs with status=failed, type=nothing.like-it")
    expect(many.locator(".change")).to_have_text("0 jobs")
    rows = page.locator("#rows tr", has_text="queue told")
    row = rows.nth(1)
    assert not row.locator(".at").inner_text().startswith("in "), "it is in the past"
    expect(row.locator(".by")).to_have_text("api:127.0.0.1")
    expect(row.locator(".what")).to_have_text("pause")
    expect(row.locator(".change")).to_have_text("open → paused")
    expect(row.locator(".why")).to_have_text("the mail server is down")
    page.set_viewport_size({"width": 768, "height": 800})
    expect(rows.first.locator(".why")).to_be_hidden()  # no dash stands for none
    row.get_by_role("link", name="queue told").click()
    expect(page.locator("#queue-told")).to_have_class("target")
