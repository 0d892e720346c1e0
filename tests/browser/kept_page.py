"""A page that stays open from one test of a file to the next: to open it costs half a second."""

from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

import pytest
from playwright.sync_api import ViewportSize

from tests.browser.conftest import Dashboard, LastingContext
from tests.conftest import System

SIZE: ViewportSize = {"width": 1280, "height": 720}
AS_NEW = """() => {
    document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
    document.activeElement.blur();
    scrollTo(0, 0);
}"""


class Forgetful(Protocol):
    """What a test gets of a page that is open already."""

    @property
    def dashboard(self) -> Dashboard: ...

    def forget(self) -> None:
        """Be as if nothing had ever been shown."""


Shown = TypeVar("Shown", bound=Forgetful)


class Kept(Generic[Shown]):
    """The page; a new one after a test that failed, or that had its own and so closed this one."""

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
        page.evaluate(AS_NEW)
        page.mouse.move(0, 0)
        page.set_viewport_size(SIZE)
        shown.forget()
        assert shown.dashboard.problems == []
        self._shown = shown

    def end(self) -> None:
        self._lasting.clean()
