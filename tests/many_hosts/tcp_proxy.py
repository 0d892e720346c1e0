"""A TCP proxy on loopback, in whose place a network can fail: cut, slow, or led elsewhere.

While it is cut, nothing is forwarded and nothing is refused, as where packets are lost: whoever
connects is kept waiting, and what was under way arrives when it is whole again. A single answer can
get lost, too, with its connection.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self

_CHUNK_BYTES = 65_536


class TcpProxy:
    """Forwards connections to `target`, a port of this machine, from `start` to `stop`."""

    def __init__(
        self, target: int, new_socket: Callable[[], socket.socket] = socket.socket
    ) -> None:
        """`new_socket`: makes those for `target`, which may be in another network namespace."""
        self.target = target
        self._new_socket = new_socket
        self.delay_s = 0.0
        """How long each piece of data takes, in each direction."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._loop = asyncio.new_event_loop()
        self._sends, self._receives = asyncio.Event(), asyncio.Event()
        """Whether something passes to the target, and back."""
        self._sends.set()
        self._receives.set()
        self._unanswered: tuple[bytes, ...] = ()
        """What the next question has in it whose answer gets lost; empty: none does."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._drop)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def cut(self, *, sent: bool = True, received: bool = True) -> None:
        """Forward nothing from now on, to the target or back or both."""
        for passes, is_cut in ((self._sends, sent), (self._receives, received)):
            if is_cut:
                self._call(passes.clear)

    def unplug(self) -> None:
        """Forward nothing from now on."""
        self.cut()

    def heal(self) -> None:
        """Forward again, first what waits."""
        self._call(self._sends.set)
        self._call(self._receives.set)

    def drop(self) -> None:
        """Close every connection, as a proxy does whose server is gone."""
        self._call(self._drop)

    def lose_answer(self, *to: bytes) -> None:
        """Pass on the next piece of data with all this in it, but close before its answer."""
        self._unanswered = to

    @property
    def has_lost_answer(self) -> bool:
        """Whether that question has come."""
        return not self._unanswered

    def redirect(self, target: int) -> None:
        """Close every connection, and lead new ones to `target`."""
        self.target = target
        self.drop()

    def _call(self, step: Callable[[], object]) -> None:
        """Take a step in the proxy's own thread, and wait until it is done."""
        done = threading.Event()

        def take() -> None:
            step()
            done.set()

        self._loop.call_soon_threadsafe(take)
        done.wait()

    def _drop(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._accepted, sock=self._listener)
        )
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.close()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._connect(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError), contextlib.ExitStack() as ends:
            ends.callback(writer.transport.abort)
            await self._sends.wait()
            to_target = self._new_socket()
            ends.callback(to_target.close)
            to_target.setblocking(False)
            await self._loop.sock_connect(to_target, ("127.0.0.1", self.target))
            there, back = await asyncio.open_connection(sock=to_target)
            ends.callback(back.transport.abort)
            goes_on = asyncio.Event()
            goes_on.set()
            both = [
                asyncio.ensure_future(self._ask(reader, back, goes_on)),
                asyncio.ensure_future(
                    self._forward(there, writer, self._receives, lambda _: goes_on.is_set())
                ),
            ]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in both:
                    one.cancel()
                await asyncio.gather(*both, return_exceptions=True)

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, goes_on: asyncio.Event
    ) -> None:
        """Pass on what is sent to the target, and note what gets no answer."""

        def note(data: bytes) -> bool:
            if self._unanswered and all(part in data for part in self._unanswered):
                self._unanswered = ()
                goes_on.clear()
            return True

        await self._forward(reader, writer, self._sends, note)

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        passes: asyncio.Event,
        may_pass: Callable[[bytes], bool],
    ) -> None:
        """Pass on what comes, until a side has closed or a piece may not pass: then both close."""
        while (data := await reader.read(_CHUNK_BYTES)) and may_pass(data):
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            await passes.wait()
            writer.write(data)
            await writer.drain()
