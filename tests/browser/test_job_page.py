"""The page of one job: why it waits, attempts, errors, log, values, actions."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import open_store
from tests.browser.conftest import READ_ONLY
from tests.browser.examine import examine
from tests.browser.layout import small_targets
from tests.machine import slowness, wait_until
from tests.variants import variants


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
    expect(page.locator("#missing")).to_contain_text(f"There is no job {job_id}.")
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


WIDTHS = [1, 6, 10, 10, 8, 4, 1]


def flow(system: Any, released: Path) -> list[int]:
    """Submit 40 jobs in layers, each after two of the layer before; their ids.

    The first one runs until the file `released` is there.
    """
    jobs: list[dict[str, Any]] = []
    before: list[str] = []
    for width in WIDTHS:
        layer = []
        for place in range(width):
            ref = f"step-{len(jobs)}"
            first = place * len(before) // width
            after = sorted({before[first], before[(first + 1) % len(before)]}) if before else []
            after = before if width == 1 else after
            jobs.append({"type": "step", "ref": ref, "depends_on": after})
            layer.append(ref)
        before = layer
    jobs[0] |= {"type": "hold", "payload": {"until": str(released)}}
    ids: list[int] = system.client.post("/jobs/batch", json={"jobs": jobs}).json()["ids"]
    return ids


def statuses(page: Page) -> list[str]:
    found: list[str] = page.locator("#graph .node").evaluate_all(
        "nodes => nodes.map(({ dataset }) => dataset.status)"
    )
    return found


def test_a_graph_of_40_jobs_goes_green_while_it_is_watched(
    lasting_dashboard: Any, tmp_path: Path
) -> None:
    system, released = lasting_dashboard.system, tmp_path / "released"
    system.client.post("/queues/default/pause", json={"reason": "until it is watched"})
    try:
        *_, last = ids = flow(system, released)
        page = lasting_dashboard.open(f"/ui/jobs/{last}")
        expect(page.locator("#graph .node")).to_have_count(40)
        assert set(statuses(page)) == {"pending", "blocked"}
        expect(page.locator("#why-reasons li")).to_have_count(5)
        expect(page.locator("#why")).to_contain_text(f"It waits for job {ids[-2]} (step)")
        expect(page.locator("#why")).to_contain_text("by api:127.0.0.1: until it is watched")
        page.set_viewport_size({"width": 360, "height": 740})
        wait_until(lambda: not small_targets(page), "the graph to be drawn for fingers")
        system.client.post("/queues/default/resume")
        expect(page.locator("#graph .node[data-status=in_progress]")).to_have_count(1)
    finally:
        released.touch()
        system.client.post("/queues/default/resume")
    expect(page.locator("#graph .node[data-status=done]")).to_have_count(40)
    expect(page.locator("#graph-summary")).to_have_text("40 jobs: 40 done")
    expect(page.locator("#why")).to_be_hidden()
    assert lasting_dashboard.never_reloaded()


def test_its_jobs_are_links_for_the_keyboard_and_a_list_for_a_screen_reader(
    lasting_dashboard: Any,
) -> None:
    system = lasting_dashboard.system
    first = system.submit("step")
    second = system.submit("step", depends_on=[first])
    third = system.submit("step", depends_on=[second])
    system.wait_for_job(third)
    page = lasting_dashboard.open(f"/ui/jobs/{second}")
    group = page.get_by_role("group", name="Jobs before and after this one")
    expect(group.get_by_role("link")).to_have_count(3)
    expect(group.get_by_role("link", name=f"job {third}, step: done")).to_be_visible()
    own = group.get_by_role("link", name=f"job {second}, step: done, this job")
    expect(own).to_have_attribute("aria-current", "page")
    page.get_by_text("the same as a list").click()
    expect(page.locator("#graph-list li").last).to_have_text(
        re.compile(rf"job {third} step: done, after {second}")
    )
    group.get_by_role("link").first.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(f"step {third}")


LINES = 10_000
LONGEST_TASK_MS = 50
MOST_ROUNDS = 5
WATCH = """
window.longTasks = [];
new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longTasks.push(duration);
})
    .observe({ type: "longtask", buffered: true });
"""

NOTE_LOSS = """() => {
    window.wasLost = false;
    new MutationObserver(() => { window.wasLost = true; })
        .observe(document.getElementById("connection"), { attributeFilter: ["data-state"] });
}"""
"""It connects again within half a second: `expect` may look too late."""


def box(page: Page, what: str) -> float:
    found: float = page.locator("#log").evaluate(f"node => node.{what}")
    return found


def scroll_to(page: Page, part: float) -> None:
    page.locator("#log").evaluate(
        "(node, part) => { node.scrollTop = part * node.scrollHeight; }", part
    )


def read_through(page: Page, path: str) -> None:
    """Open a log of 10,000 lines, scroll through it, filter it and search it."""
    page.goto(path)
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
    page.locator("#log-search").fill("")
    expect(page.locator("#log-summary")).to_have_text("9,999 lines")


def test_ten_thousand_lines_never_hold_the_page_up(lasting_dashboard: Any) -> None:
    """What else the machine does makes tasks longer, so the best of a few rounds counts."""
    system, page = lasting_dashboard.system, lasting_dashboard.page
    job_id = system.submit("chatter", {"lines": LINES - 1})
    system.wait_for_job(job_id)
    page.add_init_script(WATCH)
    longest = []
    for _ in range(MOST_ROUNDS):
        read_through(page, f"{system.url}/ui/jobs/{job_id}")
        tasks = [round(one) for one in page.evaluate("longTasks")]
        print(f"\nlong tasks with {LINES:,} lines: {tasks} ms")  # noqa: T201
        longest.append(max(tasks, default=0))
        if longest[-1] <= LONGEST_TASK_MS * slowness():
            return
    raise AssertionError(f"tasks of {longest} ms")


def first_seen(page: Page) -> str:
    """The line at the top of the box."""
    found: str = page.locator("#log").evaluate(
        """node => {
            const { left, top } = node.getBoundingClientRect();
            return document.elementFromPoint(left + 60, top + 20).closest(".line").textContent;
        }"""
    )
    return found


def test_the_end_is_followed_until_somebody_scrolls_up(
    lasting_dashboard: Any, tmp_path: Path
) -> None:
    released = tmp_path / "released"
    job_id = lasting_dashboard.system.submit("hold", {"lines": 500, "until": str(released)})
    page = lasting_dashboard.open(f"/ui/jobs/{job_id}")
    expect(page.locator("#log .line").last).to_contain_text("line 499")
    wait_until(
        lambda: box(page, "scrollTop") + box(page, "clientHeight") >= box(page, "scrollHeight") - 4,
        "the end of the log",
    )
    page.locator("#log").hover()
    page.mouse.wheel(0, -600)
    expect(page.locator("#log-follow")).not_to_be_checked()
    wait_until(lambda: first_seen(page) == first_seen(page), "the end of the scrolling")
    place = first_seen(page)
    released.touch()
    expect(page.locator("#log-summary")).to_have_text("1,000 lines")
    assert first_seen(page) == place
    top = box(page, "scrollTop")
    page.locator("#log-follow").check()
    wait_until(lambda: box(page, "scrollTop") > top, "the end again")


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
    page.evaluate(NOTE_LOSS)
    sockets[0].close()
    wait_until(lambda: page.evaluate("window.wasLost"), "the loss of the connection")
    released.touch()
    expect(page.locator("#log-summary")).to_have_text("1,200 lines")
    assert (len(sockets), len(ids), len(set(ids))) == (2, 1200, 1200)
    assert 0 not in ids, "nothing is read besides the stream"
