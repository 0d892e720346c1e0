"""The API's listening socket: bound by the supervisor, or by the API when it runs alone."""

import errno
import socket
from collections.abc import Mapping

from orpheus.shared.errors import CannotBind

_BACKLOG = 2_048
_ADVICE: Mapping[int, str] = {
    errno.EADDRINUSE: "free it, or choose another api.port, in the file or by --set api.port=9000",
    errno.EACCES: (
        "only root may use such a low port: choose a higher one (--set api.port=9000) and put a "
        "proxy before it, or allow it by CAP_NET_BIND_SERVICE or "
        "sysctl net.ipv4.ip_unprivileged_port_start"
    ),
    errno.EADDRNOTAVAIL: "api.host must be an address of this machine",
}
"""What to do when an address cannot be bound, by errno."""

_Resolved = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[object, ...]]


def resolved(host: str, port: int) -> _Resolved:
    """Resolve `host` and `port`. Raises CannotBind if they are not an address."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise CannotBind(
            f"api.host: {host!r} is not an address of this machine ({error})"
        ) from error
    return found[0]


def bind_listener(host: str, port: int) -> socket.socket:
    """Return a socket that listens on `host` and `port` (0: any free one). Raises CannotBind."""
    family, kind, protocol, _, address = resolved(host, port)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        advice = _ADVICE.get(error.errno or 0, "choose another address: --set api.port=9000")
        raise CannotBind(f"cannot listen on {host}:{port}: {error.strerror}; {advice}") from error
    return listener


def address_of(listener: socket.socket) -> str:
    """Return the URL that reaches it from this machine."""
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
