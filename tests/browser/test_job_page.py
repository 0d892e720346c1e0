"""The page of one job: why it waits, attempts, errors, log, values, actions."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.layout import small_targets
from tests.machine import wait_until


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


def test_a_job_is_cancelled_and_retried_after_a_question(lasting_dashboard: Any) -> None:
    system = lasting_dashboard.system
    job_id = system.submit("sleep", {"seconds": 60})
    page = lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("#status")).to_have_text("in progress")
    page.locator("[data-action=cancel]").click()
    expect(page.locator("#confirm-text")).to_contain_text("then killed after 10 s.")
    page.locator("#confirm").get_by_text("Keep running").click()
    assert system.get(f"/jobs/{job_id}")["status"] == "in_progress"
    page.locator("[data-action=cancel]").click()
    bar = page.locator("#progress progress")
    expect(bar).to_be_visible()
    page.locator("#confirm-yes").click()
    expect(page.locator("#status")).to_have_text("cancelled")
    expect(page.locator("[data-action=delete]")).not_to_be_focused()
    page.locator("[data-action=retry]").click()
    page.locator("#confirm-reason").fill("it was <b>needed</b>")
    page.locator("#confirm-yes").click()
    expect(page.locator("#timeline .mark-row").last).to_contain_text(
        "Retried by api:127.0.0.1: it was <b>needed</b>"
    )
    expect(page.locator("#status")).to_have_text("in progress")
    system.client.post(f"/jobs/{job_id}/cancel")
    system.wait_for_job(job_id)


def act(page: Page, action: str, reason: str) -> None:
    page.locator(f"[data-action={action}]").click()
    page.locator("#confirm-reason").fill(reason)
    page.locator("#confirm-yes").click()


def test_a_job_that_waits_says_why_and_is_run_now_and_deleted(lasting_dashboard: Any) -> None:
    system = lasting_dashboard.system
    job_id = system.submit("wordcount", {"text": "one two"}, delay="1h")
    page = lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("#why")).to_contain_text("It is not due until ")
    expect(page.locator("#timeline")).to_contain_text("scheduled")
    act(page, "run", "the customer waits")
    expect(page.locator("#status")).to_have_text("done")
    expect(page.locator("#why")).to_be_hidden()
    expect(page.locator("#timeline .mark-row")).to_contain_text("the customer waits")
    act(page, "delete", "it was a test")
    expect(page.locator("#missing")).to_contain_text("This job was deleted")
    assert system.client.get(f"/jobs/{job_id}").status_code == 404


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


def test_a_graph_goes_green_while_it_is_watched(lasting_dashboard: Any, tmp_path: Path) -> None:
    system, released = lasting_dashboard.system, tmp_path / "released"
    system.client.post("/queues/default/pause", json={"reason": "until it is watched"})
    try:
        first = system.submit("hold", {"until": str(released)})
        parts = [system.submit("step", depends_on=[first]) for _ in range(3)]
        last = system.submit("step", depends_on=parts)
        page = lasting_dashboard.open(f"/ui/jobs/{last}")
        expect(page.locator("#graph .node")).to_have_count(5)
        expect(page.locator("#graph .node[data-status=blocked]")).to_have_count(4)
        expect(page.locator("#why")).to_contain_text("by api:127.0.0.1: until it is watched")
        page.set_viewport_size({"width": 360, "height": 740})
        wait_until(lambda: not small_targets(page), "the graph to be drawn for fingers")
        system.client.post("/queues/default/resume")
        expect(page.locator("#graph .node[data-status=in_progress]")).to_have_count(1)
    finally:
        released.touch()
        system.client.post("/queues/default/resume")
    expect(page.locator("#graph .node[data-status=done]")).to_have_count(5)
    expect(page.locator("#why")).to_be_hidden()
    assert lasting_dashboard.never_reloaded()


def test_a_durable_function_is_followed_signalled_woken_and_retried_from_a_step(
    lasting_dashboard: Any, tmp_path: Path
) -> None:
    mailbox = tmp_path / "mailbox"
    payload = {"account": 42, "mailbox": str(mailbox)}
    page = lasting_dashboard.page
    job_id = lasting_dashboard.system.submit("onboard", payload)
    lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("#why")).to_contain_text("It waits for the signal approval of key 42 until")
    rows = page.locator("#timeline .step-row")
    expect(rows).to_have_count(2)
    rows.first.locator("summary").click()
    expect(rows.first.locator(".tree")).to_contain_text("mails10")
    expect(page.locator("#timeline .span").first).to_contain_text("then waited for the signal")

    page.locator("[data-action=signal]").click()
    page.locator("#confirm-payload").fill('{"by": ada}')
    page.locator("#confirm-yes").click()
    expect(page.locator("#confirm-problem")).to_contain_text("not valid JSON")
    page.locator("#confirm-payload").fill('{"by": "ada"}')
    page.locator("#confirm-yes").click()
    expect(rows.nth(1)).to_contain_text("the signal approval of key 42 came")
    expect(rows.nth(2)).to_contain_text("3 children ended")
    expect(rows.nth(2).locator("a")).to_have_count(3)
    expect(page.locator("#why")).to_contain_text("It sleeps (cool down) until")
    act(page, "wake", "the customer waits")
    expect(page.locator("#status")).to_have_text("failed")

    mailbox.write_text("welcome")
    rows.nth(2).get_by_role("button").click()
    expect(page.locator("#confirm-text")).to_contain_text("what it kept afterwards (cool down)")
    page.locator("#confirm-yes").click()
    expect(page.locator("#why")).to_contain_text("It sleeps (cool down) until")
    act(page, "wake", "the customer waits")
    expect(page.locator("#status")).to_have_text("done")
    expect(page.locator("#result")).to_contain_text("42 approved by ada")
    expect(rows).to_have_count(5)
    expect(page.locator("#timeline")).to_contain_text("Retried from the step 'checks' by api:")
    page.set_viewport_size({"width": 360, "height": 740})
    wait_until(lambda: not small_targets(page), "the steps to be drawn for fingers")
    assert lasting_dashboard.never_reloaded()


def scroll_to(page: Page, part: float) -> None:
    page.locator("#log").evaluate(
        "(node, part) => { node.scrollTop = part * node.scrollHeight; }", part
    )


def test_a_log_of_ten_thousand_lines_is_scrolled_filtered_and_searched(
    lasting_dashboard: Any,
) -> None:
    job_id = lasting_dashboard.system.submit("chatter", {"lines": 9_999})
    lasting_dashboard.system.wait_for_job(job_id)
    page = lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("#log-summary")).to_have_text("9,999 lines")
    expect(page.locator("#log .line").last).to_contain_text("line 9998")
    page.locator("#log-follow").uncheck()
    for part in (0.2, 0.5, 0.8, 0):
        scroll_to(page, part)
        expect(page.locator("#log .chunk:has(.line)").first).to_be_attached()
    expect(page.locator("#log .line").first).to_contain_text("line 0")
    assert page.locator("#log .line").count() < 1000, "only what is seen is in the page"
    page.locator("#log-level").select_option("2")
    expect(page.locator("#log-summary")).to_have_text("99 of 9,999 lines")
    page.locator("#log-level").select_option("0")
    page.locator("#log-search").fill("LINE 77")
    expect(page.locator("#log-summary")).to_have_text("111 of 9,999 lines")
    expect(page.locator("#log mark").first).to_have_text("line 77")


def test_each_line_is_sent_once_even_if_the_connection_is_lost(
    lasting_dashboard: Any, tmp_path: Path
) -> None:
    page, released = lasting_dashboard.page, tmp_path / "released"
    sockets: list[WebSocketRoute] = []
    ids: list[int] = []

    def relay(socket: WebSocketRoute) -> None:
        sockets.append(socket)

        def pass_on(text: str | bytes) -> None:
            message = json.loads(text)
            ids.extend(line["id"] for line in message.get("lines", []))
            socket.send(text)

        socket.connect_to_server().on_message(pass_on)

    page.route_web_socket(re.compile("/ws"), relay)
    page.on("request", lambda request: ids.extend([0] * ("/logs" in request.url)))
    job_id = lasting_dashboard.system.submit("hold", {"lines": 600, "until": str(released)})
    lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("#log-summary")).to_have_text("600 lines")
    sockets[0].close()
    wait_until(lambda: page.title() and len(sockets) == 2, "another connection")
    released.touch()
    expect(page.locator("#log-summary")).to_have_text("1,200 lines")
    assert (len(sockets), len(ids), len(set(ids))) == (2, 1200, 1200)
    assert 0 not in ids, "nothing is read besides the stream"
