"""Those who wait for the write lock are woken by commits, the longest waiting first."""

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import Store
from orpheus.shared.storage.sqlite import turns
from tests.contract.conftest import Opener

pytestmark = pytest.mark.backends("sqlite")  # On PostgreSQL, writers do not take turns.


@pytest.fixture
def only_rings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody polls: who is not woken waits for the time limit of the test."""
    monkeypatch.setattr(turns, "_POLL_S", 3_600)
    monkeypatch.setattr(turns, "_LONGEST_POLL_S", 3_600)


class Waiter(threading.Thread):
    """Writes from a thread of its own, and notes when it could."""

    def __init__(
        self, open_store: Opener, wrote: list[str], name: str, *, gives_way: bool = False
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._gives_way = gives_way
        self._open_store = open_store
        self._wrote = wrote
        self.start()

    def run(self) -> None:
        store = self._open_store()
        if self._gives_way:
            store.give_way()
        with store.write(durable=False):
            store.jobs.submit(NewJob(self.name))
            self._wrote.append(self.name)

    def is_listening(self) -> bool:
        """Whether the kernel has it wait for the bell now."""
        where = Path(f"/proc/self/task/{self.native_id}/wchan")
        return self.native_id is not None and "poll" in where.read_text()


def wait_until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.001)


NAMES = ["first", "second", "third", "fourth"]


def order_of_waiters(store: Store, another: Opener, *, fails: bool) -> list[str]:
    """Let four writers wait for a transaction, one after the other; in which order they wrote."""
    wrote: list[str] = []
    waiters = []
    with contextlib.suppress(KeyError), store.write(durable=False):
        store.jobs.submit(NewJob("noop"))
        for name in NAMES:
            waiters.append(Waiter(another, wrote, name))
            wait_until(waiters[-1].is_listening)
        assert wrote == []
        if fails:
            raise KeyError
    for waiter in waiters:
        waiter.join()
    return wrote


@pytest.mark.usefixtures("only_rings")
@pytest.mark.parametrize("fails", [False, True])
def test_each_commit_or_rollback_wakes_the_one_that_has_waited_longest(
    store: Store, another: Opener, fails: bool
) -> None:
    assert order_of_waiters(store, another, fails=fails) == NAMES


@pytest.mark.usefixtures("only_rings")
def test_workers_let_one_who_does_not_give_way_write_first_however_long_they_have_waited(
    store: Store, another: Opener
) -> None:
    store.give_way()
    wrote: list[str] = []
    waiters = []
    with store.write(durable=False):
        store.jobs.submit(NewJob("noop"))
        assert not store.others_wait()
        for name in ("first worker", "second worker", "api"):
            waiters.append(Waiter(another, wrote, name, gives_way=name != "api"))
            wait_until(waiters[-1].is_listening)
        assert store.others_wait()
    for waiter in waiters:
        waiter.join()
    assert wrote == ["api", "first worker", "second worker"]
    assert not store.others_wait()


def test_a_writer_that_kept_the_lock_long_gives_way_before_it_takes_it_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused_s: list[float] = []
    fake = SimpleNamespace(monotonic=time.monotonic, sleep=paused_s.append)
    monkeypatch.setattr("orpheus.shared.storage.sqlite.turns.time", fake)
    store.jobs.submit(NewJob("noop"))
    monkeypatch.setattr(turns, "_GIVES_WAY_S", 3_600)
    monkeypatch.setattr(turns, "_LONG_HOLD_S", 3_600)
    store.jobs.submit(NewJob("noop"))
    assert paused_s == [], "it was a short transaction"
    monkeypatch.setattr(turns, "_LONG_HOLD_S", 0)
    store.jobs.submit(NewJob("noop"))
    assert len(paused_s) == 1
    assert 0 < paused_s[0] <= 3_600
