"""supervisor/startup.py: one supervisor of a folder, and what a second one is told."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from orpheus.config.load import load_settings
from orpheus.config.running_settings import keep_running_settings
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


def test_a_second_one_is_told_on_which_database_of_the_folder_the_first_one_runs(
    running: StateFiles, tmp_path: Path
) -> None:
    settings = load_settings(None, [f"database.url=sqlite:///{running.database}"], {})
    keep_running_settings(running.running_settings, settings)
    who = re.escape(f"on {running.database} (process {os.getpid()})")
    with pytest.raises(AlreadyRunning, match=f"{who}; .* a database in a folder of its own"):
        lock_database(state_files(f"sqlite:///{tmp_path}/two.db"))


def test_a_second_one_is_told_of_the_lock_if_nothing_more_is_known(running: StateFiles) -> None:
    where = re.escape(f"in {running.folder} (another process holds {running.lock})")
    with pytest.raises(AlreadyRunning, match=where):
        lock_database(running)
