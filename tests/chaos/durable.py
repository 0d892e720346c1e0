"""What durable functions have done and kept, read by the store and checked: docs/durable.md."""

import contextlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Outcome, Status
from orpheus.shared.domain.steps import NewSignal, StepKind, StepState
from orpheus.shared.errors import OrpheusError
from orpheus.shared.storage import Store
from tests.chaos.harness import Orpheus, until

POOLS = {"default": ("default",)}
MODULES = {"jobs.modules": '["durable_jobs"]', "jobs.quarantine_after": "0"}


class Note(NamedTuple):
    """An effect, in the order of the file."""

    job: int
    attempt: int
    name: str


def read_notes(folder: Path) -> dict[int, list[Note]]:
    """Return the effects of each job."""
    found: dict[int, list[Note]] = defaultdict(list)
    for line in (folder / "notes").read_text().splitlines():
        note = Note(**json.loads(line))
        found[note.job].append(note)
    return found


def submit(orpheus: Orpheus, jobs: list[dict[str, Any]]) -> list[int]:
    """Submit jobs at once; return their ids."""
    answer = orpheus.client.post("/jobs/batch", json={"jobs": jobs})
    assert answer.status_code == 201, answer.text
    return list(answer.json()["ids"])


def until_status(store: Store, job_id: int, status: Status) -> None:
    """Wait for the status of a job."""
    until(lambda: store.jobs.get(job_id).status is status, f"job {job_id} to be {status}")


def waits_for_signal(store: Store, job_id: int, name: str = "approval") -> bool:
    """Whether a function waits for a signal, or has got it."""
    return any(step.signal == name for step in store.steps.of(job_id))


def until_all_ended(store: Store, timeout_s: float) -> None:
    """Wait until no job is live."""

    def ended() -> bool:
        try:
            counts = store.stats.counts()
        except OrpheusError:  # the database may have been struck
            return False
        return not (counts[Status.PENDING] or counts[Status.IN_PROGRESS] or counts[Status.BLOCKED])

    until(ended, "every job to end", timeout_s)


def check_function(store: Store, job_id: int, notes: list[Note], effects: Iterable[str]) -> None:
    """A function is done, each effect was there and in order, and no kept step was done again.

    `effects`: in the order of the function. An attempt that has lost its lease may still repeat
    the effect at which it stands, beside its successor, so they are compared attempt by attempt.
    """
    assert store.jobs.get(job_id).status is Status.DONE, (job_id, store.jobs.get(job_id))
    numbers = {name: number for number, name in enumerate(effects)}
    by_attempt = sorted(notes, key=lambda note: note.attempt)
    order = [numbers[note.name] for note in by_attempt]
    assert order == sorted(order), (job_id, "a kept step was done again", by_attempt)
    assert set(order) == set(numbers.values()), (job_id, "no effect", by_attempt)
    assert len(set(notes)) == len(notes), (job_id, "twice in an attempt", by_attempt)
    last = {note.name: note.attempt for note in by_attempt}
    steps = store.steps.of(job_id)
    for step in steps:
        waits = step.state is not StepState.KEPT and step.kind is not StepKind.GATHER
        assert not waits, (job_id, step)
        if step.kind is StepKind.STEP:
            assert last[json.loads(step.result or "")] == step.attempt, (job_id, step, by_attempt)


def check_children(
    store: Store, parents: list[int], each: int, notes: dict[int, list[Note]]
) -> None:
    """The letters of these functions are there, as often as asked for, and done."""
    named = [
        child for parent in parents for step in store.steps.of(parent) for child in step.children
    ]
    assert len(named) == len(set(named)) == len(parents) * each
    assert store.stats.counts()[Status.DONE] >= len(named)
    letters = {job.id for job in store.jobs.page(JobFilter(type="letter"), len(named) + 10)}
    assert letters == set(named), "a child that no function has"
    for child in letters:
        number = json.loads(store.jobs.get(child).payload)["number"]
        check_function(store, child, notes[child], [f"letter {number}"])


def count_effects(notes: list[Note]) -> Counter[str]:
    """Return how often each effect was there."""
    return Counter(note.name for note in notes)


class LongStories:
    """Functions of twenty steps, and the signals that they wait for."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._ids: list[int] = []
        self._unsent: set[tuple[int, int, str]] = set()
        """Signals for functions that do not wait yet: the number and id of each, and the name."""

    def submit(self, orpheus: Orpheus, n: int) -> None:
        """Submit functions. Every second one has got its signals before."""
        for number in range(0, n, 2):
            for name in _SIGNALS:
                self._store.signals.send(NewSignal(name, str(number), f"{number}"))
        types = ["long_story", "long_story", "long_story_async"]
        self._ids = submit(
            orpheus,
            [{"type": types[number % 3], "payload": {"number": number}} for number in range(n)],
        )
        self._unsent = {
            (number, self._ids[number], name) for number in range(1, n, 2) for name in _SIGNALS
        }

    def send_signals(self) -> None:
        """Send the signals of the functions that wait for them by now."""
        with contextlib.suppress(OrpheusError):  # the database may have been struck
            for number, job_id, name in sorted(self._unsent):
                if waits_for_signal(self._store, job_id, name):
                    self._store.signals.send(NewSignal(name, str(number), f"{number}"))
                    self._unsent.discard((number, job_id, name))

    def are_unsent(self) -> bool:
        """Whether signals are to be sent."""
        return bool(self._unsent)

    def check(self, bound_s: float) -> None:
        """Let all end, and check each of them."""
        store = self._store

        def all_sent() -> bool:
            self.send_signals()
            return not self._unsent

        until(all_sent, "every function to wait for its signals", bound_s)
        until_all_ended(store, bound_s)
        notes = read_notes(self._folder)
        for job_id in self._ids:
            check_function(store, job_id, notes[job_id], [f"step {n}" for n in range(20)])
            ends = [attempt.outcome for attempt in store.jobs.attempts(job_id)]
            assert ends.count(Outcome.SUCCEEDED) == 1, (job_id, ends)
        check_children(store, self._ids, 4, notes)
        assert store.maintenance.verify() == []


_SIGNALS = ("approval-0", "approval-1")
