"""What the start prints, and where it refuses to run."""

import socket

import pytest

from orpheus.config.settings import Settings
from orpheus.supervisor.plan.configuration import Configuration
from orpheus.supervisor.run import _announce
from tests.machine import wait_until


def test_the_address_that_is_printed_is_the_one_that_a_reload_has_put_in_force(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as new:
        configuration = Configuration(Settings(), socket.create_server(("127.0.0.1", 0)), "")
        assert configuration.listener is not None
        configuration.listener.close()  # by the reload, once the old API had ended
        configuration.adopt(Settings(), new, "")
        _announce(configuration, [])
        address = f"http://127.0.0.1:{new.getsockname()[1]}"
        assert address in wait_until(lambda: capfd.readouterr().out, "the address")
