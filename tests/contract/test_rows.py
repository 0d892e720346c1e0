"""The columns of the queries are the fields of the data classes that are made of their rows."""

from dataclasses import fields

import apsw.ext
import pytest

from orpheus.shared.domain.jobs import Attempt, Job, Lease, RunningJob
from orpheus.shared.domain.processes import ProcessRecord, SlotRecord
from orpheus.shared.storage import Store
from orpheus.shared.storage.sqlite.sql import sql_file

QUERIES = [
    ("jobs.sql", "select-jobs", Job),
    ("jobs.sql", "select-attempts", Attempt),
    ("jobs.sql", "select-running-attempt", Attempt),
    ("jobs.sql", "running-jobs", RunningJob),
    ("leases.sql", "lease-job", Lease),
    ("processes.sql", "all-processes", ProcessRecord),
    ("processes.sql", "all-slots", SlotRecord),
]


@pytest.mark.parametrize(("file", "query", "make"), QUERIES, ids=[query[1] for query in QUERIES])
def test_the_columns_are_the_fields_in_their_order(
    store: Store, file: str, query: str, make: type
) -> None:
    query_info = apsw.ext.query_info(store._database._connection, sql_file(file)[query])
    assert [name for name, _ in query_info.description] == [field.name for field in fields(make)]
