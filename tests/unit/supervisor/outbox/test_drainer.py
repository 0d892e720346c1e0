"""What a drainer does with the batch of another that was killed."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from orpheus.shared.domain.handover import JobDefaults, StorageSettings
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import OutboxCounts, RowId, Store, TypeRow, open_storage
from orpheus.supervisor.outbox import drainer as drainer_module
from orpheus.supervisor.outbox.drainer import Drainer
from orpheus.supervisor.outbox.rows import MOST_REFUSED, RefusedRow, Row
from orpheus.supervisor.outbox.settings import OutboxSettings
from tests.databases import make_database


class Rows:
    """An outbox in memory."""

    digest = "here"

    def __init__(self, *rows: Row) -> None:
        self.rows = list(rows)
        self.marked: list[RefusedRow] = []
        self.counts = 0

    def may_have_rows(self) -> bool:
        return bool(self.rows)

    @contextmanager
    def batch(self) -> Iterator[Sequence[Row]]:
        yield self.rows

    def refused(self) -> Sequence[RefusedRow]:
        self.counts += 1
        return self.marked

    def finish(self, accepted: Sequence[RowId], refused: Sequence[RefusedRow]) -> None:
        self.marked += refused
        self.delete([*accepted, *(one.id for one in refused)])

    def delete(self, ids: Sequence[RowId]) -> None:
        self.rows = [row for row in self.rows if row.id not in ids]

    def close(self) -> None:
        pass


def row(n: int, type: str = "count", key: str | None = None) -> Row:
    return Row(n, type, json.dumps({"n": n}), 9, None, None, None, key, None, None)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path}/orpheus.db"
    make_database(url)
    with closing(open_storage(StorageSettings(url, durable=False, pools={}))) as opened:
        types = ("count", "mail")
        opened.types.replace([TypeRow(name, "{}", None, None, None, "") for name in types])
        yield opened


def drainer_of(store: Store, rows: Rows) -> Drainer:
    storage = StorageSettings("unused", durable=False, pools={})
    settings = OutboxSettings("shop", "sqlite:///x", "rows", 1.0, storage, JobDefaults(3, 900), 99)
    drainer = Drainer(settings)
    drainer._store, drainer._source, drainer._is_settled = store, rows, True
    return drainer


def drain(store: Store, rows: Rows) -> None:
    drainer_of(store, rows)._drain()


def test_rows_whose_jobs_are_committed_after_it_has_looked_become_no_jobs_again(
    store: Store,
) -> None:
    rows = Rows(row(1), row(2), row(3))
    store.outboxes.remember("shop", "here", [1, 2], refused=0)
    drain(store, rows)
    assert [json.loads(job.payload) for job in store.jobs.page(JobFilter(), 9)] == [{"n": 3}]
    assert (rows.rows, store.outboxes.in_flight("shop", "here")) == ([], [])


def test_a_row_whose_unique_key_is_of_another_type_is_refused_and_one_of_the_same_counted_apart(
    store: Store,
) -> None:
    held = store.jobs.submit(NewJob("mail", unique_key="a")).job.id
    rows = Rows(
        row(1, "count", "a"),
        row(2, "mail", "a"),
        row(3, "count", "b"),
        row(4, "count", "b"),
        row(5, "mail", "b"),
        row(6, "mail", "c"),
        row(7),
    )
    drain(store, rows)
    jobs = store.jobs.page(JobFilter(), 9)
    made = {job.id: (job.type, job.unique_key, json.loads(job.payload)) for job in jobs}
    assert list(made.values())[::-1] == [
        ("mail", "a", {}),
        ("count", "b", {"n": 3}),
        ("mail", "c", {"n": 6}),
        ("count", None, {"n": 7}),
    ]
    first = next(one for one, (_, key, _) in made.items() if key == "b")
    assert rows.marked == [
        (1, f"unique_key: 'a' is held by job {held}, which is of another type: mail"),
        (5, f"unique_key: 'b' is held by job {first}, which is of another type: count"),
    ]
    assert store.outboxes.counts() == {"shop": OutboxCounts(accepted=3, held=2, refused=2)}


def test_refused_rows_are_counted_at_the_start_and_then_only_while_there_are_some(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drainer_module, "_RECOUNT_S", 0)
    rows = Rows(row(1))
    drainer = drainer_of(store, rows)
    for _ in range(3):
        drainer._drain()
    assert (rows.counts, drainer.refused) == (1, "")
    rows.rows = [row(2, "nothing")]
    drainer._drain()
    drainer._drain()
    assert rows.counts == 3
    assert drainer.refused.startswith("a row is refused, with id 2: type: ")
    rows.marked = [RefusedRow(n, "why") for n in range(MOST_REFUSED)]
    drainer._drain()
    assert drainer.refused.startswith("at least 1,000 rows are refused, the first with id 0: why;")
    rows.marked = []
    for _ in range(3):
        drainer._drain()
    assert (rows.counts, drainer.refused) == (5, "")
