"""Pauses and limits of queues.

A queue without them has no row and costs nothing. `max_running` is compared with the kept count of
leased jobs, so a crash cannot leak room: when the lease is reclaimed, there is room again. The rate
is a token bucket on the monotonic clock, written in the transaction of the lease. The limits per
key are stored here and kept by shared/storage/verbs/keys.py.
"""

from collections.abc import Iterable, Mapping

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.rates import (
    NO_LIMITS_PER_KEY,
    QueueRules,
    Rate,
    tokens_now,
    wait_for_one_ms,
)
from orpheus.shared.storage.data import Limit, QueueRow
from orpheus.shared.storage.database import Database
from orpheus.shared.storage.verbs.events import Events
from orpheus.shared.storage.verbs.keys import Keys, key_rules_of


class Queues:
    """Pauses and limits of queues."""

    def __init__(self, database: Database, events: Events, keys: Keys) -> None:
        self._database = database
        self._events = events
        self._keys = keys
        self._sql = database.sql("queues.sql")

    def configure(self, rules: Mapping[str, QueueRules]) -> None:
        """Store the limits of the configuration; operators' pauses are not changed."""
        with self._database.write(durable=False):
            self._keys.lock()
            self._database.run(self._sql["forget-configuration"])
            self._database.run_many(
                self._sql["configure"],
                [
                    (
                        name,
                        int(rule.paused),
                        rule.max_running,
                        *_columns_of(rule.rate),
                        rule.per_key.max_running,
                        *_columns_of(rule.per_key.rate),
                    )
                    for name, rule in rules.items()
                ],
            )
            self._keys.limits_changed()
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

    def is_paused_to_change(self, name: str) -> bool:
        """Return whether a queue is paused; no other operator changes it in this transaction."""
        self._database.lock("queue", [name])
        return any(row.name == name and row.paused for row in self.all())

    def all(self) -> list[QueueRow]:
        """Return every queue that has, or had, a pause or a limit."""
        return [
            QueueRow(
                name,
                bool(paused),
                max_running,
                Rate(starts, period_s, burst) if starts else None,
                key_rules_of(*per_key),
            )
            for name, paused, max_running, starts, period_s, burst, *per_key in self._database.all(
                self._sql["all-queues"]
            )
        ]

    def paused_by_hand(self) -> dict[str, bool]:
        """Return each queue that an operator has paused or resumed, and whether it is paused."""
        return {name: bool(paused) for name, paused in self._database.all(self._sql["by-hand"])}

    def without_token(self) -> set[str]:
        """Return the queues whose rate lets no job start at this moment."""
        limits = {
            row[0]: self._limit(0, *row[1:]) for row in self._database.all(self._sql["restricted"])
        }
        return {name for name, one in limits.items() if one.tokens is not None and one.tokens < 1}

    # For leasing

    def locked_limits(self) -> dict[str, Limit]:
        """Return `limits`; nobody else leases within them before this transaction ends."""
        limits = self.limits()
        if any(limit != _NO_ROOM for limit in limits.values()) and self._keys.lock():
            return self.limits()
        return limits

    def limits(self) -> dict[str, Limit]:
        """Return the room of each restricted queue now; a queue without an entry has no limit."""
        rows = self._database.all(self._sql["restricted"])
        running: dict[str, int] = {}
        if any(max_running for _, _, max_running, *_ in rows):
            self._database.flush_counts()
            running = dict(self._database.all(self._sql["running"]))
        return {row[0]: self._limit(running.get(row[0], 0), *row[1:]) for row in rows}

    def _limit(
        self,
        running: int,
        paused: int,
        max_running: int,
        starts: int,
        period_s: int,
        burst: int,
        tokens: float,
        mono_ms: int,
        boot_id: str,
        *per_key_columns: int,
    ) -> Limit:
        rules = key_rules_of(*per_key_columns)
        per_key = None if rules == NO_LIMITS_PER_KEY else rules
        if paused:
            return Limit(0, per_key=per_key)
        room = max(0, max_running - running) if max_running else _NO_LIMIT
        if not starts:
            return Limit(room, per_key=per_key)
        rate, clock = Rate(starts, period_s, burst), self._database.clock
        same_boot = boot_id == clock.boot_id
        left = tokens_now(rate, tokens, clock.monotonic_ms() - mono_ms) if same_boot else burst
        return Limit(min(room, int(left)), left, rate, per_key)

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

    def refund(self, queue: str) -> None:
        """Refund the rate token of a job that was leased and never entered."""
        self._database.run(self._sql["refund"], queue)

    def next_token_ms(self) -> int | None:
        """Return the milliseconds until a queue or key that waits for its rate may start a job."""
        limits = self.limits()
        waits = [
            wait_for_one_ms(limit.rate, limit.tokens)
            for limit in limits.values()
            if limit.rate is not None and limit.tokens is not None and limit.tokens < 1
        ]
        opening_ms = self._keys.next_opening_ms(limits)
        if opening_ms is not None:
            waits.append(opening_ms)
        return min(waits, default=None)


def _columns_of(rate: Rate | None) -> tuple[int, int, int]:
    return (0, 1, 1) if rate is None else (rate.starts, rate.period_s, rate.burst)


_NO_LIMIT = 1_000_000
_NO_ROOM = Limit(0)
