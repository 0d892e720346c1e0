"""The name of this host."""

import functools
import socket


@functools.cache
def own_host() -> str:
    """Return the host's name as it was when this process first asked.

    Only who starts others asks: a supervisor hands it to its children, so that all of them have one
    name even if that of the machine changes while they run.
    """
    return socket.gethostname()
