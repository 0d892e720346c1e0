"""An address that cannot be bound: why, and what to do."""

import errno
import os
import socket

import pytest

from orpheus.shared.errors import CannotBind
from orpheus.shared.process.listener import bind_listener


def test_a_port_that_is_taken_can_be_freed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotBind) as refused:
            bind_listener("127.0.0.1", port)
    assert f"127.0.0.1:{port}: Address already in use; free it" in str(refused.value)


def test_a_low_port_cannot_be_freed_but_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(CannotBind, match="80: Permission denied; only root may") as refused:
        bind_listener("127.0.0.1", 80)
    assert "CAP_NET_BIND_SERVICE" in str(refused.value)
    assert "free it" not in str(refused.value)


def test_an_address_of_another_machine_is_named_as_such() -> None:
    with pytest.raises(CannotBind, match=r"api\.host must be an address of this machine"):
        bind_listener("192.0.2.1", 0)
