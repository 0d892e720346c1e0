"""Bounds the memory that the large bodies of all requests take together.

A body is held from its first byte until the answer, at first as bytes and then as Python objects,
which can be twenty times as large. Without a bound, a few clients that send batches at once take
gigabytes. So at any time, the parsed bodies together are at most as large as the largest body
allowed; later ones wait, in turn. A body that is read slowly delays no other. Bodies that are being
read or wait are bounded, too: a request beyond that gets a 503.
"""

import asyncio
from typing import Self

from orpheus.api.http.problems import Refusal

LARGE_BODY_BYTES = 65_536
"""Smaller ones are not counted: the number of clients bounds them."""
_UNPARSED = 4  # times the largest one


class LargeBodies:
    """The memory that the bodies of all requests take. Used on the event loop."""

    def __init__(self, largest_bytes: int) -> None:
        self.most_parsed = largest_bytes
        self.most_unparsed = _UNPARSED * largest_bytes
        self.parsed = 0
        """The total size, in bytes, of the bodies that are parsed and not answered yet."""
        self.unparsed = 0
        """The same of those that are being read or wait to be parsed."""
        self.turn = asyncio.Lock()
        """The request that holds it is parsed next."""
        self.freed = asyncio.Event()


class HeldBody:
    """The share of one request in `bodies`, until its end."""

    __slots__ = ("_bodies", "_parsed", "_unparsed")

    def __init__(self, bodies: LargeBodies) -> None:
        self._bodies = bodies
        self._parsed = self._unparsed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._parsed or self._unparsed:
            self._bodies.unparsed -= self._unparsed
            self._bodies.parsed -= self._parsed
            self._bodies.freed.set()

    def grow(self, size_bytes: int) -> None:
        """Note how much of the body has been read. Raises Refusal (503) if it is too much."""
        if size_bytes <= LARGE_BODY_BYTES:
            return
        bodies = self._bodies
        bodies.unparsed += size_bytes - self._unparsed
        self._unparsed = size_bytes
        if bodies.unparsed > bodies.most_unparsed:
            detail = "Too many large bodies wait already."
            raise Refusal(503, detail, headers={"Connection": "close"})

    async def wait_to_parse(self) -> None:
        """Wait until there is room for this body as Python objects."""
        bodies = self._bodies
        async with bodies.turn:
            while bodies.parsed and bodies.parsed + self._unparsed > bodies.most_parsed:
                bodies.freed.clear()
                await bodies.freed.wait()
            self._parsed, self._unparsed = self._unparsed, 0
            bodies.unparsed -= self._parsed
            bodies.parsed += self._parsed
