"""An address that cannot be bound: why, and what to do."""

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
