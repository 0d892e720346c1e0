"""What the renewal thread stores and when, tick by tick."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from orpheus.shared.domain.jobs import Lease
from orpheus.shared.errors import DatabaseBusy
from orpheus.shared.process.crash_cell import Cell
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.leasing.held_leases import HeldLeases
from orpheus.worker.leasing.renewal import RenewalThread

TICK_S = 0.05


class Attempt:
    """A running attempt, with a renewal thread that ticks when the test says so."""

    def __init__(self, held: HeldLeases, running: RunningAttempt) -> None:
        self.running = running
        self.held = held
        self.store = MagicMock()
        self.store.own_clock.monotonic_ms.return_value = 0
        self.store.data_changed.return_value = False
        control = SimpleNamespace(
            database=SimpleNamespace(log_failure=lambda _: None, call=contextlib.nullcontext),
            may_lease=True,
            is_alone=False,
            stop_deadline_s=float("inf"),
            jobs_done=0,
        )
        settings = SimpleNamespace(
            lease_ttl_s=30.0,
            renew_every_s=10.0,
            ahead_s=60.0,
            beat_interval_s=2.0,
            cancel_grace_s=10.0,
        )
        self.renewal = RenewalThread(
            settings,  # type: ignore[arg-type]
            self.store,
            held,
            control,  # type: ignore[arg-type]
            SimpleNamespace(incarnation="i"),  # type: ignore[arg-type]
            MagicMock(),
        )

    def tick_for(self, seconds: float, before: Callable[[float], object]) -> None:
        """Tick by tick, each after `before(now_s)`."""
        for tick in range(round(seconds / TICK_S)):
            before(tick * TICK_S)
            self.renewal._tick(tick * TICK_S)


@pytest.fixture
def attempt(make_lease: Callable[..., Lease], tmp_path: Path) -> Attempt:
    held = HeldLeases(Cell.create(tmp_path / "cell"))
    held.add([make_lease(expires_mono_ms=30_000)])
    running = held.start_next(0.0, lambda: 0)
    assert running is not None
    return Attempt(held, running)


def test_a_line_is_stored_within_a_fifth_of_a_second(attempt: Attempt) -> None:
    now: list[float] = []
    waited: list[float] = []

    def log_a_line(now_s: float) -> None:
        now.append(now_s)
        attempt.running.job_log().info(str(now_s))

    def append(_job: int, _token: int, _attempt: int, lines: list[Any]) -> bool:
        waited.extend(now[-1] - float(one.line) for one in lines)
        return True

    attempt.store.logs.append.side_effect = append
    attempt.tick_for(2.0, log_a_line)
    assert len(waited) >= 37
    assert max(waited) + TICK_S <= 0.2 + 1e-9, "it may have been logged right after the last tick"


def test_progress_is_stored_five_times_a_second_at_most_and_the_newest_counts(
    attempt: Attempt,
) -> None:
    def report(now_s: float) -> None:
        attempt.running.unsaved_progress = (now_s / 2, f"{now_s:.2f}")

    attempt.tick_for(2.0, report)
    calls = attempt.store.leases.progress.call_args_list
    times = [float(call.args[3]) for call in calls]
    assert 8 <= len(times) <= 10
    assert times == sorted(times)


def test_progress_is_not_stored_twice(attempt: Attempt) -> None:
    attempt.running.unsaved_progress = (0.5, None)
    attempt.tick_for(2.0, lambda _: None)
    assert attempt.store.leases.progress.call_count == 1
    assert attempt.store.logs.append.call_count == 0


def test_output_that_a_busy_database_refused_is_stored_later(attempt: Attempt) -> None:
    attempt.running.job_log().info("a")
    attempt.running.unsaved_progress = (0.5, "half")
    attempt.store.logs.append.side_effect = DatabaseBusy("busy")
    attempt.store.leases.progress.side_effect = DatabaseBusy("busy")
    attempt.tick_for(1.0, lambda _: None)
    attempt.store.logs.append.side_effect = None
    attempt.store.leases.progress.side_effect = None
    attempt.tick_for(2.0, lambda _: None)
    assert [one.line for one in attempt.store.logs.append.call_args.args[3]] == ["a"]
    assert attempt.store.leases.progress.call_args.args[2:] == (0.5, "half")
    assert attempt.running.unsaved_progress is None


def test_a_lease_that_could_not_be_renewed_is_lost_when_it_expires_and_not_before(
    attempt: Attempt,
) -> None:
    attempt.store.leases.renew.side_effect = DatabaseBusy("busy")
    attempt.store.own_clock.monotonic_ms.return_value = 29_999
    attempt.renewal._tick(0.0)
    assert not attempt.running.lease_lost
    attempt.store.own_clock.monotonic_ms.return_value = 30_000
    attempt.renewal._tick(0.0)
    assert attempt.running.lease_lost


def test_a_worker_that_stood_still_renews_what_has_expired_before_it_gives_up(
    attempt: Attempt,
) -> None:
    attempt.store.leases.renew.return_value = set()
    attempt.renewal._tick(0.0)
    attempt.store.own_clock.monotonic_ms.return_value = 45_000
    attempt.renewal._tick(45.0)
    assert attempt.store.leases.renew.call_args.kwargs == {"late": True}
    assert not attempt.running.lease_lost
    attempt.renewal._tick(46.0)
    attempt.store.own_clock.monotonic_ms.return_value = 80_000
    attempt.store.leases.renew.side_effect = DatabaseBusy("busy")
    for second in range(47, 55):
        attempt.renewal._tick(second)
    assert not attempt.running.lease_lost, "within one renewal after the stall"
    attempt.renewal._tick(55.0)
    assert attempt.running.lease_lost


def test_a_lease_that_was_reclaimed_meanwhile_is_lost_at_once(attempt: Attempt) -> None:
    attempt.store.leases.renew.return_value = {attempt.running.lease.token}
    attempt.renewal._tick(0.0)
    attempt.store.own_clock.monotonic_ms.return_value = 45_000
    attempt.renewal._tick(45.0)
    assert attempt.running.lease_lost


def test_leases_that_are_all_lost_are_tried_and_told_once_until_others_are_held(
    attempt: Attempt, make_lease: Callable[..., Lease], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = MagicMock()
    monkeypatch.setattr("orpheus.worker.leasing.renewal.log", log)
    renew = attempt.store.leases.renew
    renew.side_effect = lambda tokens, *_, **__: set(tokens.values()) & {70}
    attempt.store.own_clock.monotonic_ms.return_value = 25_000
    attempt.tick_for(2.0, lambda _: None)
    assert [call.args[0] for call in renew.call_args_list] == [{7: 70}]
    assert [call.args[0] for call in log.warning.call_args_list] == ["leases_lost"]
    attempt.held.add([make_lease(job_id=8, token=80, expires_mono_ms=30_000)])
    attempt.tick_for(2.0, lambda _: None)
    assert [call.args[0] for call in renew.call_args_list] == [{7: 70}, {8: 80}]
    assert attempt.held.expires_mono_ms == 55_000
    assert log.warning.call_count == 1


def test_at_its_end_it_looks_once_more_and_deletes_its_row_even_if_that_fails(
    attempt: Attempt,
) -> None:
    attempt.held.doubt_since_s = now_s = time.monotonic()
    attempt.renewal._unknown.look(now_s)
    attempt.store.leases.release_unknown.side_effect = DatabaseBusy("busy")
    attempt.renewal._stopped = True
    attempt.renewal.run()
    assert attempt.store.leases.release_unknown.call_count == 2
    attempt.store.processes.forget.assert_called_once_with("i")
    attempt.store.close.assert_called_once()


def test_while_no_job_runs_the_thread_sleeps_and_the_main_thread_writes_the_row_at_each_beat(
    tmp_path: Path, wait_for: Callable[..., Any]
) -> None:
    idle = Attempt(HeldLeases(Cell.create(tmp_path / "cell")), MagicMock())
    renewal, beats = idle.renewal, idle.store.processes.beat
    renewal.main_looks = True
    renewal.start()
    wait_for(lambda: renewal.is_asleep, "the thread to sleep")
    told = beats.call_count
    beat_s = renewal._next_beat_s
    for now_s in (beat_s - 1, beat_s, beat_s + 1, beat_s + 2):
        renewal.look(now_s)
    assert (beats.call_count - told, renewal.is_asleep) == (2, True)
    renewal.stop()


def test_a_thread_whose_call_has_failed_looks_again_itself(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the beats would say for ever that the database does not answer."""
    waits: list[float | None] = []
    monkeypatch.setattr(attempt.renewal._woken, "wait", waits.append)
    monkeypatch.setattr(attempt.held, "is_empty", lambda: True)
    monkeypatch.setattr(attempt.held, "attempts", lambda: ())
    attempt.renewal.main_looks = True
    for error in (DatabaseBusy("busy"), None):
        attempt.store.processes.beat.side_effect = error
        attempt.renewal._next_beat_s = 0.0
        attempt.renewal._tick(4.0)
        attempt.renewal._sleep(4.0)
    assert waits == [2.0, None]


def test_that_the_main_thread_looks_late_or_becomes_ready_meanwhile_is_no_stall(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may wait for the write lock. Else results would be renewed first, and a stall be told."""
    monkeypatch.setattr(attempt.renewal._woken, "wait", lambda _: None)
    monkeypatch.setattr(attempt.held, "is_empty", lambda: True)
    monkeypatch.setattr(attempt.held, "attempts", lambda: ())
    attempt.renewal.main_looks = True
    attempt.renewal._tick(4.0)
    attempt.renewal.set_ready()
    attempt.renewal._sleep(4.0)
    attempt.renewal.is_asleep = True
    for now_s in (4.1, 12.0):
        attempt.renewal.look(now_s)
        assert attempt.held.stall.is_calm(now_s)
    assert attempt.store.processes.beat.call_args.kwargs["ready"] is True
