"""The API's listening sockets: the present one, and those that an old API still answers on.

The supervisor owns them, so that no connection is refused while an API is replaced. A socket that
is no longer configured stays open as long as an old API uses it: if the address is changed back
meanwhile, the same socket is used again instead of failing with "address already in use".
"""

from socket import socket
from threading import Lock

from orpheus.shared.process.listener import bind_listener, resolved

_Address = tuple[object, ...]


class Listeners:
    """Sockets by their address. `take` and `let_go` may be called by any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: dict[_Address, socket] = {}
        self._taken: list[socket] = []

    def take(self, host: str, port: int) -> socket:
        """Return the socket of an address, bound if it is not yet. Raises CannotBind.

        It stays open until `let_go` is called as often as `take` was.
        """
        address = resolved(host, port)
        with self._lock:
            listener = self._open.get(address)
            if listener is None:
                listener = self._open[address] = bind_listener(host, port)
            self._taken.append(listener)
            return listener

    def let_go(self, listener: socket) -> None:
        """Allow the next `keep_only` to close a socket that was taken."""
        with self._lock:
            self._taken.remove(listener)

    def keep_only(self, current: socket | None) -> None:
        """Close every socket except `current` and those that were taken."""
        with self._lock:
            kept = (current, *self._taken)
            for address, listener in list(self._open.items()):
                if listener not in kept:
                    listener.close()
                    del self._open[address]

    def close(self) -> None:
        """Close all sockets."""
        self._taken.clear()
        self.keep_only(None)
