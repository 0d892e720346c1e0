"""One read for all who ask at about the same time, and never an older one than they asked for."""

import asyncio

from orpheus.api.database.shared_read import SharedRead


def test_those_who_ask_while_one_reads_share_the_next_read() -> None:
    async def ask() -> list[int]:
        reads = 0
        may_end = asyncio.Event()

        async def read() -> int:
            nonlocal reads
            reads += 1
            number = reads
            await may_end.wait()
            return number

        shared = SharedRead(read)
        first = asyncio.create_task(shared.get())
        for _ in range(3):
            await asyncio.sleep(0)  # it reads
        others = [asyncio.create_task(shared.get()) for _ in range(10)]
        await asyncio.sleep(0)
        others[0].cancel()  # one who leaves takes nothing from the others
        may_end.set()
        return [await first, *[await other for other in others[1:]], reads]

    assert asyncio.run(ask()) == [1, *[2] * 9, 2]
