"""The context of the browser that tests get one after the other is as new for each."""

from typing import Any

from tests.browser.conftest import LastingContext
from tests.conftest import System

LEAVE = """
async () => {
    localStorage.left = sessionStorage.left = document.cookie = "left=1";
    const opened = indexedDB.open("left");
    await new Promise((done, failed) => { opened.onsuccess = done; opened.onerror = failed; });
}
"""
FIND = """
async () => [
    Object.keys(localStorage), Object.keys(sessionStorage), document.cookie,
    (await indexedDB.databases()).length,
]
"""


def page_of(lasting_context: LastingContext, system: System) -> Any:
    page = lasting_context.context.new_page()
    page.goto(f"{system.url}/healthz")
    return page


def test_nothing_is_left_of_what_a_page_has_kept(
    lasting_context: LastingContext, lasting_system: System
) -> None:
    earlier = page_of(lasting_context, lasting_system)
    earlier.evaluate(LEAVE)
    assert earlier.evaluate(FIND) == [["left"], ["left"], "left=1", 1]
    lasting_context.clean()
    assert earlier.is_closed()
    later = page_of(lasting_context, lasting_system)
    assert later.evaluate(FIND) == [[], [], "", 0]
    lasting_context.clean()


def test_whoever_is_cut_off_is_online_again(
    lasting_context: LastingContext, lasting_system: System
) -> None:
    lasting_context.context.set_offline(True)
    lasting_context.clean()
    assert page_of(lasting_context, lasting_system).evaluate("navigator.onLine")
    lasting_context.clean()


def test_a_clock_of_a_test_goes_with_it(
    lasting_context: LastingContext, lasting_system: System
) -> None:
    page_of(lasting_context, lasting_system).clock.set_fixed_time(1_000)
    assert lasting_context.context.pages[-1].evaluate("Date.now()") == 1_000_000
    lasting_context.clean()
    assert page_of(lasting_context, lasting_system).evaluate("Date.now()") > 1_700_000_000_000
    lasting_context.clean()
