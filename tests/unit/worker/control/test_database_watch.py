"""What a beat says of the database."""

import threading
from typing import Any

import pytest

from orpheus.shared.errors import DatabaseFull
from orpheus.worker.control.database_watch import DatabaseWatch


def test_a_call_in_progress_is_trouble_once_it_takes_too_long() -> None:
    patient, impatient = DatabaseWatch(patience_s=60), DatabaseWatch(patience_s=0)
    with patient.call(), impatient.call():
        assert patient.is_ok()
        assert not impatient.is_ok()
    assert impatient.is_ok()


def test_trouble_is_logged_once_not_each_time_it_is_tried(monkeypatch: Any) -> None:
    told: list[str] = []
    monkeypatch.setattr(
        "orpheus.worker.control.database_watch.log.warning",
        lambda *_, reason: told.append(reason),
        raising=False,
    )
    watch = DatabaseWatch(patience_s=60)
    for _ in range(5):
        watch.tell(DatabaseFull("no space"))
    assert told == ["no space"]


def test_a_call_that_failed_is_trouble_at_once_and_until_its_thread_has_success() -> None:
    watch = DatabaseWatch(patience_s=60)
    with pytest.raises(DatabaseFull), watch.call():
        raise DatabaseFull("no space")
    assert not watch.is_ok()
    other = threading.Thread(target=lambda: watch.call().__enter__())
    other.start()
    other.join()
    assert not watch.is_ok()
    with watch.call():
        assert not watch.is_ok(), "it has not succeeded yet"
    assert watch.is_ok()
