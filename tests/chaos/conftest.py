"""Real processes and real faults: about five minutes of them, more by environment variables.

`CHAOS_SEED=N` chooses another campaign (its failures print it), `CHAOS_SECONDS=N` a longer one,
`CHAOS_LONG=1` the full numbers where the normal run takes smaller ones. Variables, because pytest
reads options of the conftest.py of its root alone.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.harness import SHOWN, Orpheus


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Seeds, numbers and recovery times, whether all went well or not."""
    if SHOWN:
        terminalreporter.section("chaos")
        for text in SHOWN:
            terminalreporter.write_line(text)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Orpheus]]:
    """Starts Orpheus with quick timings: `start({"pools.default.workers": "4"})`."""
    running: list[Orpheus] = []

    def start_one(settings: dict[str, str] | None = None, **options: Any) -> Orpheus:
        folder = tmp_path / f"orpheus-{len(running)}"
        folder.mkdir()
        running.append(Orpheus(folder, settings or {}, **options))
        return running[-1]

    yield start_one
    for one in running:
        one.end()


@pytest.fixture(scope="module")
def shared_orpheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orpheus]:
    """One for a module, which ends in order after all that its tests have done to it."""
    one = Orpheus(tmp_path_factory.mktemp("orpheus"), {})
    yield one
    try:
        one.thaw_all()
        assert one.stop() == 0
    finally:
        one.end()


@pytest.fixture
def orpheus(shared_orpheus: Orpheus) -> Orpheus:
    """With two workers, ready: the module's own, so that a test does not pay for a start."""
    shared_orpheus.until_healed()
    return shared_orpheus
