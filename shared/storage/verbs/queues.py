"""Pauses and limits of queues.

A queue without them has no row and costs nothing. `max_running` is compared with the kept count of
leased jobs, so a crash cannot leak room: when the lease is reclaimed, there is room again. The rate
is a token bucket on the monotonic clock, written in the transaction of the lease. The limits per
key are stored here and kept by shared/storage/verbs/keys.py.
"""

import json
from collections.abc import Iterable, Mapping

from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.rates import (
    NO_LIMITS_PER_KEY,
    QueueRules,
    Rate,
    tokens_now,
    wait_for_one_ms,
)
from orpheus.shared.domain.rooms import Room
from orpheus.shared.storage.data import QueueRow
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
            before = self._keys.rules()
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
            now = self._keys.rules()
            changed = {name for name in {*before, *now} if before.get(name) != now.get(name)}
            if changed:  # a queue may have 200,000 keys, and a reload seldom changes their limits
                self._keys.limits_changed(changed)
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

    def rooms(self) -> dict[str, Room]:
        """Return the room of each restricted queue now; a queue without an entry has no limit."""
        rows = self._database.all(self._sql["restricted"])
        running: dict[str, int] = {}
        if any(max_running for _, _, max_running, *_ in rows):
            self._database.flush_counts()
            running = dict(self._database.all(self._sql["running"]))
        return {row[0]: self._room(running.get(row[0], 0), *row[1:]) for row in rows}

    def _room(
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
    ) -> Room:
        clock = self._database.clock
        rate = Rate(starts, period_s, burst) if starts else None
        if rate is None:
            tokens, opens_ms = 0, None
        else:
            elapsed_ms = clock.monotonic_ms() - mono_ms
            same_boot = boot_id == clock.boot_id
            tokens = tokens_now(rate, tokens, elapsed_ms) if same_boot else burst
            opens_ms = clock.wall_ms() + wait_for_one_ms(rate, tokens)
        return Room(
            max_running,
            running,
            rate,
            tokens,
            opens_ms,
            paused=bool(paused),
            per_key=key_rules_of(*per_key_columns),
        )

    # For leasing

    def locked_rooms(self) -> dict[str, Room]:
        """Return `rooms`; no other process leases within them until this transaction ends."""
        rooms = self.rooms()
        may_start = any(
            room.left != 0 or room.per_key != NO_LIMITS_PER_KEY for room in rooms.values()
        )
        return self.rooms() if may_start and self._keys.lock() else rooms

    def spend(self, rooms: Mapping[str, Room], started: Iterable[str]) -> None:
        """Spend the rate tokens of jobs that start now, inside the transaction of their lease."""
        clock = self._database.clock
        count: dict[str, int] = {}
        for queue in started:
            if queue in rooms and rooms[queue].rate is not None:
                count[queue] = count.get(queue, 0) + 1
        self._database.run_many(
            self._sql["keep-rate"],
            [
                (rooms[queue].tokens - n, clock.monotonic_ms(), clock.boot_id, queue)
                for queue, n in count.items()
            ],
        )

    def lock_for_refunds(self) -> None:
        """Keep others from changing the tokens of a queue, before any job is locked.

        Whoever leases has this lock, and may change those of several queues in another order.
        """
        if self._database.one(self._sql["any-rate"]) is not None:
            self._keys.lock()

    def refund(self, queue: str) -> None:
        """Refund the rate token of a job that was leased and never entered.

        Call `lock_for_refunds` before, if others may lease.
        """
        self._database.run(self._sql["refund"], queue)

    def next_token_ms(self) -> int | None:
        """Return the milliseconds until a queue or key that waits for its rate may start a job."""
        rooms = self.rooms()
        waits = [
            wait_for_one_ms(room.rate, room.tokens)
            for room in rooms.values()
            if room.rate is not None and room.is_spent and not room.paused
        ]
        opening_ms = self._keys.next_opening_ms(rooms)
        if opening_ms is not None:
            waits.append(opening_ms)
        return min(waits, default=None)


def _columns_of(rate: Rate | None) -> tuple[int, int, int]:
    return (0, 1, 1) if rate is None else (rate.starts, rate.period_s, rate.burst)


def ring_for_freed_room(database: Database) -> None:
    """Note to ring for each limited queue that has room and work, and for each key."""
    at_commit = database.at_commit
    if at_commit.unparked:
        unparked = json.dumps(at_commit.unparked)
        rows = database.all(database.sql("keys.sql")["still-waiting"], unparked)
        at_commit.queues_with_work.update(row[0] for row in rows)
    freed = [(queue,) for queue in at_commit.queues_with_room]
    queues_sql = database.sql("queues.sql")
    if not freed or database.one(queues_sql["limits-running"]) is None:
        return
    found = database.run_many(queues_sql["has-room-and-work"], freed)
    at_commit.queues_with_work.update(row[0] for row in found)
