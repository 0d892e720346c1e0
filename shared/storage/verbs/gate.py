"""What lets due jobs through to be leased, and parks what it leaves out."""

from collections.abc import Mapping
from typing import Protocol

from orpheus.shared.domain.rates import NO_LIMITS_PER_KEY, KeyRules
from orpheus.shared.domain.rooms import Room
from orpheus.shared.storage.verbs.keys import HeldJob, Key, Keys
from orpheus.shared.storage.verbs.versions import Versions

_MOST_PARKED = 1_000
"""A lease parks at most so many jobs; it rings for itself to go on."""
_MOST_HELD = 250
"""At most so many that are held back or cannot be read: a million may wait, and others write."""


class Candidate(Protocol):
    """A due job that may be leased."""

    @property
    def job_id(self) -> int:
        """Its id."""

    @property
    def queue(self) -> str:
        """Its queue."""

    @property
    def concurrency_key(self) -> str | None:
        """Its key."""

    @property
    def type(self) -> str:
        """Its type."""

    @property
    def versions(self) -> str | None:
        """The versions of its type that can read it; None: all."""


class Gate:
    """Lets jobs through as far as their keys have room, in the order of leasing.

    It lets none of a quarantined type through, and none that this process cannot read. What it
    leaves out is parked, and then what may be leased is read again. A job that cannot be held back,
    as another host has locked it, is passed over from then on: each reading parks or passes over
    some, so it comes to an end.
    """

    def __init__(
        self,
        keys: Keys,
        rules: Mapping[str, KeyRules],
        held: frozenset[str],
        versions: Versions,
    ) -> None:
        self.rules = rules
        """Of the queues that have limits per key."""
        self.held = held
        """The quarantined types."""
        self._keys = keys
        self._versions = versions
        self._rooms: dict[Key, int] = {}
        self._left_out: list[tuple[str, str, int]] = []
        self._held_back: list[HeldJob] = []
        self._unread: list[tuple[int, str, str]] = []
        """Of those that are held back: the id, type and versions of what cannot be read here."""
        self._passed_over: set[int] = set()
        self._has_unparked = False
        self._parked = self._parked_as_held = 0

    def admits(self, job: Candidate) -> bool:
        """Return whether the key has room for this job; then it has room for one less."""
        queue, key, job_id = job.queue, job.concurrency_key, job.job_id
        is_held, versions = job.type in self.held, job.versions
        if is_held or not self._versions.reads(job.type, versions):
            if job_id not in self._passed_over:
                self._held_back.append((queue, key, job_id))
                if versions is not None and not is_held:
                    self._unread.append((job_id, job.type, versions))
            return False
        rules = self.rules.get(queue)
        if key is None or rules is None:
            return True
        room = self._rooms.get((queue, key))
        if room is None:
            room, has_unparked = self._keys.room(queue, key, rules)
            self._has_unparked |= has_unparked
        self._rooms[queue, key] = max(0, room - 1)
        if not room:
            self._left_out.append((queue, key, job_id))
        return room > 0

    def start_over(self) -> None:
        """Forget which jobs were let through: they were not taken."""
        self._rooms = {}

    @property
    def has_left_out(self) -> bool:
        """Whether a job was left out that is not parked yet."""
        return bool(self._left_out or self._held_back)

    @property
    def is_full(self) -> bool:
        """Whether this transaction should leave out no more jobs."""
        held = self._parked_as_held + len(self._held_back)
        return self._parked + len(self._left_out) >= _MOST_PARKED or held >= _MOST_HELD

    def park(self, *, is_enough: bool) -> bool:
        """Park what was left out; return whether what may be leased must be read again.

        `is_enough`: no more jobs were wanted.
        """
        again = self._has_unparked or (self.has_left_out and not is_enough)
        if self._left_out:
            self._keys.park(self._left_out, self.rules)
        if self._held_back:
            self._hold()
            again |= self._keys.look_behind(self._held_back, self.rules)
        if again and self.is_full:
            self._keys.ring({queue for queue, *_ in (*self._left_out, *self._held_back)})
            return False
        self._parked += len(self._left_out)
        self._parked_as_held += len(self._held_back)
        self._left_out, self._held_back, self._unread, self._has_unparked = [], [], [], False
        self.start_over()
        return again

    def _hold(self) -> None:
        """Hold jobs back; those with which that cannot be done are passed over instead."""
        unread = {one[0] for one in self._unread}
        quarantined = [one for one in self._held_back if one[2] not in unread]
        parked = self._versions.hold(self._unread) if unread else frozenset[int]()
        if quarantined:
            parked_too, self.held = self._keys.hold(quarantined)
            parked |= parked_too
        self._passed_over |= {one[2] for one in self._held_back} - parked
        self._held_back = [one for one in self._held_back if one[2] in parked]


def gate_of(
    keys: Keys, rooms: Mapping[str, Room], held: frozenset[str], versions: Versions
) -> Gate:
    """Return what lets jobs through as far as their keys have room.

    `held`: the types of which no job is let through. `versions`: tells which jobs this process
    cannot read.
    """
    rules = {
        name: room.per_key for name, room in rooms.items() if room.per_key != NO_LIMITS_PER_KEY
    }
    if any(rule.rate is not None for rule in rules.values()):
        keys.look_at_opened()
    return Gate(keys, rules, held, versions)
