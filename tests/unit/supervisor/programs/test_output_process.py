"""The process that keeps output, without its process: when it reads, and when it rests."""

import os
import select
import socket

import pytest

from orpheus.supervisor.programs.message import Packets
from orpheus.supervisor.programs.output_process import Reader, WriterThread


class CountingPoll:
    """A poll that notes what was ready; from the second call on, the program is gone."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self.register, self.unregister = self._poll.register, self._poll.unregister
        self.found: list[int] = []
        self.program_end = -1

    def poll(self) -> list[tuple[int, int]]:
        if self.found and self.program_end >= 0:
            os.close(self.program_end)
            self.program_end = -1
        ready = self._poll.poll()
        self.found += [fd for fd, _ in ready]
        return ready


def test_a_supervisor_that_dies_before_it_is_told_that_a_program_is_ready_is_not_polled_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    poll = CountingPoll()
    monkeypatch.setattr(select, "poll", lambda: poll)
    supervisor, own = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    reader = Reader(Packets(own), WriterThread())
    out, poll.program_end = os.pipe()
    err, err_end = os.pipe()
    os.close(err_end)
    message = {
        "do": "open", "slot": "web-1", "folder": f"{tmp_path}/web-1", "size_bytes": 65_536,
        "files": 2, "incarnation": "life-1", "ready_line": "up", "note": "",
    }  # fmt: skip
    reader._open(message, [out, err])
    os.write(poll.program_end, b"up\n")
    supervisor.close()
    reader.run()  # until the program has ended
    assert poll.found.count(own.fileno()) == 1
    own.close()
