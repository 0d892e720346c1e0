"""What a screen reader is told: each change once, and not what time alone changes."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Dashboard

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
    page.context.set_offline(True)
    expect(page.locator("#banner-what")).to_contain_text(re.compile(r"for ([3-9]|\d\d) s"))
    page.context.set_offline(False)
    page.locator("#banner-now").dispatch_event("click")  # it may be hidden again already
    expect(page.locator("#banner")).to_be_hidden()
    expect(said).to_have_text("Connected again.")
    assert page.evaluate("window.told") == [
        "Disconnected. The page shows the state at that time.",
        "Connected again.",
    ]
    assert page.locator("#banner").get_attribute("role") is None
