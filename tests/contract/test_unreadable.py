"""The files of a database are damaged while it is open, and repaired."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.errors import DatabaseUnusable
from orpheus.shared.storage import Store, database_path
from tests.sqlite_handle import handle_of

pytestmark = pytest.mark.backends("sqlite")  # It is about files.


def write_header(path: Path) -> None:
    """Let another connection write the page with the schema's version into the log."""
    other = apsw.Connection(str(path))
    other.pragma("user_version", other.pragma("user_version"))
    other.close()


def cut(log: Path) -> None:
    os.truncate(log, 100)


def overwrite(log: Path) -> None:
    with log.open("r+b") as file:
        file.write(b"\xa5" * log.stat().st_size)


def restore(log: Path, sound: bytes) -> None:
    with log.open("r+b") as file:
        file.write(sound)


def is_free(store: Store) -> bool:
    """Whether another thread could use the connection."""
    lock = handle_of(store)._lock

    def take() -> bool:
        if not lock.acquire(blocking=False):
            return False
        lock.release()
        return True

    with ThreadPoolExecutor() as thread:
        return thread.submit(take).result()


@pytest.mark.parametrize("damage", [cut, overwrite])
@pytest.mark.parametrize("look_at_s", [float("inf"), 0.0], ids=["in use", "at a look"])
def test_damage_is_told_at_each_use_until_it_is_repaired(
    store: Store, url: str, damage: Callable[[Path], None], look_at_s: float
) -> None:
    store.jobs.submit(NewJob("noop"))
    write_header(database_path(url))
    log = Path(f"{database_path(url)}-wal")
    sound = log.read_bytes()
    damage(log)
    for _ in range(3):
        handle_of(store)._look_at_s = look_at_s
        for use in (store.leases.is_work_due, lambda: store.jobs.submit(NewJob("noop"))):
            with pytest.raises(DatabaseUnusable):
                use()
            assert is_free(store)
    restore(log, sound)
    store.jobs.submit(NewJob("noop"))
    assert len(store.jobs.page(JobFilter(), 9)) == 2
