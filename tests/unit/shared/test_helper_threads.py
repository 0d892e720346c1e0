"""Threads that leave signals to the main thread."""

import signal
import threading
from collections.abc import Set as AbstractSet
from queue import SimpleQueue
from typing import Any, cast

import pytest

from orpheus.shared.helper_threads import start_without_signals
from orpheus.worker.database_queries import QueriesThread
from tests.machine import PATIENCE_S

Masks = SimpleQueue[AbstractSet[int]]


def blocked() -> AbstractSet[int]:
    """The signals that are blocked in this thread."""
    return signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_a_helper_takes_no_signal_and_the_main_thread_takes_all_as_before() -> None:
    masks: Masks = SimpleQueue()
    before = blocked()
    start_without_signals(threading.Thread(target=lambda: masks.put(blocked())))
    assert {signal.SIGTERM, signal.SIGINT, signal.SIGHUP} <= masks.get(timeout=PATIENCE_S)
    assert blocked() == before


def test_the_thread_of_queries_is_such_a_helper(monkeypatch: pytest.MonkeyPatch) -> None:
    masks: Masks = SimpleQueue()

    def answer(asked: QueriesThread) -> None:
        masks.put(blocked())
        asked._asked.get()[1].put(([], None))

    monkeypatch.setattr(QueriesThread, "_run", answer)
    assert QueriesThread(cast("Any", None)).dependencies(7) == []  # the first question starts it
    assert signal.SIGTERM in masks.get(timeout=PATIENCE_S)
