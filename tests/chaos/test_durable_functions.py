"""Durable functions whose worker is killed at each of their commits, or that are interrupted.

What is kept is not done again, and each effect is there: docs/durable.md.
"""

import contextlib
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.jobs import Outcome, Status
from orpheus.shared.domain.steps import NewSignal
from orpheus.shared.storage import Store, open_store
from tests.chaos.durable import (
    MODULES,
    POOLS,
    check_children,
    check_function,
    count_effects,
    read_notes,
    submit,
    until_status,
    waits_for_signal,
)
from tests.chaos.harness import Orpheus, until
from tests.integration.commands import command
from tests.variants import variants

STORY = ["charge", *(f"load {n}" for n in range(3)), "ship"]
PLACES = ("charge", "nap", "approval", "approval sent before", "letters", "load 1", "pages", "end")
POINTS = ("worker.commit.before", "worker.commit.after")
ALL = tuple(product(PLACES, POINTS))
SOME = (
    *product(("charge", "letters"), POINTS),
    ("approval", "worker.commit.before"),
    ("pages", "worker.commit.before"),
    ("end", "worker.commit.before"),
    ("end", "worker.commit.after"),
)
FEW = SOME[:4]
QUIET = {  # no commit of another thread comes between the job's arming and its own
    "heartbeats.interval": "10s",
    "heartbeats.timeout": "60s",
    "leases.ttl": "90s",
    "leases.renew_every": "20s",
    "pools.default.workers": "1",
    "jobs.backoff_base": "50ms",
}
TEN = [f"step {n}" for n in range(10)]


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of the backend that is the parameter."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/orpheus-0/data/orpheus.db"
    return str(request.getfixturevalue("postgresql_url"))


@contextlib.contextmanager
def opened(orpheus: Orpheus, url: str) -> Iterator[Store]:
    """The store of a running Orpheus, for a client."""
    state_dir = orpheus.settings.get("database.state_dir", "")
    with contextlib.closing(open_store(url, pools=POOLS, state_dir=state_dir)) as store:
        yield store


def on(url: str, tmp_path: Path) -> dict[str, str]:
    """The settings of a database."""
    if url.startswith("sqlite"):
        return {}
    return {"database.url": url, "database.state_dir": str(tmp_path / "state")}


@pytest.mark.parametrize(
    ("url", "deaths"),
    variants(
        [("sqlite", SOME), ("postgresql", FEW), ("sqlite", ALL), ("postgresql", ALL)],
        ("sqlite", SOME),
        ("postgresql", FEW),
    ),
    indirect=["url"],
    ids=["sqlite", "postgresql", "sqlite-all", "postgresql-all"],
)
def test_a_worker_is_killed_at_each_commit_of_a_function(
    start: Callable[..., Orpheus],
    url: str,
    deaths: tuple[tuple[str, str], ...],
    tmp_path: Path,
    points: Path,
) -> None:
    orpheus = start(
        MODULES | QUIET | on(url, tmp_path),
        environment={"ORPHEUS_TESTING": "1", "ORPHEUS_FAILPOINTS": str(points)},
    )
    with opened(orpheus, url) as store:
        pairs = [_tell_story(orpheus, store, number, *death) for number, death in enumerate(deaths)]
        stories = [story for story, _ in pairs]
        notes = read_notes(orpheus.folder)
        for story, (place, point) in zip(stories, deaths, strict=True):
            assert not (points / point).exists(), "nobody has met it"
            check_function(store, story, notes[story], STORY)
            twice = {place} & set(STORY) if point.endswith("before") else set()
            counts = count_effects(notes[story])
            assert {name for name in counts if counts[name] > 1} == twice, (place, point, counts)
            assert max(counts.values()) <= 2
            ends = [attempt.outcome for attempt in store.jobs.attempts(story)]
            died = ends.count(Outcome.CRASHED) + ends.count(Outcome.LOST)
            assert died == (point.endswith("before") or place in _GOES_ON), (place, point, ends)
        for _, receiver in pairs:
            check_function(store, receiver, notes[receiver], ["by ship"])
        check_children(store, stories, 3, notes)
        assert store.maintenance.verify() == []


_GOES_ON = ("charge", "approval sent before", "load 1", "pages")
"""Commits after which the attempt is not over."""


def _job(type: str, **payload: Any) -> dict[str, Any]:
    return {"type": type, "payload": payload}


def _tell_story(
    orpheus: Orpheus, store: Store, number: int, place: str, point: str
) -> tuple[int, int]:
    """Run a story whose worker dies at a place, alone; return its id and that of its receiver.

    Beside another job, the death might come at a commit of that.
    """
    [receiver] = submit(orpheus, [_job("receiver", number=number)])
    until_status(store, receiver, Status.BLOCKED)
    is_early = place == "approval sent before"
    approval = NewSignal("approval", str(number), '"yes"')
    if is_early:
        store.signals.send(approval)
    dies_at = "approval" if is_early else place
    [story] = submit(orpheus, [_job("story", number=number, dies_at=dies_at, point=point)])
    if not is_early:
        until(lambda: waits_for_signal(store, story), "the wait")
        store.signals.send(approval)
    for job_id in (story, receiver):
        until_status(store, job_id, Status.DONE)
    return story, receiver


def test_what_is_kept_stays_whatever_interrupts_the_function(
    start: Callable[..., Orpheus],
    tmp_path: Path,
    postgresql_url: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    quarantine = {"jobs.quarantine_after": "2", "jobs.timeout": "30s"}
    state = {"database.state_dir": str(tmp_path / "state")}
    orpheus = start(MODULES | quarantine | state)
    file = f"sqlite:///{orpheus.database}"
    with opened(orpheus, file) as store:
        cancelled, timed_out, failed, *moved = ids = submit(
            orpheus,
            [
                _job("interrupted", how="wait"),
                _job("interrupted", how="wait") | {"timeout": "500ms", "max_retries": 0},
                _job("interrupted", how="fail"),
                *(_job("interrupted", how=how) for how in ("sleep", "signal", "gather")),
            ],
        )
        until(lambda: _has_begun(orpheus, cancelled), "the step that is cancelled")
        orpheus.client.post(f"/jobs/{cancelled}/cancel").raise_for_status()
        until_status(store, cancelled, Status.CANCELLED)
        until_status(store, timed_out, Status.FAILED)
        until_status(store, failed, Status.FAILED)
        for job_id in moved:
            until(lambda: len(store.steps.of(job_id)) == 6, "the wait")  # noqa: B023 - at once
        [deadly] = submit(orpheus, [_job("deadly")])
        until(store.quarantines.all, "the quarantine")
        until_status(store, deadly, Status.PENDING)
        (orpheus.folder / "mended").touch()
        orpheus.until_ready()
        for job_id in (cancelled, timed_out, failed):
            orpheus.client.post(f"/jobs/{job_id}/retry").raise_for_status()
        orpheus.client.post("/types/deadly/release").raise_for_status()
        for job_id in (cancelled, timed_out, failed, deadly):
            until_status(store, job_id, Status.DONE)
        assert [len(store.steps.of(job_id)) for job_id in (*ids, deadly)] == [10] * 3 + [6] * 3 + [
            10
        ]
        assert store.maintenance.verify() == []
    assert orpheus.stop() == 0
    words = ("--set", f"database.state_dir={tmp_path}/state")
    answer = command(capsys, "db", "move", file, postgresql_url, *words)
    assert answer.returncode == 0, answer.stderr
    there = start(
        MODULES | {"database.url": postgresql_url} | state,
        environment={"CHAOS_FOLDER": str(orpheus.folder)},
    )
    with opened(there, postgresql_url) as store:
        sleeping, waiting, gathering = moved
        [child] = store.steps.of(gathering)[-1].children
        for job_id in (sleeping, child):
            there.client.post(f"/jobs/{job_id}/run").raise_for_status()
        assert store.jobs.get(waiting).status is Status.BLOCKED
        store.signals.send(NewSignal("go", str(waiting)))
        for job_id in (*moved, child):
            until_status(store, job_id, Status.DONE)
        notes = read_notes(orpheus.folder)
        for job_id in (*ids, deadly):
            check_function(store, job_id, notes[job_id], TEN)
            counts = count_effects(notes[job_id])
            assert {name for name in TEN if counts[name] > 1} <= {"step 5"}, counts
        assert all(count_effects(notes[job_id])["step 5"] == 1 for job_id in moved)
        assert count_effects(notes[cancelled])["step 5"] == 2
        assert store.maintenance.verify() == []


def _has_begun(orpheus: Orpheus, job_id: int) -> bool:
    """Whether the step that can be interrupted has begun."""
    notes = read_notes(orpheus.folder) if (orpheus.folder / "notes").exists() else {}
    return count_effects(notes.get(job_id, []))["step 5"] > 0
