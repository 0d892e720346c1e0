"""What a screen reader is told: each change once, and not what time alone changes."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Dashboard
from tests.browser.interception import intercept, stop_intercepting

HEAR = """(node) => {
    window.told = [];
    const tell = (changes) => changes.forEach(({ target }) => {
        const element = target.nodeType === Node.TEXT_NODE ? target.parentElement : target;
        if (element.closest("[role=status], [aria-live]") === node)
            window.told.push(node.textContent);
    });
    const all = { childList: true, characterData: true, subtree: true };
    new MutationObserver(tell).observe(node, all);
}"""


def test_a_lost_connection_is_told_once_and_its_return_once(lasting_dashboard: Dashboard) -> None:
    page = lasting_dashboard.open("/ui/queues")
    said = page.locator("#connection-said")
    assert said.get_attribute("role") == "status"
    said.evaluate(HEAR)
    intercept(page, "**/queues", lambda route: route.abort())
    expect(page.locator("#banner-what")).to_contain_text(re.compile(r"for ([3-9]|\d\d) s"))
    stop_intercepting(page, "**/queues")
    page.locator("#banner-now").dispatch_event("click")  # it may be hidden again already
    expect(page.locator("#banner")).to_be_hidden()
    expect(said).to_have_text("Connected again.")
    assert page.evaluate("window.told") == [
        "Disconnected. The page shows the state at that time.",
        "Connected again.",
    ]
    assert page.locator("#banner").get_attribute("role") is None


def test_why_no_job_starts_is_told_once_and_not_as_the_time_passes(
    lasting_dashboard: Dashboard, held: str
) -> None:
    lasting_dashboard.page.clock.install()
    pause = {"reason": "a release"}
    lasting_dashboard.system.client.post(f"/queues/{held}/pause", json=pause)
    page = lasting_dashboard.open(f"/ui/jobs?queue={held}")
    told = page.locator("#none-starts")
    assert told.get_attribute("role") == "status"
    since = told.locator("time")
    before = since.inner_text()
    told.evaluate(HEAR)
    page.clock.fast_forward(300_000)
    expect(since).not_to_have_text(before)
    assert page.evaluate("window.told") == []
    pause = {"reason": "another release"}
    lasting_dashboard.system.client.post(f"/queues/{held}/pause", json=pause)
    expect(told).to_contain_text("another release")
    assert len(page.evaluate("window.told")) == 1
