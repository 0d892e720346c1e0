"""A page that stays open from one test of a file to the next: to open it costs half a second."""

from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

import pytest
from playwright.sync_api import Page, Request, ViewportSize

from tests.browser.conftest import Dashboard, LastingContext
from tests.conftest import System
from tests.machine import wait_until

SIZE: ViewportSize = {"width": 1280, "height": 720}
# The page tells a late refusal only after its dialog has told that it was closed.
AS_NEW = """async () => {
    document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
    await new Promise((done) => setTimeout(done));
    document.querySelectorAll("#refused:not([hidden]) button, #more-concerns[aria-expanded=true]")
        .forEach((button) => button.click());
    document.querySelectorAll("details.panel").forEach((panel) => { panel.open = true; });
    getSelection().removeAllRanges();
    document.activeElement.blur();
    history.replaceState(null, "", location.pathname);
    dispatchEvent(new PopStateEvent("popstate"));
    scrollTo(0, 0);
    return Object.keys(localStorage).filter((key) => key !== "orpheus.workers");
}"""
CONNECTED = "html:not(.lost) #connection[data-state=live]"
A_FRAME = "new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"


class Calls:
    """The calls of a page that are under way."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._open: set[Request] = set()
        page.on("request", self._begun)
        page.on("requestfinished", self._ended)
        page.on("requestfailed", self._ended)

    def _begun(self, request: Request) -> None:
        if request.resource_type == "fetch":
            self._open.add(request)

    def _ended(self, request: Request) -> None:
        self._open.discard(request)

    def wait(self) -> None:
        """Wait until each has its answer, and none has followed from one."""
        wait_until(self._are_over, "the answers to the page")

    def _are_over(self) -> bool:
        were_over = not self._open
        self._page.evaluate(A_FRAME)
        return were_over and not self._open


class Forgetful(Protocol):
    """What a test gets of a page that is open already."""

    @property
    def dashboard(self) -> Dashboard: ...

    def forget(self) -> None:
        """Be as if nothing had ever been shown."""


Shown = TypeVar("Shown", bound=Forgetful)


class Kept(Generic[Shown]):
    """The page; a new one after a test that failed, or that had its own and so closed this one.

    A test on it may not choose a theme or a zone, and must answer each call that it holds.
    """

    def __init__(
        self, lasting: LastingContext, system: System, make: Callable[[Dashboard], Shown]
    ) -> None:
        self._lasting, self._system, self._make = lasting, system, make
        self._shown: Shown | None = None

    def lend(self, session: pytest.Session) -> Iterator[Shown]:
        """Give it to a test, and see that no error was written in it."""
        if self._shown is None or self._shown.dashboard.page.is_closed():
            page = self._lasting.context.new_page()
            self._shown = self._make(Dashboard(page, self._system))
            self._shown.forget()
        shown, failed = self._shown, session.testsfailed
        yield shown
        self._shown = None
        page = shown.dashboard.page
        if session.testsfailed > failed:
            page.close()
            return
        page.locator(CONNECTED).wait_for()
        page.mouse.move(0, 0)
        page.emulate_media(color_scheme="light", reduced_motion="no-preference")
        page.set_viewport_size(SIZE)
        assert page.evaluate(AS_NEW) == [], "a test has left this in the local storage"
        shown.forget()
        assert shown.dashboard.never_reloaded()
        assert shown.dashboard.problems == []
        self._shown = shown

    def end(self) -> None:
        self._lasting.clean()
