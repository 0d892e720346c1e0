"""The log stays short while others read, and a reader that stays delays nobody for long."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import apsw
import pytest

from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import Store, database_path
from tests.contract.conftest import Opener
from tests.sqlite_handle import handle_of

pytestmark = pytest.mark.backends("sqlite")  # It is about a file.

MIB = 2**20
BATCH = [NewJob("noop", f'"{"x" * 4_000}"')] * 250  # about a MiB


class Readers:
    """Two readers, of whom one always has a snapshot: each begins before the other ends."""

    def __init__(self, another: Opener) -> None:
        self._stores = [another(), another()]
        self._snapshot = contextlib.ExitStack()
        self.hand_over()

    def hand_over(self) -> None:
        """Begin a snapshot of now, then end the older one."""
        older, self._snapshot = self._snapshot, contextlib.ExitStack()
        self._stores.reverse()
        self._snapshot.enter_context(self._stores[0].snapshot())
        self._stores[0].stats.counts()
        older.close()

    def end(self) -> None:
        """Read no longer."""
        self._snapshot.close()


class FakeTime:
    """Stands still but for the steps of a busy handler; during each, something may happen."""

    def __init__(self, happens: Callable[[], object]) -> None:
        self.now_s = 0.0
        self._happens = happens

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        fake = SimpleNamespace(monotonic=lambda: self.now_s, sleep=self._sleep)
        monkeypatch.setattr("orpheus.shared.storage.sqlite.apsw_errors.time", fake)

    def _sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self._happens()


def write_mib(store: Store, n: int, between: Callable[[], object] = lambda: None) -> int:
    """Write so many MiB; return the greatest length of the log meanwhile."""
    longest = 0
    for _ in range(n):
        store.jobs.submit_many(BATCH)
        longest = max(longest, store.maintenance.wal_bytes())
        between()
    return longest


def test_readers_that_always_overlap_keep_the_log_short(
    store: Store, another: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = Readers(another)
    FakeTime(readers.hand_over).patch(monkeypatch)
    assert write_mib(store, 60, between=readers.hand_over) < 12 * MIB
    readers.end()


def test_a_reader_that_stays_delays_writers_little_and_the_log_is_short_once_it_ends(
    store: Store, another: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Readers(another)
    time = FakeTime(lambda: None)
    time.patch(monkeypatch)
    assert write_mib(store, 60) > 60 * MIB
    assert 0 < time.now_s < 0.5
    reader.end()
    write_mib(store, 10)
    wal_bytes = store.maintenance.wal_bytes()
    write_mib(store, 30)
    assert store.maintenance.wal_bytes() <= wal_bytes  # it is written from its start again


def test_a_commit_stands_if_the_log_cannot_be_moved_after_it(
    store: Store, another: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Readers(another)
    tries: list[None] = []

    def fail() -> None:
        tries.append(None)
        raise apsw.FullError

    FakeTime(fail).patch(monkeypatch)
    write_mib(store, 10)
    assert tries
    assert store.stats.counts()[Status.PENDING] == 10 * len(BATCH)
    reader.end()


def test_a_commit_stands_if_another_is_half_done_when_it_looks_at_the_length_of_the_log(
    url: str, store: Store, another: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, turns = another(), handle_of(store).turns
    after_commit = turns.after_commit

    def between_halves(connection: apsw.Connection) -> None:
        with Path(f"{database_path(url)}-shm").open("r+b") as index, other.write(durable=False):
            header = index.read(48)
            index.seek(0)
            index.write(bytes(48))  # there are two copies, which are the same between commits
            index.flush()
            try:
                after_commit(connection)
            finally:
                index.seek(0)
                index.write(header)

    monkeypatch.setattr(turns, "after_commit", between_halves)
    store.jobs.submit(NewJob("noop"))
    assert store.stats.counts()[Status.PENDING] == 1
