"""supervisor/startup.py: one supervisor of a folder, and what a second one is told."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from orpheus.shared.errors import AlreadyRunning
from orpheus.shared.process.state_files import StateFiles
from orpheus.shared.storage import state_files
from orpheus.supervisor.startup import lock_database


@pytest.fixture
def running(tmp_path: Path) -> Iterator[StateFiles]:
    """The files of a supervisor on one.db: it holds the lock."""
    state = state_files(f"sqlite:///{tmp_path}/one.db")
    lock_fd = lock_database(state)
    yield state
    os.close(lock_fd)


def test_a_second_one_is_told_of_the_lock(running: StateFiles, tmp_path: Path) -> None:
    where = re.escape(f"another process holds {running.lock}; stop it first")
    with pytest.raises(AlreadyRunning, match=where):
        lock_database(state_files(f"sqlite:///{tmp_path}/two.db"))
