"""The page of the audit log, as an operator reads it."""

from playwright.sync_api import expect

from tests.browser.conftest import Dashboard


def test_an_action_is_told_with_who_what_on_what_and_why(lasting_dashboard: Dashboard) -> None:
    client = lasting_dashboard.system.client
    client.post("/queues/told/pause", json={"reason": "the mail server is down"})
    client.post("/queues/told/resume")
    page = lasting_dashboard.open("/ui/audit")
    row = page.locator("#rows tr", has_text="queue told").nth(1)
    expect(row.locator(".by")).to_have_text("api:127.0.0.1")
    expect(row.locator(".what")).to_have_text("pause")
    expect(row.locator(".why")).to_have_text("the mail server is down")
    row.get_by_role("link", name="queue told").click()
    expect(page.locator("#queue-told")).to_have_class("target")


def test_many_jobs_are_a_link_to_them(lasting_dashboard: Dashboard) -> None:
    wanted = {"status": "failed", "type": "nothing.like-it"}
    body = {"action": "retry", "filter": wanted, "max_id": 900}
    lasting_dashboard.system.client.post("/jobs/bulk", json=body)
    page = lasting_dashboard.open("/ui/audit")
    link = page.get_by_role(
        "link", name="jobs with status=failed, type=nothing.like-it, id<=900", exact=True
    )
    expect(link).to_have_attribute("href", "/ui/jobs?status=failed&type=nothing.like-it")


def test_new_entries_wait_while_somebody_reads_and_older_ones_are_a_page_away(
    lasting_dashboard: Dashboard,
) -> None:
    client = lasting_dashboard.system.client
    for _ in range(30):
        client.post("/queues/paged/pause")
        client.post("/queues/paged/resume")
    page = lasting_dashboard.open("/ui/audit")
    rows = page.locator("#rows tr")
    expect(rows).to_have_count(50)
    rows.first.hover()
    client.post("/queues/newest-of-all/pause")
    client.post("/queues/newest-of-all/resume")
    expect(page.locator("#new")).to_have_text("2 new")
    expect(rows.first).to_contain_text("queue paged")
    page.locator("#new").click()
    expect(rows.first).to_contain_text("queue newest-of-all")
    page.locator("h1").hover()
    page.evaluate("document.activeElement.blur()")
    client.post("/queues/last-of-all/resume")
    expect(rows.first).to_contain_text("queue last-of-all")
    page.locator("#older").click()
    expect(rows.first).to_contain_text("queue paged")
    expect(page.locator("#new")).to_be_hidden()
    page.locator("#newest").click()
    expect(rows.first).to_contain_text("queue last-of-all")
