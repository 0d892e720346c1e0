"""Which drainers run, and since when."""

from threading import Event, Thread
from typing import Any, cast

import pytest
from msgspec.structs import replace

from orpheus.supervisor.outbox.drainer import Drainer, OutboxSettings
from orpheus.supervisor.outbox.drainers import Drainers
from tests.machine import wait_until


def test_an_outbox_for_which_no_thread_is_left_is_drained_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    may_end, drained_by = Event(), list[float]()

    def turn(drainer: Drainer) -> float:
        may_end.wait()
        drained_by.append(drainer.settings.poll_s)
        return 1_000.0

    def fail(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Drainer, "_turn", turn)
    unused = cast("Any", None)
    first = OutboxSettings("shop", "sqlite:///shop.db", "outbox", 1.0, unused, unused, 1)
    drainers = Drainers()
    drainers.adopt([first])
    with monkeypatch.context() as none_left:
        none_left.setattr(Thread, "start", fail)
        drainers.adopt([replace(first, poll_s=2.0)])
        drainers.adopt([replace(first, poll_s=3.0)])
        assert drainers.trouble() == "outbox shop: can't start new thread"
    drainers.turn()
    may_end.set()
    wait_until(lambda: len(drained_by) == 2, "both that could be started to have drained")
    assert drained_by == [1.0, 3.0], "the second waits for the first, however many lie between"
    with monkeypatch.context() as none_left:
        none_left.setattr(Thread, "start", fail)
        drainers.adopt([replace(first, poll_s=4.0)])
    drainers.stop(10)
