"""Rows of the database as data classes.

Each SELECT names the fields of its data class as columns, in the order of the class; a test in
tests/contract/test_rows.py compares them. Only fields that SQLite stores in another form are
converted here.
"""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from orpheus.shared.domain.graph import GraphJob
from orpheus.shared.domain.jobs import (
    Attempt,
    Dependency,
    Job,
    JobError,
    Outcome,
    RunningJob,
    Status,
)
from orpheus.shared.domain.processes import (
    LastExit,
    Order,
    ProcessRecord,
    Role,
    SlotRecord,
    SlotState,
)
from orpheus.shared.storage.database import Row, read_back

Record = TypeVar("Record", bound=msgspec.Struct)


def reader(make: type[Record], **converters: Callable[[Any], Any]) -> Callable[[Row], Record]:
    """Return a function that makes a record of a row, and converts the named fields unless NULL."""
    names = make.__struct_fields__
    converted = [(names.index(name), convert) for name, convert in converters.items()]

    def read(row: Row) -> Record:
        values = list(row)
        for position, convert in converted:
            if (value := values[position]) is not None:
                values[position] = read_back(convert, value)
        return make(*values)

    return read


def _error(text: str) -> JobError:
    return JobError(*json.loads(text))


def _tuple(text: str) -> tuple[Any, ...]:
    return () if text == "[]" else tuple(json.loads(text))


def _exits(text: str) -> tuple[LastExit, ...]:
    return tuple(
        LastExit(**exit_ | {"jobs": tuple(exit_.get("jobs", ()))}) for exit_ in json.loads(text)
    )


job_of = reader(
    Job, status=Status, error=_error, depends_on=_tuple, tags=_tuple, cancel_requested=bool
)
dependency_of = reader(Dependency, status=Status, error=_error)
attempt_of = reader(Attempt, outcome=Outcome, error=_error)
running_job_of = reader(RunningJob)
graph_job_of = reader(GraphJob, status=Status)
process_of = reader(ProcessRecord, role=Role, ready=bool)
slot_of = reader(SlotRecord, role=Role, state=SlotState, degraded=bool, exits=_exits, order=Order)
