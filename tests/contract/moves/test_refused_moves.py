"""Which moves are refused, and who may use a database that is being moved, or was."""

from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.jobs import NewJob, NewLine, Status
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.processes import ProcessRecord, Role
from orpheus.shared.errors import AlreadyRunning, DatabaseUnusable
from orpheus.shared.storage import MoveRefused, Store, shown_url
from orpheus.shared.storage.verbs import moves
from tests.contract.moves.killed import BACKENDS, Killed, can_start, die
from tests.full_database import HOLDER


@pytest.fixture
def pair(new_url: Callable[[str], str], request: pytest.FixtureRequest) -> tuple[str, str]:
    """Two new databases."""
    source, target = request.param
    return new_url(source), new_url(target)


BOTH_WAYS = pytest.mark.parametrize("pair", [BACKENDS, BACKENDS[::-1]], indirect=True, ids="-".join)


@BOTH_WAYS
def test_whoever_has_the_source_open_can_change_nothing_any_more_and_is_told_why(
    pair: tuple[str, str],
    moved: Callable[..., dict[str, int]],
    opened: Callable[..., Store],
) -> None:
    source, target = pair
    application = opened(source)
    job_id = application.jobs.submit(NewJob("noop")).job.id
    moved(source, target)
    for change in (
        lambda: application.jobs.submit(NewJob("noop")),
        lambda: application.jobs.cancel(job_id),
        lambda: application.leases.lease(HOLDER, ("*",), 1, 30_000),
        lambda: application.queues.pause("mail"),
        lambda: application.audit.record("pause", "mail", by="cli:ada", reason=None),
    ):
        with pytest.raises(DatabaseUnusable, match=f"was moved to {shown_url(target)}"):
            change()
    assert application.jobs.get(job_id).status is Status.PENDING
    assert application.maintenance.verify() == []
    assert opened(target).jobs.get(job_id).status is Status.PENDING


@BOTH_WAYS
def test_nobody_uses_a_target_before_all_has_arrived_or_starts_on_the_source(
    pair: tuple[str, str],
    opened: Callable[..., Store],
    moved: Callable[..., dict[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, target = pair
    opened(source).jobs.submit_many([NewJob("noop")] * 9)
    with monkeypatch.context() as patch:
        patch.setattr(moves.Moves, "set_counters", die)
        with pytest.raises(Killed):
            moved(source, target)
    for create in (True, False):
        with pytest.raises(DatabaseUnusable, match="is unfinished: go on with `orpheus db move`"):
            opened(target, create=create)
    with pytest.raises(DatabaseUnusable, match="is unfinished: go on with `orpheus db move`"):
        opened(source)
    assert opened(source, create=False).stats.counts()[Status.PENDING] == 9, "it may be looked at"
    assert moved(source, target)["jobs"] == 9
    assert opened(target).jobs.submit(NewJob("noop")).job.id == 10


@BOTH_WAYS
def test_a_source_that_is_opened_again_goes_on_with_another_history(
    pair: tuple[str, str],
    opened: Callable[..., Store],
    moved: Callable[..., dict[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, target = pair
    store = opened(source)
    store.jobs.submit(NewJob("noop"))
    epoch = store.events.epoch()
    with monkeypatch.context() as patch:
        patch.setattr(moves.Moves, "set_counters", die)
        with pytest.raises(Killed):
            moved(source, target)
    opened(source, create=False).moves.reopen()
    assert opened(source).jobs.submit(NewJob("noop")).job.id == 10_000_000_002
    assert store.events.epoch() != epoch
    with pytest.raises(MoveRefused, match="unfinished move of another database, or of one that"):
        moved(source, target)
    assert can_start(opened, source)


@BOTH_WAYS
def test_a_database_that_was_moved_or_is_arriving_cannot_be_moved(
    pair: tuple[str, str],
    new_url: Callable[[str], str],
    opened: Callable[..., Store],
    moved: Callable[..., dict[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, target = pair
    opened(source).jobs.submit(NewJob("noop"))
    with monkeypatch.context() as patch:
        patch.setattr(moves.Moves, "set_counters", die)
        with pytest.raises(Killed):
            moved(source, target)
    for one, other in ((target, new_url("sqlite")), (target, target), (target, source)):
        with pytest.raises(MoveRefused, match="is unfinished"):
            moved(one, other)
    moved(source, target)
    with pytest.raises(MoveRefused, match="was moved to"):
        moved(source, new_url("sqlite"))
    out_of_the_way = "mv " if source.startswith("sqlite") else "DROP SCHEMA orpheus CASCADE"
    with pytest.raises(MoveRefused, match=f"still has what it held .*{out_of_the_way}"):
        moved(target, source)
    assert can_start(opened, target)


@BOTH_WAYS
def test_a_target_that_is_not_empty_is_refused_and_the_source_stays_open(
    pair: tuple[str, str], opened: Callable[..., Store], moved: Callable[..., dict[str, int]]
) -> None:
    source, target = pair
    opened(target).audit.record("pause", "mail", by="cli:ada", reason=None)
    with pytest.raises(MoveRefused, match=r"is not empty \(its table audit has rows\)"):
        moved(source, target)
    with pytest.raises(MoveRefused, match="is not empty"):
        moved(target, target)
    assert opened(source).jobs.submit(NewJob("noop")).created


@BOTH_WAYS
def test_a_database_is_not_moved_to_itself(
    pair: tuple[str, str], opened: Callable[..., Store], moved: Callable[..., dict[str, int]]
) -> None:
    with pytest.raises(MoveRefused, match="are the same database"):
        moved(pair[0], pair[0])
    assert opened(pair[0]).jobs.submit(NewJob("noop")).created


@BOTH_WAYS
def test_a_database_with_leases_is_refused_and_stays_open(
    pair: tuple[str, str], opened: Callable[..., Store], moved: Callable[..., dict[str, int]]
) -> None:
    source, target = pair
    store = opened(source)
    store.jobs.submit(NewJob("noop"))
    store.leases.lease(HOLDER, ("*",), 1, 30_000)
    with pytest.raises(MoveRefused, match=r"leases of workers that died \(jobs: 1\): start"):
        moved(source, target)
    assert store.jobs.submit(NewJob("noop")).created


def a_row(clock: Any, **changes: Any) -> ProcessRecord:
    """Of a worker whose process does not exist here, and which has just beaten."""
    fields = {
        "host": "elsewhere", "incarnation": "life-1", "slot": "default-1", "pool": "default",
        "role": Role.WORKER, "pid": 2**22 + 1, "create_time_s": 1.5, "boot_id": clock.boot_id,
        "started_at_ms": 10, "ready": True, "beat": 1, "last_beat_mono_ms": clock.monotonic_ms(),
        "job_id": None, "jobs_done": 0,
    }  # fmt: skip
    return ProcessRecord(**{**fields, **changes})


@BOTH_WAYS
@pytest.mark.parametrize("which", ["source", "target"])
def test_a_database_that_a_process_uses_is_refused_and_stays_open(
    which: str,
    pair: tuple[str, str],
    opened: Callable[..., Store],
    moved: Callable[..., dict[str, int]],
    clock: Any,
) -> None:
    store = opened(pair[which == "target"])
    store.processes.register(a_row(clock))
    with pytest.raises(AlreadyRunning, match=r"default-1 \(process \d+ on elsewhere\) uses .*stop"):
        moved(*pair)
    assert can_start(opened, pair[0]) and can_start(opened, pair[1])
    clock.advance(21_000)  # it beats no more
    moved(*pair)


@BOTH_WAYS
@pytest.mark.parametrize(
    ("loses", "says"),
    [
        ("job_logs", "of 3 rows of job_logs, 0 have arrived"),
        ("job_counts", r"of 3 rows of job_counts, 0 have arrived \(and 1 more\)"),
    ],
)
def test_a_target_that_is_not_as_it_must_be_is_not_released(
    loses: str,
    says: str,
    pair: tuple[str, str],
    opened: Callable[..., Store],
    moved: Callable[..., dict[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, target = pair
    store = opened(source)
    store.jobs.submit(NewJob("noop"))
    (held,) = store.leases.lease(HOLDER, ("*",), 1, 30_000)
    store.logs.append(held.job_id, held.token, 1, [NewLine(n, "info", "line") for n in range(3)])
    store.leases.finish([Finished(held, Ending.SUCCEEDED, "null")])
    put = moves.Moves.put

    def lose(self: moves.Moves, move: str, table: moves.Table, rows: Any) -> None:
        if table.name != loses:
            put(self, move, table, rows)

    with monkeypatch.context() as patch:
        patch.setattr(moves.Moves, "put", lose)
        with pytest.raises(MoveRefused, match=says):
            moved(source, target)
    assert not can_start(opened, target) and not can_start(opened, source)
    moved(source, target)
    assert [line.line for line in opened(target).logs.after(held.job_id, 0, 9)] == ["line"] * 3


@BOTH_WAYS
def test_an_older_program_does_not_move_what_it_does_not_know(
    pair: tuple[str, str], opened: Callable[..., Store], moved: Callable[..., dict[str, int]]
) -> None:
    source, target = pair
    next_schema = {
        "sqlite": "PRAGMA user_version = 1000101",
        "postgresql": "INSERT INTO orpheus.schema_migrations VALUES (101, 'next', 1, 100)",
    }
    store = opened(source)
    with store.write(durable=True):
        store._database.run(next_schema[source.partition(":")[0]])
    with pytest.raises(MoveRefused, match="has a schema of a newer Orpheus"):
        moved(source, target)
    store.jobs.submit(NewJob("noop"))
    assert can_start(opened, source) and can_start(opened, target)
