"""What a beat says of the database."""

import threading

import pytest

from orpheus.shared.errors import Contended, DatabaseFull
from orpheus.worker.control.database_watch import DatabaseWatch


def test_a_call_in_progress_counts_as_failed_once_it_takes_too_long() -> None:
    patient, impatient = DatabaseWatch(slow_after_s=60), DatabaseWatch(slow_after_s=0)
    with patient.call(), impatient.call():
        assert patient.is_ok()
        assert not impatient.is_ok()
    assert impatient.is_ok()


def test_a_failed_call_counts_until_a_call_of_the_same_thread_succeeds() -> None:
    watch = DatabaseWatch(slow_after_s=60)
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


def test_a_call_that_waited_in_vain_for_another_transaction_shows_no_trouble() -> None:
    watch = DatabaseWatch(60.0)
    with pytest.raises(Contended), watch.call():
        raise Contended("another transaction has held the rows for too long")
    assert watch.is_ok()
