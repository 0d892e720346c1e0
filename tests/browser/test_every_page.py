"""What holds on all pages: readable by everyone, in both schemes, on a phone and with a finger."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.examine import examine
from tests.browser.layout import overprints, small_targets

PHONE = {"width": 360, "height": 740}
WIDE = {"width": 1280, "height": 720}
WIDTHS = (360, 480, 700, 768, 1000, 1001, 1240, 1480, 1920)
PATHS = {
    "/": "#rows tr[data-id]",
    "/ui/jobs?tag=a-long-tag": "#rows tr[data-id]",
    "/ui/queues": "#rows tr td",
    "/ui/schedules": "#rows tr td",
    "/ui/types": "#rows tr td",
    "/ui/errors": "#rows .error",
    "/ui/history": "#events li",
    "/ui/audit": "#rows .on a",
    "/ui/configuration": "#settings tr",
    "/ui/submit?type=ship": "#payload-to",
}


def pages(dashboard: Any, *, is_done_too: bool) -> list[tuple[str, str]]:
    """Each page, and what shows its content; one job has failed, one has a graph."""
    system = dashboard.system
    tags = ["eu", "a-long-tag"]
    failed = system.submit("flaky", {"failures": 1, "permanent": True}, tags=tags)
    done = system.submit("wordcount", {"text": "a text that goes on and on " * 20}, tags=tags)
    first = system.submit("step")
    second = system.submit("step", depends_on=[first])
    third = system.submit("step", depends_on=[first, second])
    for job in (failed, done, third):
        system.wait_for_job(job)
    for action in ("pause", "resume"):  # something for the audit log
        system.client.post(f"/queues/measured/{action}")
    jobs = {f"/ui/jobs/{job}": "#timeline .span" for job in (failed, *[done] * is_done_too)}
    return [*PATHS.items(), *jobs.items(), (f"/ui/jobs/{second}", "#graph .node")]


def examine_disconnected(page: Page, sockets: list[WebSocketRoute]) -> None:
    """It may stay open so for hours: that it is old is seen, but nothing in it is too pale."""
    page.context.set_offline(True)
    sockets[-1].close()  # a socket that stays open offline costs Chromium a whole core
    expect(page.locator("#connection")).to_have_attribute("data-state", "lost")
    expect(page.locator("#banner")).to_be_visible()
    examine(page, "disconnected")
    page.context.set_offline(False)


@pytest.mark.parametrize(
    "widths",
    [
        pytest.param((360, 768, 1001, 1480), id="some widths"),
        pytest.param(WIDTHS, id="all widths", marks=pytest.mark.long),
    ],
)
def test_everyone_can_read_it_even_disconnected_and_a_finger_finds_all_that_can_be_pressed(
    lasting_dashboard: Any, widths: tuple[int, ...]
) -> None:
    small, over, wide = {}, {}, {}
    sockets: list[WebSocketRoute] = []

    def relay(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    lasting_dashboard.page.route_web_socket(re.compile("/ws"), relay)
    for path, shown in pages(lasting_dashboard, is_done_too=widths == WIDTHS):
        lasting_dashboard.page.set_viewport_size(PHONE)
        lasting_dashboard.page.emulate_media(color_scheme="light", reduced_motion="no-preference")
        page = lasting_dashboard.open(path)
        page.locator(shown).first.wait_for()
        wide[path] = page.evaluate("document.documentElement.scrollWidth")
        small[path] = small_targets(page)
        if shown == "#rows tr td":  # a number in a row leads to its jobs: it is as small as text
            small[path] = [target for target in small[path] if not target.startswith("<a ")]
        page.evaluate("scrollTo(0, 0)")  # else the bar of actions lies over rows, as it should
        for width in widths:
            page.set_viewport_size({"width": width, "height": 900})
            over[path, width] = overprints(page)
        page.set_viewport_size(WIDE)
        examine(page)
        if path == "/":
            examine_disconnected(page, sockets)
    assert {path: most for path, most in wide.items() if most > PHONE["width"]} == {}
    assert {path: targets for path, targets in small.items() if targets} == {}
    assert {at: texts for at, texts in over.items() if texts} == {}


def test_sections_lead_to_pages_that_exist_and_a_measure_of_overprints_finds_one(
    lasting_dashboard: Any,
) -> None:
    page = lasting_dashboard.open()
    page.evaluate("document.querySelector('#sentence').style.marginTop = '-30px'")
    assert overprints(page) != []
    links = page.locator(".sections a").evaluate_all("links => links.map(a => a.href)")
    for link in links:
        assert lasting_dashboard.system.client.get(link).status_code == 200, link
    page.locator(".sections").get_by_role("link", name="Submit").click()
    expect(page.locator("h1")).to_have_text("Submit a job")
