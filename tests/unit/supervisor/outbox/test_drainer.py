"""What a drainer does with the batch of another that was killed."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from orpheus.shared.domain.handover import JobDefaults, StorageSettings
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.storage import RowId, TypeRow, open_storage
from orpheus.supervisor.outbox.drainer import Drainer
from orpheus.supervisor.outbox.rows import RefusedRow, Row
from orpheus.supervisor.outbox.settings import OutboxSettings
from tests.databases import make_database


class Rows:
    """An outbox in memory."""

    digest = "here"

    def __init__(self, *ids: int) -> None:
        self.ids: set[RowId] = set(ids)

    def may_have_rows(self) -> bool:
        return bool(self.ids)

    @contextmanager
    def batch(self) -> Iterator[Sequence[Row]]:
        rows = [(one, "count", json.dumps({"n": one}), 9) for one in self.ids]
        yield [Row(*row, *[None] * 6) for row in rows]

    def finish(self, accepted: Sequence[RowId], refused: Sequence[RefusedRow]) -> None:
        self.delete(accepted)

    def delete(self, ids: Sequence[RowId]) -> None:
        self.ids -= set(ids)

    def close(self) -> None:
        pass


def test_rows_whose_jobs_are_committed_after_it_has_looked_become_no_jobs_again(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/orpheus.db"
    make_database(url)
    storage = StorageSettings(url, durable=False, pools={})
    drainer = Drainer(
        OutboxSettings("shop", "sqlite:///shop.db", "rows", 1.0, storage, JobDefaults(3, 900), 99)
    )
    store, rows = open_storage(storage), Rows(1, 2, 3)
    store.types.replace([TypeRow("count", "{}", None, None, None, "")])
    drainer._store, drainer._source, drainer._is_settled = store, rows, True
    store.outboxes.remember("shop", "here", [1, 2], refused=0)
    drainer._drain()
    assert [json.loads(job.payload) for job in store.jobs.page(JobFilter(), 9)] == [{"n": 3}]
    assert (rows.ids, store.outboxes.in_flight("shop", "here")) == (set(), [])
    store.close()
