"""Chromium on the whole running system. What every page must keep is checked after every test."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Request,
    expect,
)

from tests.browser.configuration_page import TEXT, put_back
from tests.browser.panel import Panel
from tests.conftest import System
from tests.machine import PATIENCE_S, wait_until

expect.set_options(timeout=PATIENCE_S * 1000)
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first that is there is used. The shell has no windows: a page costs it a quarter."""
NIGHTLY = (
    '{name="nightly", cron="0 3 * * MON-FRI", timezone="Europe/Vienna", type="wordcount",'
    ' payload={text="good night"}}'
)
OFTEN = '{name="often", every="1h", type="echo", payload={value=1, fail=true}}'
SAY = '{name="say", argv=["echo", "{word}", "{times}"]}'
MODULES = (
    '["orpheus.worker.handlers", "tests.browser.hostile_jobs", "tests.browser.page_jobs",'
    ' "tests.browser.shaped_jobs"]'
)
# Refusals and lost connections are what some tests are about; Chromium writes them all down.
EXPECTED = ("Failed to load resource", "WebSocket connection to")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The system's Chromium. Without it: skip on a laptop, fail in CI."""
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        why = f"no Chromium found: install one of {', '.join(BROWSERS)}"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    quiet = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        # Pages share the process that draws them, which the first one starts.
        "--in-process-gpu",
        "--renderer-process-limit=1",
    ]
    return {**browser_type_launch_args, "executable_path": path, "args": quiet}


@pytest.fixture(scope="session")
def base_url() -> None:
    """None: the tests have several systems. (The plugin's own fixture warns about pytest 10.)"""


class LastingContext:
    """A context of the browser that one test after the other gets as if it were new.

    An empty page of it stays open, and with it the process that draws pages, which knows the
    scripts of the dashboard already: a test's first page then costs half.
    """

    def __init__(self, browser: Browser, options: dict[str, Any]) -> None:
        self._browser, self._options = browser, options
        self._make()

    def _make(self) -> None:
        self.context = self._browser.new_context(**self._options)
        self._kept = self.context.new_page()
        self._session = self.context.new_cdp_session(self._kept)

    def clean(self) -> None:
        """Close the pages of a test and forget what it left, but for routes of the whole context.

        A clock cannot be taken out, and a crashed page answers nothing more.
        """
        for page in self.context.pages:
            if page != self._kept:
                page.close()
        if self._must_be_new():
            self.context.close()
            self._make()
            return
        self.context.set_offline(False)
        everything = {"origin": "*", "storageTypes": "all"}
        self._session.send("Storage.clearDataForOrigin", everything)

    def _must_be_new(self) -> bool:
        try:
            return bool(self._kept.evaluate("'__pwClock' in globalThis"))
        except Error:
            return True


@pytest.fixture(scope="session")
def lasting_context(browser: Browser, browser_context_args: dict[str, Any]) -> LastingContext:
    return LastingContext(browser, browser_context_args)


@pytest.fixture
def context(lasting_context: LastingContext) -> Iterator[BrowserContext]:
    """As new. (The plugin's own makes one for each test, and with it a process.)"""
    yield lasting_context.context
    lasting_context.clean()


class Dashboard:
    """A page of the dashboard and all that went wrong in it."""

    def __init__(self, page: Page, system: Any) -> None:
        self.page = page
        self.system = system
        self.problems: list[str] = []
        page.set_default_timeout(PATIENCE_S * 1000)  # of a click or a goto, as of expect
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", self._asked)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(EXPECTED):
            self.problems.append(message.text)

    def _asked(self, request: Request) -> None:
        own = (self.system.url, "data:", "blob:")
        if not request.url.startswith(own):
            self.problems.append(f"asked another host: {request.url}")

    def open(self, path: str = "/") -> Page:
        """Go there, and wait until the stream is live and what the page is about is shown."""
        self.page.goto(self.system.url + path)
        self.page.locator("#connection[data-state=live]").wait_for()
        awaited = r"#rows[aria-busy], h1#verdict:text-matches('^\\s*$')"
        expect(self.page.locator(awaited)).to_have_count(0)
        # A reload would lose it.
        self.page.evaluate("window.loadedOnce = true")
        return self.page

    def never_reloaded(self) -> bool:
        """Whether this is still the document that was opened."""
        return bool(self.page.evaluate("window.loadedOnce === true"))


@pytest.fixture
def dashboard(page: Page, system: Any) -> Iterator[Dashboard]:
    """A page on a running Orpheus with two workers. No error, no foreign host, no CSP violation."""
    watched = Dashboard(page, system)
    yield watched
    assert watched.problems == []


@pytest.fixture(scope="session")
def lasting_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One that lasts: most tests take less time than the start of an Orpheus.

    It knows the job types of tests/browser/hostile_jobs.py, tests/browser/page_jobs.py and
    tests/browser/shaped_jobs.py, and the command `say`. No test leaves a job that runs.
    """
    system = System(
        tmp_path_factory.mktemp("lasting"),
        "pools.default.workers=2",
        f"jobs.modules={MODULES}",
        "jobs.backoff_base=100ms",
        "queues.limited.max_running=4",
        "queues.limited.rate=100/s",
        f"commands=[{SAY}]",
        f"schedules=[{NIGHTLY}, {OFTEN}]",
    )
    try:
        system.wait_until_ready()
        yield system
    finally:
        system.end()


@pytest.fixture
def lasting_dashboard(page: Page, lasting_system: System) -> Iterator[Dashboard]:
    """A page on the Orpheus that lasts, for a test that minds no job of another test."""
    watched = Dashboard(page, lasting_system)
    yield watched
    assert watched.problems == []


@pytest.fixture
def panel(lasting_dashboard: Dashboard) -> Panel:
    """The overview, with workers that a test makes up."""
    return Panel(lasting_dashboard)


READ_ONLY = pytest.mark.xdist_group("read only")
"""Of the tests that get `read_only_system`: they run in one process."""


@pytest.fixture(scope="session")
def read_only_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One whose API changes nothing, with a file of its own."""
    folder = tmp_path_factory.mktemp("read-only")
    path = folder / "own.toml"
    path.write_text(TEXT, encoding="utf-8")
    system = System(
        folder,
        "api.read_only=true",
        "queues.mail.max_running=1",
        "queues.mail.paused=true",
        f"schedules=[{NIGHTLY}]",
        config=path,
    )
    try:
        system.wait_until_ready()
        yield system
    finally:
        system.end()


@pytest.fixture(scope="module")
def shared_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared") / "own.toml"


@pytest.fixture(scope="module")
def shared_system(shared_path: Path) -> Iterator[System]:
    """With a file of its own, for the tests that save nothing which restarts the API."""
    shared_path.write_text(TEXT, encoding="utf-8")
    system = System(shared_path.parent, config=shared_path)
    try:
        system.wait_until_ready()
        yield system
    finally:
        system.end()


@pytest.fixture
def shared(page: Page, shared_system: System, shared_path: Path) -> Iterator[Dashboard]:
    """A page on the Orpheus of this module; afterwards, its file is as it was, and in force."""
    watched = Dashboard(page, shared_system)
    yield watched
    if not shared_path.exists() or shared_path.read_text(encoding="utf-8") != TEXT:
        put_back(shared_system, shared_path)
    assert watched.problems == []


@pytest.fixture
def fail(lasting_system: Any) -> Callable[..., list[int]]:
    """Submit jobs with a tag that fail, all in one call; wait until they have."""

    def fail(times: int, tag: str) -> list[int]:
        job = {"type": "flaky", "payload": {"failures": 1, "permanent": True}, "tags": [tag]}
        answer = lasting_system.client.post("/jobs/batch", json={"jobs": [job] * times})
        ids: list[int] = answer.json()["ids"]
        failed = {"action": "retry", "filter": {"ids": ids}, "dry_run": True}

        def have_failed() -> bool:
            counted = lasting_system.client.post("/jobs/bulk", json=failed).json()
            return bool(counted["changed"] == times)

        # A worker takes several at once, so the last ones may end before others.
        wait_until(have_failed, f"{times} jobs to fail")
        return ids

    return fail


@pytest.fixture
def held(lasting_system: Any) -> Iterator[str]:
    """A queue that is paused: its jobs wait."""
    lasting_system.client.post("/queues/held/pause", json={})
    yield "held"
    body = {"action": "cancel", "filter": {"queue": "held"}}
    lasting_system.client.post("/jobs/bulk", json=body)
    lasting_system.client.post("/queues/held/resume", json={})
