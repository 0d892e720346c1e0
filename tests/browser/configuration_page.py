"""What the tests of the configuration page do with it and with its file."""

from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect

from tests.conftest import System
from tests.machine import wait_until

if TYPE_CHECKING:  # which itself has fixtures of this
    from tests.browser.conftest import Dashboard

TEXT = """[pools.default]
workers = 1 # few

[[commands]]
name = "pay"
argv = ["true"]
env = {KEY = "hush"}
"""
_KEEP_TOLD = """() => {
    window.told = [];
    const became = document.getElementById("became");
    const keep = () => window.told.push(became.textContent);
    new MutationObserver(keep).observe(became, { childList: true });
}"""


def save(page: Page, *, by_key: bool = False) -> None:
    """Save the text, and wait until the page has said so: what became of it may follow at once."""
    page.evaluate(_KEEP_TOLD)
    if by_key:
        page.keyboard.press("Enter")
    else:
        page.locator("#save").click()
    was_saved = "window.told.some((text) => text.startsWith('Saved'))"
    wait_until(lambda: page.evaluate(was_saved), "the page to say that it is saved")


def put_back(system: System, path: Path) -> None:
    """Write the file as it was, once what the test wrote last is in force or rejected.

    Otherwise the next test could find that in force, and see it go.
    """

    def is_taken() -> bool:
        versions = system.get("/config/versions")["items"]
        return any(one["in_file"] and one["in_force"] for one in versions)

    def is_refused() -> bool:
        return system.get("/config")["rejected"] is not None

    wait_until(lambda: is_taken() or is_refused(), "the supervisor to read the file")
    path.write_text(TEXT, encoding="utf-8")
    wait_until(lambda: is_taken() and not is_refused(), "a reload")


def save_by_hand(system: System, path: Path, text: str) -> None:
    """Write the file on the machine, and wait until it is in force."""
    path.write_text(text, encoding="utf-8")

    def is_in_force() -> bool:
        newest = system.get("/config/versions")["items"][0]
        return bool(newest["in_force"] and newest["in_file"])

    wait_until(is_in_force, "the supervisor to take the file")


def opened(dashboard: "Dashboard") -> Page:
    page = dashboard.open("/ui/configuration")
    expect(page.locator("#settings tr").first).to_be_visible()
    expect(page.locator("#versions li").first).to_be_visible()
    return page


def rewrite(page: Page, old: str, new: str) -> None:
    text = page.locator("#text").input_value()
    assert old in text
    page.locator("#text").fill(text.replace(old, new))
