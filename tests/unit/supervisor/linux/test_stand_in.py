"""How the thread that answers in the API's place is started and ended."""

import os
import socket
import threading
from pathlib import Path

import pytest

from orpheus.supervisor.linux.stand_in import StandIn
from tests.machine import PATIENCE_S


def test_it_is_woken_by_a_descriptor_that_is_still_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A closed one may belong to the database by then, which would be written to."""
    answers, before = StandIn(), threading.enumerate()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answers.answer_on(listener)
        started = [one for one in threading.enumerate() if one not in before]
        [thread] = [one for one in started if one.name == "stand-in"]
        kinds, write = list[str](), os.eventfd_write

        def write_late(fd: int, value: int) -> None:
            with socket.create_connection(listener.getsockname()):
                thread.join(0.3)  # it wakes by itself just now, and may end
            kinds.append(str(Path(f"/proc/self/fd/{fd}").readlink()))
            write(fd, value)

        monkeypatch.setattr(os, "eventfd_write", write_late)
        answers.answer_on(None)
        assert kinds == ["anon_inode:[eventfd]"]
        thread.join(10)
        assert not thread.is_alive()


def test_it_is_started_later_if_no_thread_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervisor's loop must go on, and the attempts of a minute must leave nothing open."""

    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    answers = StandIn()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with monkeypatch.context() as none_left:
            none_left.setattr(threading.Thread, "start", fail)
            before = set(Path("/proc/self/fd").iterdir())
            answers.answer_on(listener)
            assert set(Path("/proc/self/fd").iterdir()) <= before
        answers.answer_on(listener)
        with socket.create_connection(listener.getsockname(), PATIENCE_S) as client:
            client.settimeout(PATIENCE_S)
            assert client.recv(1_000).startswith(b"HTTP/1.1 503")
        answers.answer_on(None)
