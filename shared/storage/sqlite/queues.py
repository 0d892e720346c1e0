"""Pauses and limits of queues.

A queue without them has no row and costs nothing. `max_running` is compared with the kept count of
leased jobs, so a crash cannot leak a place: when the lease is reclaimed, the place is free. The
rate is a token bucket on the monotonic clock, written in the transaction of the lease.
"""

from collections.abc import Iterable, Mapping

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.rates import QueueRules, Rate, tokens_now, wait_for_one_ms
from orpheus.shared.storage.data import Limit, QueueRow
from orpheus.shared.storage.sqlite.connection import Database
from orpheus.shared.storage.sqlite.events import Events
from orpheus.shared.storage.sqlite.sql import sql_file


class Queues:
    """Pauses and limits of queues."""

    def __init__(self, database: Database, events: Events) -> None:
        self._database = database
        self._events = events
        self._sql = sql_file("queues.sql")

    def configure(self, rules: Mapping[str, QueueRules]) -> None:
        """Store the limits of the configuration; operators' pauses are not changed."""
        with self._database.write(durable=False):
            self._database.run(self._sql["forget-configuration"])
            self._database.run_many(
                self._sql["configure"],
                [
                    (
                        name,
                        int(rule.paused),
                        rule.max_running,
                        rule.rate.per_s if rule.rate else 0.0,
                        rule.rate.burst if rule.rate else 0.0,
                    )
                    for name, rule in rules.items()
                ],
            )
            self._database.at_commit.ring_every_pool()

    def pause(self, name: str) -> None:
        """Lease no job of this queue until resumed, even after restarts; creates the queue."""
        self._set_paused(name, paused=True)

    def resume(self, name: str) -> None:
        """Lease jobs of this queue again."""
        self._set_paused(name, paused=False)

    def _set_paused(self, name: str, *, paused: bool) -> None:
        with self._database.write(durable=True):
            self._database.run(self._sql["set-paused"], name, int(paused))
            kind = Kind.QUEUE_PAUSED if paused else Kind.QUEUE_RESUMED
            self._events.record(kind, {"name": name, "paused": paused})
            self._database.at_commit.ring_workers(name)

    def all(self) -> list[QueueRow]:
        """Return every queue that has, or had, a pause or a limit."""
        return [
            QueueRow(name, bool(paused), max_running, Rate(per_s, burst) if per_s else None)
            for name, paused, max_running, per_s, burst in self._database.all(
                self._sql["all-queues"]
            )
        ]

    # For leasing

    def limits(self) -> dict[str, Limit]:
        """Return the room of each restricted queue now; a queue without an entry has no limit."""
        rows = self._database.all(self._sql["restricted"])
        return {row[0]: self._limit(*row) for row in rows}

    def _limit(
        self,
        name: str,
        paused: int,
        max_running: int,
        per_s: float,
        burst: float,
        tokens: float,
        mono_ms: int,
        boot_id: str,
    ) -> Limit:
        if paused:
            return Limit(0)
        room = _NO_LIMIT
        if max_running:
            self._database.flush_counts()
            row = self._database.one(self._sql["running"], name)
            room = max(0, max_running - (row[0] if row else 0))
        if not per_s:
            return Limit(room)
        rate, clock = Rate(per_s, burst), self._database.clock
        same_boot = boot_id == clock.boot_id
        left = tokens_now(rate, tokens, clock.monotonic_ms() - mono_ms) if same_boot else burst
        return Limit(min(room, int(left)), left, rate)

    def spend(self, limits: Mapping[str, Limit], started: Iterable[str]) -> None:
        """Spend the rate tokens of jobs that start now, inside the transaction of their lease."""
        clock = self._database.clock
        count: dict[str, int] = {}
        for queue in started:
            if queue in limits and limits[queue].tokens is not None:
                count[queue] = count.get(queue, 0) + 1
        self._database.run_many(
            self._sql["keep-rate"],
            [
                ((limits[queue].tokens or 0) - n, clock.monotonic_ms(), clock.boot_id, queue)
                for queue, n in count.items()
            ],
        )

    def next_token_ms(self) -> int | None:
        """Return the milliseconds until a queue that waits for its rate may start a job."""
        waits = [
            wait_for_one_ms(limit.rate, limit.tokens)
            for limit in self.limits().values()
            if limit.rate is not None and limit.tokens is not None and limit.tokens < 1
        ]
        return min(waits, default=None)


_NO_LIMIT = 1_000_000
