"""The API's listening sockets: the present one, and those that an old API still answers on.

The supervisor owns them, so that no connection is refused while an API is replaced. One that the
configuration has left stays open for as long as a life uses it: who changes the address back
meanwhile gets the same socket again, not "address already in use".
"""

from socket import socket
from threading import Lock

from orpheus.shared.process.listener import bind_listener, resolved

_Address = tuple[object, ...]


class Listeners:
    """Sockets by the address asked for. `take` and `give_back` from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: dict[_Address, socket] = {}
        self._taken: socket | None = None

    def take(self, host: str, port: int) -> socket:
        """The socket of that address, bound if it is not yet; kept open until `keep_only`.

        Raises CannotBind.
        """
        address = resolved(host, port)
        with self._lock:
            listener = self._open.get(address)
            if listener is None:
                listener = self._open[address] = bind_listener(host, port)
            self._taken = listener
            return listener

    def give_back(self) -> None:
        """What was taken last is not needed after all; it goes with the next `keep_only`."""
        with self._lock:
            self._taken = None

    def keep_only(self, current: socket | None) -> None:
        """Close every socket but `current` and one that was just taken."""
        with self._lock:
            kept = (current, self._taken)
            for address, listener in list(self._open.items()):
                if listener not in kept:
                    listener.close()
                    del self._open[address]

    def close(self) -> None:
        """Close all."""
        self.give_back()
        self.keep_only(None)
