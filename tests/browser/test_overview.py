"""The overview: jobs appear, change and wait as an operator expects, and it survives a lost API."""

import json
import os
import re
import shlex
import signal
import subprocess
from typing import Any

from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.conftest import READ_ONLY, Dashboard
from tests.browser.interception import Route, intercept


def test_a_new_orpheus_shows_its_first_job_and_its_workers_also_one_that_is_killed_without_a_reload(
    dashboard: Any,
) -> None:
    """On an Orpheus of its own: it has no job, and no job of another test is to crash."""
    page = dashboard.open()
    expect(page.locator("#verdict")).to_have_text("Ready for the first job.")
    for name in ("default-1", "default-2", "api", "supervisor"):
        expect(page.locator("#slots").get_by_text(name, exact=True)).to_be_visible()
    expect(page.locator("#first-steps")).to_be_visible()
    job_id = dashboard.system.submit("sum_range", {"n": 100000}, tags=["eu"])
    row = page.locator(f"#rows tr[data-id='{job_id}']")
    expect(row).to_have_attribute("data-status", "done")
    expect(row).to_contain_text("n=100000 → sum=5000050000")
    expect(row).to_contain_text("eu")
    expect(page.locator("#figures .figure", has_text="Done").locator(".value")).to_have_text("1")
    expect(page.locator("#first-steps")).to_be_hidden()

    slot = dashboard.system.workers()["default-1"]
    os.kill(slot["pid"], signal.SIGKILL)
    row, fold = page.locator("#slot-default-1"), page.locator("#more-default-1")
    row.locator(".more").click()
    expect(fold.locator(".restarts dd")).to_have_text(str(slot["restarts"] + 1))
    expect(row).to_have_attribute("data-state", "ready")
    expect(row).to_contain_text("failed")
    expect(fold).to_contain_text("SIGKILL")
    restart_look_into_drain_start_and_scale(page)

    dashboard.system.submit("sleep", {"seconds": 30})
    row = page.locator("#slots .slot", has_text="sleep")
    expect(row.locator("progress")).to_be_visible()
    expect(page.locator("#workers-summary")).to_contain_text("1 working")
    expect(fold.locator(".memory dd")).to_contain_text(re.compile(r"\d+ MiB"))
    assert dashboard.never_reloaded()


def restart_look_into_drain_start_and_scale(page: Page) -> None:
    """What an operator does to a worker, whose actions are shown."""
    row, fold = page.locator("#slot-default-1"), page.locator("#more-default-1")

    def do(action: str) -> None:
        fold.locator(f"[data-action={action}]").click()
        page.locator("#confirm-yes").click()
        expect(page.locator("#confirm")).to_be_hidden()

    first = fold.locator(".pid dd").inner_text()
    do("restart")
    expect(fold.locator(".pid dd")).not_to_have_text(first)
    expect(row).to_have_attribute("data-state", "ready")
    fold.locator("[data-action=stack]").click()
    expect(fold.locator(".stack pre").first).to_contain_text("most recent call first")
    do("drain")
    expect(row).to_have_attribute("data-state", "down")
    do("restart")
    expect(row).to_have_attribute("data-state", "ready")
    page.get_by_label("Workers of pool default").fill("3")
    page.get_by_label("Scale pool default").click()
    page.locator("#confirm-yes").click()
    expect(page.locator("#slot-default-3")).to_have_attribute("data-state", "ready")


def test_the_commands_to_try_are_of_types_that_are_there_and_work_and_a_lost_api_is_told(
    start_system: Any, page: Page
) -> None:
    """When it returns, the page has no gap."""
    system = start_system("pools.default.workers=1", 'jobs.modules=["tests.browser.page_jobs"]')
    system.wait_until_ready()
    dashboard = Dashboard(page, system)
    dashboard.open()
    commands = page.locator("#first-commands code")
    expect(commands).to_have_count(3)
    names = {one["name"] for one in system.get("/types")["items"]}
    assert "sum_range" not in names
    for command in commands.all_inner_texts():
        done = subprocess.run(shlex.split(command), capture_output=True, check=True)
        assert json.loads(done.stdout)["type"] in names
    port = system.url.rpartition(":")[2]
    system.stop()
    expect(page.locator("#banner")).to_be_visible()
    expect(page.locator("#banner")).to_contain_text("Orpheus was stopped")
    expect(page).to_have_title(re.compile("✕"))
    expect(page.locator("#verdict")).to_have_text("Orpheus was stopped.")
    expect(page.locator("#verdict")).not_to_have_class("alarm")
    again = start_system(f"api.port={port}", f"database.url=sqlite:///{system.database}")
    job_id = again.submit("sum_range", {"n": 3})
    expect(page.locator("#banner")).to_be_hidden()
    row = page.locator(f"#rows tr[data-id='{job_id}']")
    expect(row).to_have_attribute("data-status", "done")
    assert dashboard.never_reloaded()
    assert dashboard.problems == []


def test_a_paused_table_shows_later_what_came_meanwhile_and_a_lost_stream_makes_it_read_anew(
    lasting_dashboard: Any,
) -> None:
    sockets: list[WebSocketRoute] = []

    def relay(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    lasting_dashboard.page.route_web_socket(re.compile("/ws$"), relay)
    page = lasting_dashboard.open("/ui/jobs?tag=reset")
    page.keyboard.press("p")
    expect(page.locator("#pause")).to_have_attribute("aria-pressed", "true")
    lasting_dashboard.system.submit("sum_range", {"n": 2}, tags=["reset"])
    expect(page.locator("#by-status [data-status=done] b")).not_to_have_text("–")
    expect(page.locator("#rows tr")).to_have_count(0)
    page.keyboard.press("p")
    expect(page.locator("#rows tr[data-status=done]")).to_have_count(1)

    with page.expect_request(lambda request: "/jobs?" in request.url):
        sockets[0].close()
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    lasting_dashboard.system.submit("sum_range", {"n": 1}, tags=["reset"])
    expect(page.locator("#rows tr[data-status=done]")).to_have_count(2)


def test_the_keyboard_reaches_everything_and_theme_and_zone_are_remembered(
    lasting_dashboard: Any,
) -> None:
    page = lasting_dashboard.open()
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    page.keyboard.type("gw")
    expect(page.locator("#workers > summary")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.locator("#query")).to_be_focused()

    page.locator("#theme").click()
    page.locator("#theme").click()
    page.locator("#zone").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("#theme")).to_have_text("dark")
    expect(page.locator("#zone")).to_have_text("UTC")


@READ_ONLY
def test_read_only_pages_offer_nothing_that_is_refused(page: Page, read_only_system: Any) -> None:
    system = read_only_system
    changes = re.compile(
        "restart|drain|start|scale|pause queue|resume|run now|retry|cancel|delete|save|apply"
        "|submit|release",
        re.IGNORECASE,
    )

    def without_file(route: Route) -> None:
        answer = route.fetch().json()
        answer["in_force"] |= {"file": None, "version": None}
        route.fulfill(json=answer)

    intercept(page, "**/config", without_file)
    no_job: dict[str, Any] = {
        "items": [],
        "next_cursor": None,
        "total": {"value": 0, "relation": "eq"},
    }
    intercept(page, "**/jobs?*", lambda route: route.fulfill(json=no_job))
    page.goto(f"{system.url}/")
    first = page.locator("#first-steps")
    expect(first).to_contain_text("There are no jobs yet")
    expect(page.locator("#read-only")).to_contain_text("api.read_only")
    expect(first.locator("li, a, button")).to_have_count(0)
    for path in (
        "",  # the same page
        "/ui/queues",
        "/ui/schedules",
        "/ui/types",
        "/ui/errors",
        "/ui/configuration",
    ):
        if path:
            page.goto(system.url + path)
        page.locator("#connection[data-state=live]").wait_for()
        if not path:
            page.locator("#slots .more").first.click()
        offered = page.locator("button:visible").all_inner_texts()
        assert [text for text in offered if changes.search(text)] == [], path
    expect(page.locator("#in-force")).to_contain_text("In force since ")
