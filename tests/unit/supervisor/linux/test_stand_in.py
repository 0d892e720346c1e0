"""How the thread that answers in the API's place is ended."""

import os
import socket
import threading
from pathlib import Path

import pytest

from orpheus.supervisor.linux.stand_in import StandIn


def test_it_is_woken_by_a_descriptor_that_is_still_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A closed one may belong to the database by then, which would be written to."""
    answers = StandIn()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answers.answer_on(listener)
        [thread] = [one for one in threading.enumerate() if one.name == "stand-in"]
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
