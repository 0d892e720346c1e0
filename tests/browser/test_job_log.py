"""The log of a job: long, followed, searched, and never in the way."""

import json
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, WebSocketRoute, expect

from tests.machine import slowness, wait_until

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
