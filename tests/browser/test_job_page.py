"""The page of one job: attempts, errors, log, values, actions."""

from typing import Any

from playwright.sync_api import expect


def test_a_failing_job_shows_its_attempts_and_errors_as_they_happen(
    lasting_dashboard: Any,
) -> None:
    system = lasting_dashboard.system
    job_id = system.submit("flaky", {"failures": 9}, max_retries=2)
    page = lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("#status")).to_have_text("failed")
    expect(page.locator("#timeline .outcome")).to_have_text(["failed"] * 3)
    expect(page.locator("#timeline .span-facts").last).to_contain_text("backed off")
    errors = page.locator("#errors .error")
    expect(errors).to_have_count(3)
    expect(errors.first).to_contain_text("attempt 3 of 9")
    expect(errors.first.locator("pre")).to_contain_text("raise")
    assert lasting_dashboard.never_reloaded()


def test_attempts_after_an_operators_retry_are_no_more_than_allowed(
    lasting_dashboard: Any,
) -> None:
    system = lasting_dashboard.system
    job_id = system.submit("flaky", {"failures": 9}, max_retries=0)
    page = lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("#status")).to_have_text("failed")
    expect(page.locator("#details")).to_contain_text("attempts1")
    expect(page.locator("#details")).to_contain_text("retriesat most 0")


def test_the_log_is_followed_and_filtered_by_level(lasting_dashboard: Any) -> None:
    job_id = lasting_dashboard.system.submit("echo", {"value": 1})
    page = lasting_dashboard.open(f"/ui/jobs/{job_id}")
    lines = page.locator("#log .line")
    expect(lines).to_have_count(3)
    page.locator("#log-level").select_option("2")
    expect(page.locator("#log .line:visible")).to_have_count(1)
    expect(page.locator("#log .line:visible .level")).to_have_text("warning")


def test_integers_keep_every_digit(lasting_dashboard: Any) -> None:
    exact = 9007199254740993
    job_id = lasting_dashboard.system.submit("echo", {"value": exact})
    page = lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("#payload")).to_contain_text(str(exact))
    expect(page.locator("#result")).to_contain_text(str(exact))
    expect(page.locator("#curl")).to_contain_text(str(exact))


def test_a_job_is_cancelled_and_retried_after_a_question(dashboard: Any) -> None:
    job_id = dashboard.system.submit("sleep", {"seconds": 60})
    page = dashboard.open(f"/ui/jobs/{job_id}")
    page.locator("[data-action=cancel]").click()
    expect(page.locator("#confirm")).to_contain_text(f"/jobs/{job_id}/cancel")
    page.locator("#confirm").get_by_text("Do nothing").click()
    assert dashboard.system.get(f"/jobs/{job_id}")["status"] == "in_progress"
    page.locator("[data-action=cancel]").click()
    page.locator("#confirm-yes").click()
    expect(page.locator("#status")).to_have_text("cancelled")
    page.locator("[data-action=retry]").click()
    page.locator("#confirm-yes").click()
    expect(page.locator("#status")).to_have_text("in progress")
    expect(page.locator("#progress progress")).to_be_visible()


def test_what_a_job_writes_is_text_wherever_it_is_shown(lasting_dashboard: Any) -> None:
    system = lasting_dashboard.system
    markup = "<img src=x onerror=\"document.title='owned'\">"
    done = system.submit("echo", {"value": {markup: markup}}, unique_key=markup)
    failed = system.submit("echo", {"value": markup, "fail": True})
    system.wait_for_job(done)
    system.wait_for_job(failed)
    for path in ("/", f"/ui/jobs/{done}", f"/ui/jobs/{failed}", "/ui/submit?type=echo"):
        page = lasting_dashboard.open(path)
        expect(page.locator("main")).to_contain_text("<")
        assert page.locator("main img, main script, main b[onclick]").count() == 0
        assert "owned" not in page.title()


def test_an_unknown_job_is_said_to_be_unknown(lasting_dashboard: Any) -> None:
    lasting_dashboard.page.goto(f"{lasting_dashboard.system.url}/ui/jobs/999999")
    expect(lasting_dashboard.page.locator("#missing")).to_contain_text("There is no job 999999")
    expect(lasting_dashboard.page.locator("#banner")).to_be_hidden()
