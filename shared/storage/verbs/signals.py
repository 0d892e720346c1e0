"""Signals: what durable functions wait for, sent from outside or by jobs (docs/adr/0041).

Who sends a signal and who begins to wait for it lock it first: so none is missed between looking
for it and waiting. It is locked before any job.
"""

from collections.abc import Iterable, Sequence

from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.steps import MOST_WAITS_COUNTED, LongWaits, NewSignal, Signal
from orpheus.shared.storage.database import Database, Row
from orpheus.shared.storage.verbs.dependencies import Dependencies, WaitingJob


class Signals:
    """Stores signals, and wakes the jobs that wait for them."""

    def __init__(self, database: Database, dependencies: Dependencies) -> None:
        self._database = database
        self._dependencies = dependencies
        self._sql = database.sql("signals.sql")

    def find(self, name: str, key: str) -> Signal | None:
        """Return a signal that was sent; None if it was not, or was deleted by retention."""
        row = self._database.one(self._sql["find"], name, key)
        return None if row is None else Signal(name, key, *row)

    def is_awaited(self, name: str, key: str) -> bool:
        """Return whether a job waits for a signal."""
        return self._database.one(self._sql["is-awaited"], name, key) is not None

    def lock(self, signals: Iterable[tuple[str, str]]) -> None:
        """Let no other transaction send one of these, or begin to wait for it, before this ends."""
        self._database.lock("signal", sorted({f"{name} {key}" for name, key in signals}))

    def send(self, new: NewSignal) -> tuple[Signal, bool]:
        """Send a signal, and wake those who wait; return it as it is stored, and if it is new.

        If it was sent before, the first payload stays, and nothing is changed, unless it `replaces`
        that.
        """
        sent = (new.name, new.key, new.payload)
        with self._database.write(durable=True):
            self.lock([(new.name, new.key)])
            before = self.find(new.name, new.key)
            now_ms = self._database.clock.wall_ms()
            if before is not None:
                if not new.replaces:
                    return before, False
                self._database.run(self._sql["replace"], new.payload, now_ms, new.name, new.key)
                return Signal(*sent, now_ms), False
            self._database.run(self._sql["send"], *sent, now_ms)
            if self._wake(*sent):
                self._database.run(self._sql["set-wakes"], 1, new.name, new.key)
            return Signal(*sent, now_ms), True

    def _wake(self, name: str, key: str, payload: str) -> bool:
        """Wake some of the jobs that wait for a signal; return whether there may be more."""
        at_commit = self._database.at_commit
        room = self._dependencies.most_at_once - at_commit.cascaded
        if room <= 0:
            return True
        rows = self._database.all(self._sql["waiting"], name, key, room)
        at_commit.cascaded += len(rows)
        now_ms = self._database.clock.wall_ms()
        received = [(payload, now_ms, row[0], row[-1]) for row in rows]
        self._database.run_many(self._sql["receive"], received)
        self._unblock(rows)
        return len(rows) == room

    def _unblock(self, rows: Sequence[Row]) -> None:
        waiting = [WaitingJob._make(row[:-1]) for row in rows]
        self._dependencies.one_less([job for job in waiting if job.status == Status.BLOCKED])

    def long_waits(self, before_ms: int) -> LongWaits | None:
        """Return the jobs that have waited for a signal since before a time; None: none has."""
        row = self._database.one(self._sql["long-waits"], before_ms, MOST_WAITS_COUNTED)
        return None if row is None else LongWaits(*row)

    # Upkeep

    def next_timeout_ms(self) -> int | None:
        """Return when the first wait for a signal times out; None: none does."""
        until_ms: int | None = self._database.value(self._sql["next-timeout"])
        return until_ms

    def continue_wakes(self) -> bool:
        """Wake some of the jobs that still wait for a sent signal; False: there are none."""
        if self._database.one(self._sql["next-to-wake"]) is None:
            return False
        with self._database.write(durable=False):
            row = self._database.one(self._sql["next-to-wake"])
            if row is None:
                return False
            name, key, payload = row
            self.lock([(name, key)])
            if not self._wake(name, key, payload):
                self._database.run(self._sql["set-wakes"], 0, name, key)
        return True

    def expire_waits(self) -> bool:
        """End some waits whose time is over; False: there are none."""
        most = self._dependencies.most_at_once
        found = self._database.all(self._sql["timed-out"], self._database.clock.wall_ms(), most)
        if not found:
            return False
        with self._database.write(durable=False):
            self.lock((row[2], row[3]) for row in found)
            steps = sorted((row[0], row[1]) for row in found)
            rows = [
                row
                for step in steps
                if (row := self._database.one(self._sql["waiting-job"], *step)) is not None
            ]
            now_ms = self._database.clock.wall_ms()
            self._database.run_many(
                self._sql["time-out"], [(now_ms, row[0], row[-1]) for row in rows]
            )
            self._unblock(rows)
        return True
