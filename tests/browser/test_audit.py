"""The page of the audit log, as an operator reads it."""

import re

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
    expect(row.locator(".why")).to_have_css("font-style", "italic")  # it is set apart
    expect(rows.first.locator(".why")).to_be_hidden()  # no dash stands for none
    row.get_by_role("link", name="queue told").click()
    expect(page.locator("#queue-told")).to_have_class("target")


def test_the_log_is_filtered_by_one_field_and_by_what_a_row_has(
    lasting_dashboard: Dashboard,
) -> None:
    client = lasting_dashboard.system.client
    why = {"reason": "the needle"}
    client.post("/queues/sought/pause", json=why)
    client.post("/queues/sought/resume", json=why)
    client.post("/queues/other/pause", json=why)
    client.post("/queues/sought/resume")
    page = lasting_dashboard.open("/ui/audit")
    rows, field = page.locator("#rows tr:not(.skeleton)"), page.locator("#query")
    field.fill('target:"queue sought" needle')
    expect(page).to_have_url(re.compile(r"target=queue\+sought&q=needle$"))
    expect(rows).to_have_count(2)
    rows.last.get_by_role("link", name="pause").click()
    expect(field).to_have_value('what:pause target:"queue sought" needle')
    expect(rows).to_have_count(1)
    expect(page.locator("#action")).to_have_value("pause")
    rows.first.hover()
    client.post("/queues/other/pause", json=why)
    client.post("/queues/sought/pause", json=why)
    page.locator("h1").hover()
    expect(rows).to_have_count(2)  # the other does not match
    expect(rows.first.locator(".change")).to_have_text("open → paused")
    page.reload()
    expect(rows).to_have_count(2)
    page.go_back()
    expect(rows).to_have_count(3)
    field.fill("constructor:x")
    expect(page).to_have_url(re.compile(r"q=constructor%3Ax$"))
    nothing = "Nothing that was done matches the filter."
    no_field = "constructor: is no field; it counts as text."
    expect(page.locator("#no-match")).to_have_text(f"{nothing} {no_field}")
    field.fill("since:soon constructor:x")
    expect(page.locator("#problem")).to_contain_text("since is neither a time")
    expect(page.locator("#problem")).to_contain_text(no_field)
    expect(page.locator("#no-match")).to_be_hidden()  # nothing was looked for
    expect(rows).to_have_count(0)
    expect(page.locator("#since option:checked")).to_have_text("as typed")
    field.fill("what:retries")
    expect(page.locator("#problem")).to_contain_text("what must be 'cancel', 'retry', ")
    expect(page.locator("#no-match")).to_be_hidden()
    field.fill('target:"queue sought"')
    expect(rows.first).to_contain_text("queue sought")
    expect(page.locator("#since option:checked")).to_have_text("whenever")
    field.fill('target:"queue sought" since:soon')
    expect(page.locator("#problem")).to_be_visible()
    expect(rows).to_have_count(0)
    field.fill("no such thing in it")
    expect(page.locator("#no-match")).to_have_text(nothing)
    field.fill("who:a who:b")
    expect(page.locator("#filter-problem")).to_be_visible()
    page.get_by_role("link", name="Clear").press("Enter")
    expect(rows.first).to_contain_text("queue sought")
    expect(page.locator("#filter-problem")).to_be_hidden()
    expect(field).to_be_focused()


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
    with page.expect_response("**/audit"):
        pass
    expect(rows.first).to_contain_text("queue paged")
    page.locator("h1").hover()
    expect(rows.first).to_contain_text("queue newest-of-all")
    client.post("/queues/last-of-all/resume")
    expect(rows.first).to_contain_text("queue last-of-all")
    page.locator("#older").click()
    expect(rows.first).to_contain_text("queue paged")
    page.locator("#newest").click()
    expect(rows.first).to_contain_text("queue last-of-all")
    expect(page.locator("h1")).to_be_focused()
