"""What a drainer does with the batch of another that was killed."""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from orpheus.shared.domain.handover import JobDefaults, StorageSettings
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import (
    OutboxCounts,
    RowId,
    Store,
    TypeRow,
    open_storage,
)
from orpheus.supervisor.outbox.drainer import Drainer, OutboxSettings
from orpheus.supervisor.outbox.rows import RefusedRow, Row
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
    def batch(self, held_keys: Collection[str]) -> Iterator[Sequence[Row]]:
        yield self.rows

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
    drainer._store, drainer._source = store, rows
    return drainer


def drain(store: Store, rows: Rows) -> None:
    drainer_of(store, rows)._drain()


def test_rows_whose_jobs_are_committed_after_it_has_looked_become_no_jobs_again(
    store: Store,
) -> None:
    def a_killed_one_commits() -> None:
        store.outboxes.remember("shop", "here", 0, [1, 2], refused=0)

    rows = Rows(row(1), row(2), row(3))
    drainer = drainer_of(store, OwnRows(rows, once_read=a_killed_one_commits))
    drainer._turn()
    drainer._turn()
    assert numbers(store) == [3]
    assert (rows.rows, store.outboxes.last_batch("shop", "here").ids) == ([], [])


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


def test_rows_of_signals_are_sent_and_those_that_are_not_valid_are_refused(store: Store) -> None:
    def signal(n: int, name: str, key: str | None, payload: str | None, size: int = 9) -> Row:
        return row(n, f"signal:{name}", key)._replace(payload=payload, payload_bytes=size)

    rows = Rows(
        signal(1, "approved", "a", "[1]"),
        row(2, "mail", "a"),
        signal(3, "approved", "a", "[2]"),
        signal(4, "approved", None, "[1]"),
        signal(5, "a b", "a", "[1]"),
        signal(6, "approved", "b", "["),
        signal(7, "approved", "b", None, 100),
        signal(8, "approved", "c", "NaN"),
    )
    drain(store, rows)
    sent = store.signals.find("approved", "a")
    assert sent is not None and sent.payload == "[1]"
    assert store.signals.find("approved", "b") is None
    assert [job.type for job in store.jobs.page(JobFilter(), 9)] == ["mail"]
    assert [(refused.id, refused.reason.partition(":")[0]) for refused in rows.marked] == [
        (4, "key"),
        (5, "name"),
        (6, "payload"),
        (7, "payload"),
        (8, "payload"),
    ]
    assert store.outboxes.counts() == {"shop": OutboxCounts(accepted=3, held=0, refused=5)}


def test_a_signal_of_a_batch_is_sent_once_however_often_its_drainer_dies(store: Store) -> None:
    signal = row(1, "signal:approved", "a")
    rows = Rows(signal)
    with pytest.raises(Died):
        drain(store, OwnRows(rows, before_finish=die))
    assert store.outboxes.last_batch("shop", "here").ids == [1]
    drain(store, rows)
    assert rows.rows == []
    assert store.signals.find("approved", "a") is not None


# Two drainers: one that stood still, and one that took over meanwhile


class Died(BaseException):
    """A process ends here."""


class OwnRows(Rows):
    """Rows that several drainers share. What is given happens once, in one of them."""

    def __init__(
        self,
        shared: Rows,
        *,
        once_read: Callable[[], None] = lambda: None,
        before_finish: Callable[[], None] = lambda: None,
        once_deleted: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self.shared = shared
        self.once = {"read": once_read, "before": before_finish, "deleted": once_deleted}

    def happen(self, moment: str) -> None:
        self.once.pop(moment, lambda: None)()

    def may_have_rows(self) -> bool:
        return self.shared.may_have_rows()

    @contextmanager
    def batch(self, held_keys: Collection[str]) -> Iterator[Sequence[Row]]:
        read = list(self.shared.rows)
        self.happen("read")
        yield read

    def finish(self, accepted: Sequence[RowId], refused: Sequence[RefusedRow]) -> None:
        self.happen("before")
        super().finish(accepted, refused)

    def delete(self, ids: Sequence[RowId]) -> None:
        self.shared.delete(ids)
        self.happen("deleted")


def die() -> None:
    raise Died


def numbers(store: Store) -> list[int]:
    return [json.loads(job.payload)["n"] for job in store.jobs.page(JobFilter(), 9)][::-1]


def test_a_drainer_that_wakes_once_its_rows_are_deleted_forgets_nothing_of_the_next_ones_batch(
    store: Store,
) -> None:
    shared = Rows(row(1))

    def another_takes_over_and_dies() -> None:
        shared.rows.append(row(2))
        with pytest.raises(Died):
            drain(store, OwnRows(shared, before_finish=die))

    stood_still = drainer_of(store, OwnRows(shared, once_deleted=another_takes_over_and_dies))
    stood_still._turn()
    assert stood_still.trouble == ""
    assert numbers(store) == [1, 2]
    drain(store, OwnRows(shared))
    assert (numbers(store), shared.rows) == ([1, 2], [])


def test_a_drainer_that_wakes_with_rows_that_another_has_drained_makes_no_job_of_them(
    store: Store,
) -> None:
    shared = Rows(row(1))

    def another_drains() -> None:
        drain(store, OwnRows(shared))
        shared.rows.append(row(2))

    stood_still = drainer_of(store, OwnRows(shared, once_read=another_drains))
    stood_still._turn()
    assert stood_still.trouble == ""
    assert numbers(store) == [1]
    stood_still._turn()
    assert (numbers(store), shared.rows) == ([1, 2], [])


def test_a_drainer_that_wakes_while_it_deletes_a_batch_of_before_forgets_no_later_one(
    store: Store,
) -> None:
    shared = Rows(row(1))
    with pytest.raises(Died):
        drain(store, OwnRows(shared, before_finish=die))

    def another_takes_over_and_dies() -> None:
        drain(store, OwnRows(shared))
        shared.rows.append(row(2))
        with pytest.raises(Died):
            drain(store, OwnRows(shared, before_finish=die))

    drainer_of(store, OwnRows(shared, once_deleted=another_takes_over_and_dies))._turn()
    drain(store, OwnRows(shared))
    assert (numbers(store), shared.rows) == ([1, 2], [])
