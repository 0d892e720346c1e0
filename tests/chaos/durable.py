"""What durable functions have done and kept, read by the store and checked: docs/durable.md."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.steps import StepKind, StepState
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
