"""The name of this host."""

import functools


@functools.cache
def own_host() -> str:
    """Return the host's name as it was when this process first asked.

    Only who starts others asks: a supervisor hands it to its children, so that all of them have one
    name even if that of the machine changes while they run.
    """
    import socket  # noqa: PLC0415 - many commands import this module, and few ask

    return socket.gethostname()
