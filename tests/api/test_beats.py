"""The beats of the API: they come from its event loop, and say whether its row is written."""

import asyncio
import select
from collections.abc import Callable
from typing import Any

from orpheus.api.beats import Beats
from orpheus.api.database.writer import Told
from orpheus.shared.domain.processes import Role
from orpheus.shared.errors import DatabaseBusy
from orpheus.shared.process.channel import Channel
from orpheus.shared.process.clock import SystemClock
from orpheus.shared.process.own_record import own_record

RECORD = own_record(SystemClock(), "host-1", Role.API, "api", "life-1")


class FakeWriter:
    """A writer whose database answers as told."""

    def __init__(self) -> None:
        self.answer: Callable[[], Any] = lambda: True
        self.is_open = True
        self.waiting: list[Told] = []

    def put(self, _: Any, told: Told) -> None:
        if not self.is_open:
            self.waiting.append(told)
            return
        try:
            self.answer()
        except DatabaseBusy as error:
            told(error)
        else:
            told(None)

    async def write(self, _: Any, *, durable: bool) -> Any:
        return self.answer()


def hear(channel: Channel, count: int) -> list[dict[str, Any]]:
    """The next `count` beats at least, heard without the event loop."""
    beats: list[dict[str, Any]] = []
    while len(beats) < count:
        ready, _, _ = select.select([channel], [], [], 10)
        assert ready
        beats += [m for m in channel.receive() if m["say"] == "beat"]
    return beats


def with_beats(test: Callable[[Channel, FakeWriter], Any]) -> None:
    """Runs `test` on a loop that beats every 10 ms."""

    async def run() -> None:
        supervisor, end = Channel.pair()
        writer = FakeWriter()
        beats = Beats(Channel(end), RECORD, writer, 0.01)  # type: ignore[arg-type]
        beats.start()
        await test(supervisor, writer)
        await beats.stop()
        supervisor.close()
        end.close()

    asyncio.run(run())


def test_the_beats_come_from_the_event_loop() -> None:
    async def turning(supervisor: Channel, _: FakeWriter) -> None:
        beats = await asyncio.to_thread(hear, supervisor, 5)
        assert beats[-1]["loop"] > beats[0]["loop"]
        assert beats[-1]["database_ok"]

    with_beats(turning)


def test_a_row_that_cannot_be_written_is_told_as_trouble_with_the_database() -> None:
    async def trouble(supervisor: Channel, writer: FakeWriter) -> None:
        def locked() -> Any:
            raise DatabaseBusy("locked")

        writer.answer = locked
        while (await asyncio.to_thread(hear, supervisor, 1))[-1]["database_ok"]:
            pass
        writer.answer = lambda: True
        while not (await asyncio.to_thread(hear, supervisor, 1))[-1]["database_ok"]:
            pass

    with_beats(trouble)


def test_a_database_that_is_locked_at_the_end_does_not_fail_the_end() -> None:
    async def locked_at_last(supervisor: Channel, writer: FakeWriter) -> None:
        await asyncio.to_thread(hear, supervisor, 2)

        def locked() -> Any:
            raise DatabaseBusy("locked")

        writer.answer = locked

    with_beats(locked_at_last)


def test_the_first_row_is_no_trouble_because_the_api_is_ready_before_it_is_written() -> None:
    async def run() -> None:
        supervisor, end = Channel.pair()
        writer = FakeWriter()
        writer.is_open = False
        beats = Beats(Channel(end), RECORD, writer, 60)  # type: ignore[arg-type]
        beats.start()
        await asyncio.to_thread(hear, supervisor, 1)
        beats.ready()
        assert beats._database_ok
        await beats.stop()
        supervisor.close()
        end.close()

    asyncio.run(run())


def test_a_row_that_takes_too_long_is_trouble_too_while_the_loop_turns() -> None:
    async def slow(supervisor: Channel, writer: FakeWriter) -> None:
        writer.is_open = False
        while (beat := (await asyncio.to_thread(hear, supervisor, 1))[-1])["database_ok"]:
            pass
        later = (await asyncio.to_thread(hear, supervisor, 5))[-1]
        assert later["loop"] > beat["loop"]

    with_beats(slow)
