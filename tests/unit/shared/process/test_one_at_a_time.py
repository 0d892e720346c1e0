"""Calls take turns; one that a signal handler makes inside of another is refused."""

import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from orpheus.shared.process.one_at_a_time import OneAtATime, is_inside_call
from tests.machine import PATIENCE_S

IN_USE = "the client is in use by the call that was interrupted"


@pytest.fixture
def calls() -> OneAtATime:
    return OneAtATime("client")


@pytest.fixture
def on_signal() -> Iterator[Callable[[Callable[[], object]], object]]:
    """Handles SIGUSR1 by a function."""
    before = signal.getsignal(signal.SIGUSR1)
    yield lambda handle: signal.signal(signal.SIGUSR1, lambda *_: handle())
    signal.signal(signal.SIGUSR1, before)


def interrupt() -> str:
    signal.raise_signal(signal.SIGUSR1)
    return "done"


def test_a_call_in_a_signal_handler_is_refused_and_the_interrupted_one_goes_on(
    calls: OneAtATime, on_signal: Callable[[Callable[[], object]], object]
) -> None:
    refused: list[str] = []

    def handle() -> None:
        assert is_inside_call()
        with pytest.raises(RuntimeError) as raised:
            calls.run(lambda: "joined")
        refused.append(str(raised.value))

    on_signal(handle)
    assert calls.run(interrupt) == "done"
    assert refused == [IN_USE]
    assert not is_inside_call()
    assert calls.run(lambda: "next") == "next"


def test_a_forked_child_does_not_wait_for_threads_that_it_does_not_have(
    calls: OneAtATime,
) -> None:
    thread = threading.Thread(target=calls.hold)  # as if it were the parent's, in the child
    thread.start()
    thread.join()
    calls.begin_anew()
    assert calls.run(lambda: "done") == "done"


def test_it_is_not_held_while_another_thread_is_inside_a_call(calls: OneAtATime) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def call() -> None:
        inside.set()
        assert go_on.wait(PATIENCE_S)

    thread = threading.Thread(target=calls.run, args=(call,))
    thread.start()
    assert inside.wait(PATIENCE_S)
    assert not calls.hold()
    go_on.set()
    thread.join()
    calls.wait()
    assert calls.hold()


def test_nothing_begins_while_it_is_held(calls: OneAtATime) -> None:
    assert calls.hold()
    with pytest.raises(RuntimeError, match=IN_USE):
        calls.run(lambda: "joined")
    calls.let_go()
    assert calls.run(lambda: "done") == "done"
