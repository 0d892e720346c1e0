"""The page of one job: why it waits, attempts, errors, log, values, actions."""

import json
import re
import subprocess
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import open_store
from tests.browser.conftest import READ_ONLY
from tests.browser.examine import examine
from tests.browser.interception import Route, intercept, stop_intercepting
from tests.browser.panel import ending, releases
from tests.browser.told_stream import Stream
from tests.variants import variants

SUBMIT = "/ui/submit?type=echo"
SIDES = ("/audit?job=", "/jobs?tag=", "/types", "/events?after")


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
    expect(page.locator("#type")).to_have_attribute("href", "/ui/jobs?type=flaky")
    errors.first.get_by_role("link", name="failed jobs with this error").click()
    expect(page.locator(f"#rows tr[data-id='{job_id}']")).to_be_visible()
    assert "type=flaky&status=failed&error=" in page.url


def test_attempts_after_an_operators_retry_are_no_more_than_allowed(
    lasting_dashboard: Any,
) -> None:
    system = lasting_dashboard.system
    job_id = system.submit("flaky", {"failures": 9}, max_retries=0)
    page = lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("#status")).to_have_text("failed")
    expect(page.locator("#details")).to_contain_text("attempts1")
    expect(page.locator("#details")).to_contain_text("retriesat most 0")


def test_integers_keep_every_digit_and_the_log_is_filtered_by_level(
    lasting_dashboard: Any,
) -> None:
    exact = 9007199254740993
    job_id = lasting_dashboard.system.submit("echo", {"value": exact})
    page = lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("#payload")).to_contain_text(str(exact))
    expect(page.locator("#result")).to_contain_text(str(exact))
    expect(page.locator("#curl")).to_contain_text(str(exact))
    lines = page.locator("#log .line")
    expect(lines).to_have_count(3)
    page.locator("#log-level").select_option("2")
    expect(page.locator("#log .line:visible")).to_have_count(1)
    expect(page.locator("#log .line:visible .level")).to_have_text("warning")


def color(part: Locator) -> str:
    found: str = part.evaluate("node => getComputedStyle(node).color")
    return found


def test_a_job_is_cancelled_and_retried_after_a_question(lasting_dashboard: Any) -> None:
    system = lasting_dashboard.system
    job_id = system.submit("sleep", {"seconds": 60})
    page = lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("#status")).to_have_text("in progress")
    page.locator("[data-action=cancel]").click()
    expect(page.locator("#confirm")).to_contain_text(f"/jobs/{job_id}/cancel")
    page.locator("#confirm").get_by_text("Do nothing").click()
    assert system.get(f"/jobs/{job_id}")["status"] == "in_progress"
    page.locator("[data-action=cancel]").click()
    bar = page.locator("#progress progress")
    expect(bar).to_be_visible()
    running = color(bar)
    page.locator("#confirm-yes").click()
    expect(page.locator("#status")).to_have_text("cancelled")
    assert running != color(bar) == color(page.locator("#status .icon"))
    page.locator("[data-action=retry]").click()
    page.locator("#confirm-reason").fill("it was <b>needed</b>")
    page.locator("#confirm-yes").click()
    expect(page.locator("#timeline .mark-row").last).to_contain_text(
        "Retried by api:127.0.0.1: it was <b>needed</b>"
    )
    expect(page.locator("#status")).to_have_text("in progress")
    expect(bar).to_be_visible()
    expect(bar).to_have_css("color", running)
    # It waited since the retry, which is no backoff.
    waited = re.compile(r"^waited \d+(\.\d)? m?s ")
    expect(page.locator("#timeline .span-facts").last).to_have_text(waited)
    system.client.post(f"/jobs/{job_id}/cancel")
    system.wait_for_job(job_id)


# For the others, tests/browser/test_hostile_text.py has more of it.
@pytest.mark.parametrize(
    "path", variants(["/", "/ui/jobs/{done}", "/ui/jobs/{failed}", SUBMIT], SUBMIT)
)
def test_what_a_job_writes_is_text_wherever_it_is_shown(lasting_dashboard: Any, path: str) -> None:
    system = lasting_dashboard.system
    markup = "<img src=x onerror=\"document.title='owned'\">"
    done = system.submit("echo", {"value": {markup: markup}}, unique_key=markup)
    failed = system.submit("echo", {"value": markup, "fail": True})
    system.wait_for_job(done)
    system.wait_for_job(failed)
    page = lasting_dashboard.open(path.format(done=done, failed=failed))
    expect(page.locator("main")).to_contain_text("<")
    assert page.locator("main img, main script, main b[onclick]").count() == 0
    assert "owned" not in page.title()


def test_an_unknown_job_is_said_to_be_unknown_and_another_is_found(lasting_dashboard: Any) -> None:
    lasting_dashboard.system.submit("step")
    lasting_dashboard.page.goto(f"{lasting_dashboard.system.url}/ui/jobs/999999")
    page = lasting_dashboard.page
    expect(page.locator("#missing")).to_have_text(
        re.compile(r"There is no job 999999\. The newest job is \d+\.")
    )
    expect(page.locator("#banner")).to_be_hidden()
    page.locator("#query").fill("999998")
    page.locator("#query").press("Enter")
    expect(page.locator("#missing")).to_contain_text("There is no job 999998")


def act(page: Page, action: str, reason: str) -> None:
    page.locator(f"[data-action={action}]").click()
    page.locator("#confirm-reason").fill(reason)
    page.locator("#confirm-yes").click()


def test_a_job_that_waits_says_why_and_until_when_and_is_run_now(lasting_dashboard: Any) -> None:
    system = lasting_dashboard.system
    job_id = system.submit("wordcount", {"text": "one two"}, delay="1h")
    page = lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("#why")).to_contain_text("Its time has not come, until ")
    expect(page.locator("#timeline")).to_contain_text("scheduled")
    act(page, "run", "the customer waits")
    expect(page.locator("#status")).to_have_text("done")
    expect(page.locator("#why")).to_be_hidden()
    expect(page.locator("#timeline .mark-row")).to_contain_text(
        "Made due now by api:127.0.0.1: the customer waits"
    )


def test_who_paused_its_queue_is_told_when_it_happens(lasting_dashboard: Any) -> None:
    system = lasting_dashboard.system
    system.client.post("/queues/told-why/pause", json={"reason": "the mail server is down"})
    job_id = system.submit("wordcount", {"text": "one two"}, queue="told-why")
    page = lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("#why")).to_contain_text(
        "Its queue told-why is paused by api:127.0.0.1: the mail server is down"
    )
    expect(page.locator("#why a")).to_have_attribute("href", "/ui/queues#queue-told-why")
    system.client.post("/queues/told-why/resume")
    expect(page.locator("#status")).to_have_text("done")


def test_a_quarantined_type_leads_to_where_it_is_released(lasting_dashboard: Any) -> None:
    page = lasting_dashboard.page
    job_id = lasting_dashboard.system.submit("wordcount", {"text": "one two"}, delay="1h")
    text = "its type wordcount is quarantined: its jobs killed 5 workers, the last one job 7 on a-1"
    reason = {"code": "quarantined", "text": text, "by": "type wordcount", "until": None}
    answer = {"runs": False, "reasons": [reason]}
    intercept(page, f"**/jobs/{job_id}/why", lambda route: route.fulfill(json=answer))
    lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("#why-reasons")).to_have_text(f"I{text[1:]}")
    links = page.locator("#why-reasons a")
    expect(links).to_have_text(["wordcount", "job 7"])
    expect(links.first).to_have_attribute("href", "/ui/types#type-wordcount")
    lasting_dashboard.system.client.post(f"/jobs/{job_id}/cancel")


def test_a_job_that_runs_says_when_its_worker_falls_silent_or_ends(lasting_dashboard: Any) -> None:
    page = lasting_dashboard.page
    stream = Stream(page)
    job_id = lasting_dashboard.system.submit("sleep", {"seconds": 60})
    answers = [{"runs": True, "reasons": []}]
    intercept(page, f"**/jobs/{job_id}/why", lambda route: route.fulfill(json=answers[-1]))
    lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("#status")).to_have_text("in progress")
    expect(page.locator("#why")).to_be_hidden()
    text = "its worker default-1 has sent no heartbeat for 8 s; after 15 s it is taken for dead"
    reason = {"code": "worker_silent", "text": text, "by": "default-1", "until": None}
    answers.append({"runs": False, "reasons": [reason]})
    expect(page.locator("#why-reasons")).to_have_text(f"I{text[1:]}", timeout=10_000)
    expect(page.locator("#why-title")).to_have_text("Why it may not run")
    answers.pop()
    expect(page.locator("#why")).to_be_hidden()
    stream.workers = [ending("default-1", job_id), ending("default-2", job_id)]
    expect(page.locator("#progress-note")).to_have_text(
        re.compile(rf" left · {releases('default-.')}$")
    )
    lasting_dashboard.system.client.post(f"/jobs/{job_id}/cancel")


def test_a_snooze_is_called_a_snooze(lasting_dashboard: Any) -> None:
    system = lasting_dashboard.system
    job_id = system.submit("nap", {"minutes": 30})
    page = lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("#timeline .outcome")).to_have_text(["snoozed", "snoozed"])
    expect(page.locator("#timeline .span-facts").last).to_have_text(
        re.compile(r"^snoozed \d+ s, due in (29|30) min")
    )
    expect(page.locator("#why")).to_contain_text("It asked to run again later, until ")
    act(page, "run", "enough")
    expect(page.locator("#timeline .outcome")).to_have_text(["snoozed", "succeeded"])
    expect(page.locator("#timeline")).not_to_contain_text("backed off")


def test_what_was_done_to_many_jobs_is_told_of_each(lasting_dashboard: Any) -> None:
    system = lasting_dashboard.system
    job_id = system.submit("nap", {"minutes": 1}, delay="1h", tags=["one-of-many"])
    wanted = {"action": "cancel", "filter": {"tag": "one-of-many"}, "reason": "a mistake"}
    system.client.post("/jobs/bulk", json=wanted)
    page = lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("#timeline .mark-row")).to_contain_text(
        "Cancelled by api:127.0.0.1 (jobs with tag=one-of-many): a mistake"
    )


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(SIDES, id="all"),
        *(pytest.param((one,), id=one, marks=pytest.mark.long) for one in SIDES),
    ],
)
def test_a_job_is_shown_even_if_what_stands_beside_it_cannot_be_read(
    lasting_dashboard: Any, parts: tuple[str, ...]
) -> None:
    page = lasting_dashboard.page
    refusal: Any = {"status": 503, "json": {"detail": "busy"}}
    for part in parts:
        intercept(page, f"**{part}**", lambda route: route.fulfill(**refusal))
    job_id = lasting_dashboard.system.submit("echo", {"value": "here"})
    lasting_dashboard.system.wait_for_job(job_id)
    lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("h1")).to_have_text(f"echo {job_id}")
    expect(page.locator("#result")).to_contain_text("here")
    expect(page.locator("#curl")).to_contain_text('"type":"echo"')
    expect(page.locator("#missing")).to_be_hidden()


def test_a_job_that_cannot_be_read_now_says_why_until_it_can(lasting_dashboard: Any) -> None:
    page = lasting_dashboard.page
    job_id = lasting_dashboard.system.submit("step")
    path = f"**/jobs/{job_id}"
    refusal: Any = {"status": 503, "json": {"detail": "the database is busy"}}
    intercept(page, path, lambda route: route.fulfill(**refusal))
    lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("#missing")).to_contain_text("cannot be read: the database is busy")
    stop_intercepting(page, path)
    expect(page.locator("h1")).to_have_text(f"step {job_id}")
    expect(page.locator("#missing")).to_be_hidden()


def test_a_result_that_differs_from_the_one_before_in_its_end_only_is_shown(
    lasting_dashboard: Any,
) -> None:
    system, page = lasting_dashboard.system, lasting_dashboard.page
    job_id = system.submit("step")
    job = system.wait_for_job(job_id)
    results = iter(["old"])

    def answer(route: Route) -> None:
        route.fulfill(json=job | {"result": "x" * 300 + next(results, "new")})

    intercept(page, f"**/jobs/{job_id}", answer)
    lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("#result")).to_contain_text("new")


def test_a_job_is_deleted_and_the_page_says_so(lasting_dashboard: Any) -> None:
    system = lasting_dashboard.system
    job_id = system.submit("step")
    page = lasting_dashboard.open(f"/ui/jobs/{job_id}")
    page.locator("[data-action=delete]").click()
    expect(page.locator("#confirm-curl")).to_contain_text("curl -X DELETE")
    page.locator("#confirm-reason").fill("it was a test")
    page.locator("#confirm-yes").click()
    expect(page.locator("#missing")).to_contain_text("This job was deleted")
    page.goto(page.url)
    expect(page.locator("#missing")).to_contain_text(
        re.compile(rf"There is no job {job_id}\. api:127.0.0.1 deleted it .*: it was a test\.")
    )
    assert system.client.get(f"/jobs/{job_id}").status_code == 404
    entry = system.get("/audit?limit=1")["items"][0]
    assert (entry["action"], entry["target"], entry["reason"]) == (
        "delete", f"job {job_id}", "it was a test",
    )  # fmt: skip


def test_the_same_job_by_curl_has_every_option_and_survives_a_shell(
    lasting_dashboard: Any,
) -> None:
    system = lasting_dashboard.system
    text = 'it\'s "so" $(touch x) `y` !z \\n \n\t\u202e <é> \x7f'
    given = {
        "queue": "mail", "priority": -3, "max_retries": 7, "timeout": 20.5, "unique_key": text,
        "concurrency_key": "it's", "tags": ["eu", "vip"], "depends_on": [system.submit("step")],
        "on_dependency_failure": "fail",
    }  # fmt: skip
    job_id = system.submit("options", {"text": text}, **given)
    system.wait_for_job(job_id)
    page = lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("#curl")).to_contain_text("on_dependency_failure")
    command = page.locator("#curl").text_content() or ""
    assert "\u202e" not in command and "\\u202e" in command, "what is seen is what is sent"
    told = subprocess.run(
        ["sh", "-c", f"printf '%s\\0' {command.removeprefix('curl')}"],
        capture_output=True, check=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    assert (told[0], told[2:]) == ("--json", [f"{system.url}/jobs", ""])
    assert json.loads(told[1]) == {"type": "options", "payload": {"text": text}, **given}


def test_a_crash_is_told_in_a_line_with_what_the_job_did_and_the_dump_is_folded(
    start_system: Any, page: Page
) -> None:
    system = start_system("pools.default.workers=1", 'jobs.modules=["tests.browser.page_jobs"]')
    system.wait_until_ready()
    job_id = system.submit("crash")
    system.wait_for_job(job_id)
    page.goto(f"{system.url}/ui/jobs/{job_id}")
    expect(page.locator("#errors summary")).to_have_text(
        "WorkerCrashed the worker process died while it ran this job: killed by SIGSEGV"
    )
    trace = page.locator("#errors pre")
    expect(trace).to_contain_text("in crash")
    expect(trace).not_to_contain_text("Thread 0x")
    expect(trace).not_to_contain_text("executor.py")
    page.get_by_role("button", name="threads of the worker").click()
    expect(trace).to_contain_text("Thread 0x")


def test_what_an_attempt_cost_stands_beside_it(lasting_dashboard: Any) -> None:
    # The peak of an attempt shorter than 10 ms is not read.
    job_id = lasting_dashboard.system.submit("sleep", {"seconds": 0.02})
    page = lasting_dashboard.open(f"/ui/jobs/{job_id}")
    facts = page.locator("#timeline .span-facts")
    expect(facts).to_contain_text("CPU ")
    expect(facts).to_contain_text("peak ")


@READ_ONLY
def test_a_read_only_page_offers_no_action(read_only_system: Any, page: Page) -> None:
    store = open_store(f"sqlite:///{read_only_system.database}")
    job_id = store.jobs.submit(NewJob("sleep", '{"seconds":0}', delay_ms=3_600_000)).job.id
    store.close()
    page.goto(f"{read_only_system.url}/ui/jobs/{job_id}")
    expect(page.locator("#why")).to_contain_text("Its time has not come")
    expect(page.locator("#actions [data-action=run]")).to_be_attached()
    expect(page.locator("#actions")).to_be_hidden()
    expect(page.locator("#curl")).to_be_hidden()


@pytest.mark.parametrize(
    ("width", "is_failed_too"), variants([(360, False), (360, True), (1280, True)], (360, False))
)
def test_axe_finds_nothing_in_any_state(
    lasting_dashboard: Any, width: int, is_failed_too: bool
) -> None:
    """Wide, tests/browser/test_every_page.py examines that of a failed job."""
    system, page = lasting_dashboard.system, lasting_dashboard.page
    page.set_viewport_size({"width": width, "height": 740})
    system.client.post("/queues/axed/pause", json={"reason": "while axe looks"})
    waiting = system.submit("step", queue="axed")
    blocked = system.submit("chatter", {"lines": 150}, depends_on=[waiting], tags=["eu"])
    failed = system.submit("step", {"fail": True})
    cancelled = system.submit("step", depends_on=[failed])
    system.wait_for_job(cancelled)
    try:
        for job_id in (*[failed] * is_failed_too, cancelled, blocked):
            lasting_dashboard.open(f"/ui/jobs/{job_id}")
            expect(page.locator("#graph .node")).to_have_count(2)
            page.get_by_text("the same as a list").click()
            examine(page)
            if job_id == cancelled:
                page.locator("[data-action=retry]").click()
                examine(page)
    finally:
        system.client.post("/queues/axed/resume")
    expect(page.locator("#log .line").last).to_contain_text("line 149")
    examine(page)
