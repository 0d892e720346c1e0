"""Answers 503 on the API's socket while there is no API, in a thread of its own.

The supervisor keeps the socket open, so that nobody is refused while the API is restarted. Where it
does not come back soon, clients would wait for minutes. So they are told to try again later.

A connection is closed once the client has closed its end. If it were closed before its request was
read, it would be reset, and the client might not see the answer.
"""

import os
import selectors
import time
from contextlib import ExitStack, suppress
from socket import SHUT_WR, socket
from threading import Thread

import orjson

from orpheus.shared.logs import get_logger

log = get_logger()

_RETRY_AFTER_S = 5
_BODY = orjson.dumps(
    {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "The API does not run; the supervisor goes on trying to start it. Its log and "
        "`orpheus status` say why.",
    }
)
ANSWER = (
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
    f"Content-Length: {len(_BODY)}\r\nRetry-After: {_RETRY_AFTER_S}\r\nCache-Control: no-store\r\n"
    "Connection: close\r\n\r\n"
).encode() + _BODY
_AT_ONCE = 16
_MOST_OPEN = 64
_CLOSED_WITHIN_S = 2.0
_NO_DESCRIPTOR_S = 0.1


class StandIn:
    """Answers in the API's place, on one socket at a time. Main thread only; nothing blocks."""

    def __init__(self) -> None:
        self._listener: socket | None = None
        self._answering: _Answering | None = None

    def answer_on(self, listener: socket | None) -> None:
        """Answer on this listening socket from now on, and on no other; None: on none.

        Call it in every turn: what cannot be started now is tried again in the next one.
        """
        if listener is self._listener:
            return
        if self._answering is not None:
            self._answering.stop()
            self._listener = self._answering = None
        if listener is not None:
            try:
                self._answering = _Answering(listener)
            except (OSError, RuntimeError) as error:  # no descriptor or thread is left for now
                log.debug("no_stand_in", reason=str(error))
                return
            self._listener = listener
            log.warning("api_is_out", answer="503 to every request, until the API is back")


class _Answering(Thread):
    """Answers on a copy of `listener` until `stop`. It is started when it is made.

    Raises OSError for want of a descriptor, RuntimeError for want of a thread.
    """

    def __init__(self, listener: socket) -> None:
        super().__init__(name="stand-in", daemon=True)
        self._close_at_s: dict[socket, float] = {}  # the oldest first
        self._stopped = False
        with ExitStack() as undo:
            self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            undo.callback(os.close, self._wake)
            self._listener = undo.enter_context(listener.dup())
            self._listener.setblocking(False)
            self._selector = undo.enter_context(selectors.DefaultSelector())
            self.start()
            undo.pop_all()

    def stop(self) -> None:
        """End soon."""
        os.eventfd_write(self._wake, 1)  # first: once it is told, the thread closes this
        self._stopped = True

    def run(self) -> None:
        """Answer until it is stopped."""
        try:
            self._selector.register(self._listener, selectors.EVENT_READ)
            self._selector.register(self._wake, selectors.EVENT_READ)
            while not self._stopped:
                self._turn()
        except Exception:  # the API may come back all the same
            log.exception("stand_in_failed")
        finally:
            for client in list(self._close_at_s):
                self._close(client)
            self._selector.close()
            self._listener.close()
            if self._stopped:  # else `stop` writes to it, and its number may be reused
                os.close(self._wake)

    def _turn(self) -> None:
        oldest_s = next(iter(self._close_at_s.values()), None)
        wait_s = None if oldest_s is None else max(0.0, oldest_s - time.monotonic())
        for key, _ in self._selector.select(wait_s):
            if key.fileobj is self._listener:
                self._accept()
            elif isinstance(key.fileobj, socket):
                self._discard(key.fileobj)
        now_s = time.monotonic()
        for client in [one for one, close_s in self._close_at_s.items() if close_s <= now_s]:
            self._close(client)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                client, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                time.sleep(_NO_DESCRIPTOR_S)
                return
            if len(self._close_at_s) >= _MOST_OPEN:
                self._close(next(iter(self._close_at_s)))
            client.setblocking(False)
            self._close_at_s[client] = time.monotonic() + _CLOSED_WITHIN_S
            self._selector.register(client, selectors.EVENT_READ)
            with suppress(OSError):  # it has left
                client.send(ANSWER)
                client.shutdown(SHUT_WR)

    def _discard(self, client: socket) -> None:
        """Read what the client sends, and close when it has closed its end."""
        if client not in self._close_at_s:  # closed in this turn
            return
        try:
            if client.recv(65_536):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._close(client)

    def _close(self, client: socket) -> None:
        del self._close_at_s[client]
        self._selector.unregister(client)
        client.close()
