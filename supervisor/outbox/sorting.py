"""Turns rows of an outbox into jobs and signals: with the same checks as every other way in.

It is imported when the first row comes: the checks take 4 MB, and a waiting drainer needs none.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from orpheus.shared.domain.handover import JobDefaults
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.json_values import json_problems, not_storable, unique_keys
from orpheus.shared.domain.steps import NewSignal, new_signal
from orpheus.shared.errors import FieldProblem, InvalidJob, TooLarge
from orpheus.shared.job_types.admission import prepare_job
from orpheus.shared.job_types.request import field_problems
from orpheus.shared.logs import get_logger
from orpheus.shared.moments import parse_time_ms
from orpheus.shared.outbox.table import SIGNAL
from orpheus.shared.storage import KeyHolder, RowId, TypeRow
from orpheus.shared.text import storable
from orpheus.supervisor.outbox.rows import RefusedRow, Row

log = get_logger()

_MOST_REASON_CHARS = 1000


class SortedBatch(NamedTuple):
    """The jobs of a batch of rows, the ids of their rows in the same order, and the other rows."""

    jobs: list[NewJob]
    accepted: list[RowId]
    refused: list[RefusedRow]
    held: int = 0
    """How many of the accepted ones make no job: a job of the same type has their unique key."""
    signals: Sequence[tuple[RowId, NewSignal]] = ()
    """The signals of the other rows, with the ids of these."""

    @property
    def drained(self) -> list[RowId]:
        """The ids of the rows that leave the outbox."""
        return [*self.accepted, *(row_id for row_id, _ in self.signals)]


def sort_out(
    rows: Sequence[Row],
    types: Mapping[str, TypeRow],
    defaults: JobDefaults,
    max_payload_bytes: int,
) -> SortedBatch:
    """Return the jobs and signals of the rows, and which rows are not valid."""
    signals: list[tuple[RowId, NewSignal]] = []
    batch = SortedBatch([], [], [], 0, signals)
    for row in rows:
        try:
            if isinstance(row.type, str) and row.type.startswith(SIGNAL):
                signals.append((row.id, _signal_of(row, max_payload_bytes)))
                continue
            batch.jobs.append(_job_of(row, types, defaults, max_payload_bytes))
            batch.accepted.append(row.id)
        except (InvalidJob, TooLarge) as error:
            batch.refused.append(RefusedRow(row.id, _shortened(str(error))))
        except Exception as error:  # an error of ours, and no reason to stop the rows behind it
            log.exception("outbox_row_failed", row=row.id)
            batch.refused.append(RefusedRow(row.id, f"an internal error: {type(error).__name__}"))
    return batch


def in_turn(
    batch: SortedBatch, holders: Mapping[str, KeyHolder], contended: Collection[str] = ()
) -> SortedBatch:
    """Return a batch as if each row came alone, given which live jobs hold the unique keys.

    A row with a `contended` key is left for a later batch.

    A row whose key a job of another type holds is refused. If that job is one of this batch, it
    must be there first: the batch ends before the row.
    """
    jobs, accepted, refused, held = list[NewJob](), list[RowId](), [*batch.refused], 0
    taken = dict(holders)
    for job, row_id in zip(batch.jobs, batch.accepted, strict=True):
        if job.unique_key in contended:
            continue
        if job.unique_key is not None:
            own = KeyHolder(0, job.type)
            holder = taken.setdefault(job.unique_key, own)
            if holder.type != job.type:
                if not holder.id:
                    break
                reason = f"unique_key: {holder.refusal(job.unique_key)}"
                refused.append(RefusedRow(row_id, _shortened(reason)))
                continue
            held += holder is not own
        jobs.append(job)
        accepted.append(row_id)
    return SortedBatch(jobs, accepted, refused, held, batch.signals)


def _job_of(
    row: Row, types: Mapping[str, TypeRow], defaults: JobDefaults, max_payload_bytes: int
) -> NewJob:
    """Return the job to store. Raises InvalidJob, which names each field that is not valid."""
    for problem in field_problems({"run_at": row.run_at}):
        raise _invalid(problem.pointer[1:], problem.detail)
    payload = _payload(row, max_payload_bytes, {})
    if not isinstance(payload, dict):
        raise _invalid("payload", "must be a JSON object")
    job = prepare_job(
        types,
        defaults,
        type=row.type,
        payload=payload,
        queue=row.queue,
        priority=0 if row.priority is None else row.priority,
        unique_key=row.unique_key,
        concurrency_key=row.concurrency_key,
        tags=_json(row.tags, "tags", []),
    )
    return job if row.run_at is None else job._replace(run_at_ms=parse_time_ms(row.run_at))


def _signal_of(row: Row, max_payload_bytes: int) -> NewSignal:
    """Return the signal to send. Raises InvalidJob and TooLarge."""
    payload = _payload(row, max_payload_bytes, None)
    for _, problem in json_problems(payload, not_storable):
        raise _invalid("payload", problem)
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return new_signal(row.type.removeprefix(SIGNAL), row.unique_key, text)


def _shortened(text: str) -> str:
    """Return a reason as any column can hold it."""
    text = storable(text)
    return text if len(text) <= _MOST_REASON_CHARS else text[: _MOST_REASON_CHARS - 1] + "…"


def _payload(row: Row, max_bytes: int, default: Any) -> Any:
    if row.payload_bytes > max_bytes:
        reason = f"has {row.payload_bytes:,} bytes, and api.max_body allows {max_bytes:,}"
        raise _invalid("payload", reason)
    return _json(row.payload, "payload", default)


def _json(text: Any, field: str, default: Any) -> Any:
    if text is None:
        return default
    try:
        return json.loads(text, object_pairs_hook=unique_keys)
    except (TypeError, ValueError, RecursionError) as error:
        reason = "nests too deep" if isinstance(error, RecursionError) else str(error)
        raise _invalid(field, f"is not JSON: {reason}") from None


def _invalid(field: str, reason: str) -> InvalidJob:
    return InvalidJob(f"{field}: {reason}", [FieldProblem(f"/{field}", reason)])
