"""Limits per key: how many jobs of one concurrency key run at once, and how often one starts.

A due job whose key has no room is parked: it is in no index of what may be leased, so a lease never
reads past the jobs of a full key. As long as a key has room for n jobs, the next n of it are not
parked. Whatever gives room to a key looks at that key again (`look_at`): the end of a lease, the
next token of its rate, a cancel, and other limits in the configuration.

A new job is stored as if its key had room, and the first lease that has no room for it parks it. Of
a batch, as many jobs of a key are stored so as may ever start together; the others are parked at
once. So each job is parked a few times at most, whatever the order in which jobs come.

Nothing is counted that a crash could leave wrong: the running jobs of a key are its leases.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from orpheus.shared.domain.jobs import Lease, NewJob
from orpheus.shared.domain.rates import (
    NO_LIMITS_PER_KEY,
    SET_BACK_MS,
    KeyRules,
    Rate,
    full_after,
    opens_ms,
    tokens_of,
)
from orpheus.shared.domain.rooms import FREE, Room
from orpheus.shared.storage.database import Database
from orpheus.shared.storage.verbs.quarantines import lock_quarantines

_NO_LIMIT = 1_000
"""How many jobs of a key without a limit one transaction unparks."""
_KEYS_AT_ONCE = 200

Key = tuple[str, str]
HeldJob = tuple[str, str | None, int]
"""Its queue, key and id."""


class Keys:
    """Parks and unparks jobs with a key, inside a transaction."""

    def __init__(self, database: Database) -> None:
        self.keys_at_once = _KEYS_AT_ONCE
        """How many keys one transaction looks at since their rate has opened, or in a sweep."""
        self._database = database
        self._seen = ("", 0)
        """The boot, and the time on its clock, at the last call of `correct_openings`."""
        self._sql = database.sql("keys.sql")

    def lock(self) -> bool:
        """Keep others from counting running jobs, parking or unparking until this transaction ends.

        It is taken before any job is locked. Return whether others may have changed something
        since this transaction began.
        """
        return self._database.lock("limits", [""])

    # Coming in

    def to_park(self, new_jobs: Sequence[NewJob], now_ms: int) -> frozenset[int]:
        """Return the positions of the new jobs that are parked at once."""
        most = {name: rules.most_at_once for name, rules in self.rules().items()}
        due: dict[Key, list[tuple[int, int, int]]] = defaultdict(list)
        for position, new in enumerate(new_jobs):
            run_at_ms = now_ms + new.delay_ms if new.run_at_ms is None else new.run_at_ms
            is_due = run_at_ms <= now_ms and not new.depends_on
            if is_due and new.concurrency_key is not None and new.queue in most:
                order = (-new.priority, run_at_ms, position)
                due[new.queue, new.concurrency_key].append(order)
        return frozenset(
            position
            for (queue, _), jobs in due.items()
            for _, _, position in sorted(jobs)[most[queue] :]
        )

    # Leasing

    def room(self, queue: str, key: str, rules: KeyRules) -> tuple[int, bool]:
        """Return how many jobs of a key may start now, and whether one of them was parked.

        Time alone gives room to a key that has a rate.
        """
        room = self._room(queue, key, rules)
        if room == 0 or rules.rate is None:
            return room, False
        return room, self._unpark("parked-and-next", queue, key, room) > 0

    def park(self, left_out: Iterable[tuple[str, str, int]], rules: Mapping[str, KeyRules]) -> None:
        """Park jobs (queue, key, id) that have no room."""
        jobs = list(left_out)
        self._database.run_many(self._sql["park"], [(job_id,) for _, _, job_id in jobs])
        for queue, key in dict.fromkeys((queue, key) for queue, key, _ in jobs):
            self._note_opening(queue, key, rules[queue].rate)

    def hold(self, left_out: Iterable[HeldJob]) -> tuple[frozenset[int], frozenset[str]]:
        """Park jobs whose types are quarantined; return the ids of those that are parked now.

        Others may have locked some of the jobs, or released a type since it was read. Return also
        the types that are quarantined until this transaction ends.
        """
        lock_quarantines(self._database)
        sql = self._database.sql("quarantines.sql")
        parked = self._database.all(sql["hold"], json.dumps([entry[2] for entry in left_out]))
        types = self._database.all(sql["quarantined-types"])
        return frozenset(row[0] for row in parked), frozenset(row[0] for row in types)

    def look_behind(self, held: Iterable[HeldJob], rules: Mapping[str, KeyRules]) -> bool:
        """Unpark the next jobs of the keys of jobs that are held back; return whether any were."""
        keys = {(queue, key) for queue, key, _ in held if key is not None and queue in rules}
        return sum(self._look_at(queue, key, rules[queue]) for queue, key in sorted(keys)) > 0

    def ring(self, queues: Iterable[str]) -> None:
        """Ring the workers of these queues, so that one of them goes on."""
        for queue in queues:
            self._database.at_commit.ring_workers(queue)

    def spend(self, rooms: Mapping[str, Room], leases: Iterable[Lease]) -> None:
        """Spend the tokens of jobs that start now."""
        started: Counter[tuple[str, str, Rate]] = Counter()
        for lease in leases:
            rate = rooms.get(lease.queue, FREE).per_key.rate
            if lease.concurrency_key is not None and rate is not None:
                started[lease.queue, lease.concurrency_key, rate] += 1
        clock = self._database.clock
        now_ms = clock.monotonic_ms()
        for (queue, key, rate), n in started.items():
            full_ms = full_after(rate, self.full_ms(queue, key), now_ms, n)
            self._database.run(self._sql["keep-rate"], queue, key, full_ms, clock.boot_id)
            self._note_opening(queue, key, rate)

    def next_opening_ms(self, rooms: Mapping[str, Room]) -> int | None:
        """Return the milliseconds until a key with parked jobs gets its next token."""
        if not any(room.per_key.rate for room in rooms.values()):
            return None
        clock = self._database.clock
        row = self._database.one(self._sql["next-opening"], clock.boot_id)
        return None if row is None else max(0, row[0] - clock.monotonic_ms())

    # Room

    def look_at(self, keys: Iterable[Key]) -> None:
        """Unpark the next jobs of those keys that have room."""
        self.lock()
        rules: dict[str, KeyRules] = {}
        for queue, key in dict.fromkeys(keys):
            if self._is_parked(queue, key):
                if queue not in rules:
                    rules[queue] = self._rules_of(queue)
                self._look_at(queue, key, rules[queue])

    def refund(self, queue: str, key: str) -> None:
        """Refund the token of a job that was leased and never entered."""
        self.lock()
        rate, full_ms = self._rules_of(queue).rate, self.full_ms(queue, key)
        if rate is not None and full_ms:
            earlier_ms, boot_id = full_ms - 1000 / rate.per_s, self._database.clock.boot_id
            self._database.run(self._sql["keep-rate"], queue, key, earlier_ms, boot_id)

    def rules(self) -> dict[str, KeyRules]:
        """Return the limits per key of each queue that has some."""
        rows = self._database.all(self._sql["rules-of-all"])
        return {name: key_rules_of(*columns) for name, *columns in rows}

    def limits_changed(self, queues: Iterable[str]) -> None:
        """Look at the keys of these queues again that have parked jobs.

        It looks at some now, and `continue_sweep` at the others.
        """
        clock, rules = self._database.clock, self.rules()
        for queue in sorted(queues):
            self._database.run(self._sql["forget-openings"], queue)
            rate = rules.get(queue, KeyRules()).rate
            if rate is not None:
                latest_ms = full_after(rate, 0.0, clock.monotonic_ms(), rate.burst)
                self._database.run(self._sql["shorten-rates"], queue, clock.boot_id, latest_ms)
            self._database.run(self._sql["begin-sweep"], queue)
        self.continue_sweep()

    def correct_openings(self) -> bool:
        """Look at all keys again if the clock was set back since the last call; return whether.

        Else the next token of a key would come only when that time comes again.
        """
        clock = self._database.clock
        (boot_id, before_ms), now_ms = self._seen, clock.monotonic_ms()
        was_set_back = boot_id == clock.boot_id and now_ms < before_ms - SET_BACK_MS
        if was_set_back:
            with self._database.write(durable=False):
                self.lock()
                self.limits_changed(self.rules())
                self._database.at_commit.ring_every_pool()
        self._seen = (clock.boot_id, now_ms)
        return was_set_back

    def continue_sweep(self) -> bool:
        """Run one transaction of a sweep; False: there is none, and nothing is written."""
        if self._database.one(self._sql["any-sweep"]) is None:
            return False
        with self._database.write(durable=False):
            self.lock()
            row = self._database.one(self._sql["any-sweep"])
            if row is not None:
                self._database.run(self._sql["keep-sweep"], self._sweep(*row), row[0])
        return True

    def _sweep(self, queue: str, after: str) -> str | None:
        """Look at the next keys of a queue; return the last of them, None at the end."""
        rules, unparked = self._rules_of(queue), 0
        for _ in range(self.keys_at_once):
            row = self._database.one(self._sql["next-parked-key"], queue, after)
            if row is None:
                return None
            n = self._look_at(queue, row[0], rules)
            if n == _NO_LIMIT:
                return after  # there may be more of this key
            after, unparked = row[0], unparked + n
            if unparked >= _NO_LIMIT:
                break
        return after

    def look_at_opened(self) -> None:
        """Unpark the next jobs of keys whose rate has opened."""
        for queue, key in self.opened():
            self._look_at(queue, key, self._rules_of(queue))

    def opened(self) -> list[Key]:
        """Return keys whose parked jobs the next lease unparks, as their rate has opened."""
        clock = self._database.clock
        now = (clock.boot_id, clock.monotonic_ms())
        rows = self._database.all(self._sql["opened"], *now, self.keys_at_once)
        return [(queue, key) for queue, key in rows]

    def _look_at(self, queue: str, key: str, rules: KeyRules) -> int:
        """Unpark the next jobs of a key as far as it has room; return how many."""
        if rules == NO_LIMITS_PER_KEY:
            return self._unpark("parked", queue, key, _NO_LIMIT)
        room = self._room(queue, key, rules)
        unparked = self._unpark("parked-and-next", queue, key, room) if room else 0
        self._note_opening(queue, key, rules.rate)
        return unparked

    def _unpark(self, which: str, queue: str, key: str, most: int) -> int:
        rows = self._database.all(self._sql[which], queue, key, most)
        self._database.run_many(self._sql["unpark"], rows)
        self._database.at_commit.unparked.extend(row[0] for row in rows)
        return len(rows)

    def _note_opening(self, queue: str, key: str, rate: Rate | None) -> None:
        """Note when the next token comes, if the key has none and jobs are parked."""
        if rate is None:
            return
        full_ms, now_ms = self.full_ms(queue, key), self._database.clock.monotonic_ms()
        waits = tokens_of(rate, full_ms, now_ms) == 0 and self._is_parked(queue, key)
        opens = opens_ms(rate, full_ms) if waits else None
        self._database.run(self._sql["set-opening"], queue, key, opens)

    def _room(self, queue: str, key: str, rules: KeyRules) -> int:
        room = _NO_LIMIT
        if rules.max_running:
            running = self._database.value(self._sql["running"], queue, key, rules.max_running)
            room = rules.max_running - int(running)
        if rules.rate is not None and room:
            now_ms = self._database.clock.monotonic_ms()
            room = min(room, tokens_of(rules.rate, self.full_ms(queue, key), now_ms))
        return room

    def full_ms(self, queue: str, key: str) -> float:
        """Return when the bucket of a key is full; 0: it is full now."""
        row = self._database.one(self._sql["rate"], queue, key)
        return row[0] if row is not None and row[1] == self._database.clock.boot_id else 0.0

    def _is_parked(self, queue: str, key: str) -> bool:
        return self._database.one(self._sql["is-parked"], queue, key) is not None

    def _rules_of(self, queue: str) -> KeyRules:
        row = self._database.one(self._sql["rules"], queue)
        return KeyRules() if row is None else key_rules_of(*row)


def key_rules_of(max_running: int, starts: int, period_s: int, burst: int) -> KeyRules:
    """Return the limits per key of a row of `queues`."""
    return KeyRules(max_running, Rate(starts, period_s, burst) if starts else None)
