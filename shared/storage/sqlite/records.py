"""Rows of the database as the data of shared/domain/jobs.py, and back."""

import json
from typing import Any

from orpheus.shared.domain.jobs import Attempt, Job, JobError, Lease, Outcome, Status

Row = tuple[Any, ...]


def job_of(row: Row) -> Job:
    """A row of `select-jobs`."""
    return Job(
        id=row[0],
        type=row[1],
        payload=row[2],
        status=Status(row[3]),
        queue=row[4],
        priority=row[5],
        result=row[6],
        error=_error_of(row[7], row[8], row[9]),
        attempt=row[10],
        max_retries=row[11],
        timeout_s=row[12],
        progress=row[13],
        message=row[14],
        created_at_ms=row[15],
        run_at_ms=row[16],
        started_at_ms=row[17],
        finished_at_ms=row[18],
        worker=row[19],
        unique_key=row[20],
        depends_on=tuple(json.loads(row[23])) if row[23] != "[]" else (),
        tags=tuple(json.loads(row[21])) if row[21] != "[]" else (),
        cancel_requested=bool(row[22]),
    )


def attempt_of(row: Row) -> Attempt:
    """A row of `select-attempts` or `select-running-attempt`."""
    return Attempt(
        number=row[0],
        outcome=None if row[1] is None else Outcome(row[1]),
        worker=row[2],
        pid=row[3],
        started_at_ms=row[4],
        finished_at_ms=row[5],
        error=_error_of(row[6], row[7], row[8]),
    )


def lease_of(row: Row) -> Lease:
    """A row that `lease-job` returned."""
    return Lease(
        job_id=row[0],
        token=row[1],
        attempt=row[2],
        type=row[3],
        payload=row[4],
        queue=row[5],
        timeout_s=row[6],
        max_retries=row[7],
        failures=row[8],
        crashes=row[9],
        started_at_ms=row[10],
        expires_mono_ms=row[11],
        cancel_requested=bool(row[12]),
    )


def _error_of(type_: str | None, message: str | None, traceback: str | None) -> JobError | None:
    return None if type_ is None else JobError(type_, message or "", traceback)
