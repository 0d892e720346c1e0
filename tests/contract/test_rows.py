"""The columns of the queries are the fields of the data classes that are made of their rows."""

import re
from typing import Any

import apsw.ext
import psycopg
import pytest

from orpheus.shared.domain.graph import GraphJob
from orpheus.shared.domain.jobs import Attempt, Job, RunningJob
from orpheus.shared.domain.processes import ProcessRecord, SlotRecord
from orpheus.shared.storage import Store
from orpheus.shared.storage.data import AuditRow
from orpheus.shared.storage.sqlite.connection import SqliteDatabase
from orpheus.shared.storage.verbs.dependencies import WaitingJob
from orpheus.shared.storage.verbs.due_jobs import DueJob, Head
from orpheus.shared.storage.verbs.ended_leases import LeasedJob
from tests.sqlite_handle import handle_of

QUERIES = [
    ("jobs.sql", "select-jobs", Job),
    ("jobs.sql", "select-previews", Job),
    ("jobs.sql", "select-attempts", Attempt),
    ("jobs.sql", "select-running-attempt", Attempt),
    ("jobs.sql", "running-jobs", RunningJob),
    ("graphs.sql", "jobs-of-graph", GraphJob),
    ("leases.sql", "due-of-all", DueJob),
    ("leases.sql", "due-of-one", DueJob),
    ("leases.sql", "due-job", DueJob),
    ("leases.sql", "heads-of-all", Head),
    ("leases.sql", "head-of-next", Head),
    ("leases.sql", "head-of-one", Head),
    ("leases.sql", "held-lease", LeasedJob),
    ("leases.sql", "spent", LeasedJob),
    ("dependencies.sql", "waiting-for", WaitingJob),
    ("audit.sql", "entries", AuditRow),
    ("processes.sql", "all-processes", ProcessRecord),
    ("processes.sql", "all-slots", SlotRecord),
]


@pytest.mark.parametrize(("file", "query", "make"), QUERIES, ids=[query[1] for query in QUERIES])
def test_the_columns_are_the_fields_in_their_order(
    store: Store, url: str, file: str, query: str, make: Any
) -> None:
    names = getattr(make, "_fields", None) or make.__struct_fields__
    assert columns_of(store, url, store._database.sql(file)[query]) == [*names]


def columns_of(store: Store, url: str, sql: str) -> list[str]:
    if isinstance(store._database, SqliteDatabase):
        with handle_of(store) as connection:
            return [name for name, _ in apsw.ext.query_info(connection, sql).description]
    with psycopg.connect(url) as postgres:
        described = postgres.execute(re.sub(r"\?\d*(::integer)?", "NULL", sql).encode()).description
    return [column.name for column in described or ()]
