"""Threads that leave signals to the main thread."""

import signal
import threading
from collections.abc import Set as AbstractSet
from queue import SimpleQueue
from typing import Any, cast

import pytest

from orpheus.shared.helper_threads import start_without_signals
from orpheus.shared.storage.postgres import silence
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


@pytest.mark.parametrize(
    ("helper", "start"),
    [
        (silence._All, lambda: silence._All().add(silence.Watched({}, pooled=False))),
        (QueriesThread, lambda: QueriesThread(cast("Any", None))),
    ],
)
def test_threads_of_our_own_are_such_helpers(
    monkeypatch: pytest.MonkeyPatch, helper: Any, start: Any
) -> None:
    masks: Masks = SimpleQueue()
    monkeypatch.setattr(helper, "_run", lambda _: masks.put(blocked()))
    start()
    assert signal.SIGTERM in masks.get(timeout=PATIENCE_S)
