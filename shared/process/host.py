"""The name of this host."""

import functools


@functools.cache
def own_host() -> str:
    """Return the host's name as it was when this process first asked.

    A supervisor asks, and hands the name to its children: so all of them have one name even if that
    of the machine changes while they run.
    """
    import socket  # noqa: PLC0415 - many commands import this module, and few ask

    return socket.gethostname()
