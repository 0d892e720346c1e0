"""Real processes and real faults: about three minutes of them, more by environment variables.

`CHAOS_SEED=N` chooses another campaign (its failures print it), `CHAOS_SECONDS=N` a longer one,
`CHAOS_LONG=1` the full numbers where the normal run takes smaller ones. Variables, because pytest
reads options of the conftest.py of its root alone.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.harness import SHOWN, Orpheus
from tests.conftest import folder_on_disk


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Seeds, numbers and recovery times, whether all went well or not."""
    if SHOWN:
        terminalreporter.section("chaos")
        for text in SHOWN:
            terminalreporter.write_line(text)


@pytest.fixture
def tmp_path(on_disk: Path) -> Path:
    """On a disk, where a kill may come while a commit waits for it."""
    return on_disk


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


@pytest.fixture(scope="session")
def points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder where the failpoints of the lasting Orpheus are armed."""
    return tmp_path_factory.mktemp("points")


@pytest.fixture(scope="session")
def lasting_orpheus(request: pytest.FixtureRequest, points: Path) -> Iterator[Orpheus]:
    """One with a file, which ends in order after all that the tests have done to it."""
    environment = {"ORPHEUS_TESTING": "1", "ORPHEUS_FAILPOINTS": str(points)}
    with folder_on_disk(request.session) as folder:
        one = Orpheus(folder, {}, environment=environment, by_file=True)
        yield one
        try:
            one.thaw_all()
            assert one.stop() == 0
        finally:
            one.end()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of the lasting Orpheus in one process: each process would start its own."""
    for item in items:
        if "lasting_orpheus" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("lasting Orpheus"))


@pytest.fixture
def orpheus(lasting_orpheus: Orpheus) -> Orpheus:
    """With two workers, ready: that of all files, so that a test does not pay for a start."""
    lasting_orpheus.until_healed()
    return lasting_orpheus
