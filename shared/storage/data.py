"""The data that callers hand to the store and get back: frozen, without behaviour.

No backend may stand behind these names: every backend imports them, and nothing here imports one.
Jobs, attempts, leases, log lines and processes are in shared/domain/.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple

import msgspec

from orpheus.shared.domain.alerts import AlertRule, RuleState
from orpheus.shared.domain.jobs import Job, NewJob, Status
from orpheus.shared.domain.rates import NO_LIMITS_PER_KEY, KeyRules, Rate
from orpheus.shared.domain.schedules import ScheduleDefinition, Source
from orpheus.shared.errors import OrpheusError, TransitionRefused
from orpheus.shared.process.crash_cell import CellState


class Pause(NamedTuple):
    """Who paused something, or cancelled it; `by` is None for the configuration, or unknown."""

    by: str | None = None
    reason: str | None = None
    at_ms: int | None = None

    def told(self) -> str:
        """Return `by cli:ada`, or `by cli:ada: disk swap`."""
        return f"by {self.by}" + (f": {self.reason}" if self.reason else "")


class Acknowledgement(NamedTuple):
    """An operator knows of a problem; it comes back when the time is over or it gets worse."""

    code: str
    subject: str
    """The name of what it is about; empty: of nothing in particular."""
    until_ms: int
    by: str
    reason: str
    severity: int
    size: int
    """How large it was, such as how many jobs had failed."""


# Leases


class LeaseHolder(msgspec.Struct, frozen=True):
    """What others can see of the worker that holds leases; `cell` None: there is none to read."""

    cell: CellState | None = None
    is_dead: bool = False
    """It has certainly ended."""
    seen_ms: int | None = None
    """When it was heard last, if it has ended or is taken for dead."""


LookAtHolder = Callable[[str], LeaseHolder]
"""Takes a worker's incarnation; called once for each worker, in the transaction."""


# Jobs


class Submitted(msgspec.Struct, frozen=True):
    """A submitted job. Not `created`: `job` is the live job that holds the same unique key."""

    job: Job
    created: bool


class JobOrder(StrEnum):
    """The order of a list of jobs. ENDED has only jobs that have ended, the last one first."""

    NEWEST = "newest"
    OLDEST = "oldest"
    ENDED = "ended"


class JobCursor(NamedTuple):
    """Where a page of jobs begins: behind this one. `ended_ms`: 0 if it is not ordered by that."""

    ended_ms: int
    id: int


class JobPage(msgspec.Struct, frozen=True):
    """A part of a list. `next_cursor`: where the next one begins; None: this is the last."""

    jobs: list[Job]
    next_cursor: JobCursor | None
    looked_at: int | None = None
    """How many jobs were looked at, if that took too long for the page to become full."""
    reached_ms: int | None = None
    """In that case, when the last of them was submitted, or ended if the list is in that order."""


class JobRun(msgspec.Struct, frozen=True):
    """How a job stands, without what it was given and what it gave."""

    status: Status
    started_ms: int | None
    ran_until_ms: int | None
    error: str | None
    """The type of its error."""


class Total(msgspec.Struct, frozen=True):
    """How many jobs match. Not `exact`: there are at least that many."""

    value: int
    exact: bool


# Actions of operators


class BulkAction(StrEnum):
    """What a bulk action does with each job."""

    CANCEL = "cancel"
    RETRY = "retry"
    DELETE = "delete"


class CountChanged(TransitionRefused):
    """The number of matching jobs differs from what the operator confirmed; nothing was changed."""


class AuditRow(msgspec.Struct, frozen=True):
    """One action: what (`cancel`), on what (`job 7`), by whom, why, how many jobs it changed."""

    id: int
    at_ms: int
    action: str
    target: str
    by: str
    reason: str | None
    count: int
    before: str | None = None
    """How the target stood before (`failed`, `2 workers`), and after; None: not known."""
    after: str | None = None


class AuditPage(msgspec.Struct, frozen=True):
    """A part of the audit log. `before_id`: where the next one begins; None: this is the last."""

    rows: list[AuditRow]
    before_id: int | None


MINUTES_KEPT = 2 * 24 * 60
"""For how many minutes figures by minute are kept."""
HOURS_KEPT = 90 * 24
"""For how many hours figures by hour are kept."""
IDEMPOTENCY_MS = 24 * 60 * 60 * 1000
"""How long the answer to an Idempotency-Key is repeated."""


class KeptAnswer(msgspec.Struct, frozen=True):
    """The first answer to an Idempotency-Key. An equal `request_hash` means the same request."""

    request_hash: str
    status: int
    body: str
    location: str | None


# Queues, schedules, alerts, job types


class QueueRow(msgspec.Struct, frozen=True):
    """A queue with a pause or a limit, as it is in force. `max_running` 0: no limit."""

    name: str
    paused: bool
    max_running: int
    rate: Rate | None
    per_key: KeyRules = NO_LIMITS_PER_KEY

    @property
    def has_effect(self) -> bool:
        """Whether it holds back any job: not if it was paused and resumed."""
        return self.paused or self.limits_keys or bool(self.max_running or self.rate)

    @property
    def limits_keys(self) -> bool:
        """Whether each of its keys has a limit."""
        return self.per_key != NO_LIMITS_PER_KEY


MakeJob = Callable[[ScheduleDefinition], NewJob]
"""Makes a schedule's job, with the defaults of its type. Raises InvalidJob."""


class ScheduleRow(msgspec.Struct, frozen=True):
    """A schedule. `tick_ms` is its next tick; None: it never fires again."""

    definition: ScheduleDefinition
    tick_ms: int | None
    paused: bool
    last_run_ms: int | None
    last_job_id: int | None
    missed_ms: int | None = None
    """The last tick that passed and made no job; None: it has run since."""
    source: Source = Source.FILE
    skipped_ms: int | None = None
    """The last tick that made no job because the job before it had not ended."""
    skipped_for: int | None = None
    """That job."""


MOST_BACKFILLED = 10_000
"""So many ticks one backfill may span."""


class Backfill(msgspec.Struct, frozen=True):
    """The ticks of a span, oldest first, and the jobs that a backfill has made."""

    ticks_ms: list[int]
    missing_ms: list[int]
    """Those for which there was no job."""
    job_ids: list[int]
    """The jobs made for them; empty in a dry run."""


class AlertRow(msgspec.Struct, frozen=True):
    """A rule of `[[alerts]]`. `seq`: the last event that it has seen.

    `version` changes with each change of the row.
    """

    rule: AlertRule
    seq: int
    version: int
    state: RuleState
    last_job_id: int | None


# Unique keys


class KeyHolder(NamedTuple):
    """The job that holds a unique key; id 0: it is being submitted.

    It is live, or was submitted with `unique_for`.
    """

    id: int
    type: str
    is_live: int = 1
    until_ms: int | None = None
    """Until then it holds the key, also if it has ended."""

    def refusal(self, key: str) -> str:
        """Say why a job of another type cannot have the key."""
        who = f"job {self.id}" if self.id else "a job that is submitted with it"
        return f"{key!r} is held by {who}, which is of another type: {self.type}"


# Outboxes


RowId = int | str
"""The id of a row that an application wrote into its outbox."""


class OutboxBatch(msgspec.Struct, frozen=True):
    """A batch of rows of an outbox."""

    number: int
    ids: list[RowId]
    """Those of its rows that are jobs and may not be deleted yet."""


class OutboxTaken(Exception):
    """Another drainer has stored a batch of this outbox meanwhile; nothing was changed."""


class OutboxCounts(msgspec.Struct, frozen=True):
    """How many rows of an outbox became jobs, and what happened to the others."""

    accepted: int
    held: int
    """A live job of the same type had their unique key."""
    refused: int


# Figures and the file


class ErrorGroup(msgspec.Struct, frozen=True):
    """Failed jobs of one type with the same error. `where` is empty if the location is unknown.

    `newest`: the id of the job that failed last; `message`: its error's, at most the first 500
    characters. `messages`: 2 if the job that failed first has another one. `max_id`: the greatest
    id of them. `last_hour`: how many failed in the last hour, `hour_before`: in the hour before.
    """

    type: str
    error: str
    where: str
    count: int
    first_ms: int
    last_ms: int
    newest: int
    max_id: int
    last_hour: int
    hour_before: int
    message: str
    messages: int


class BackupRefused(OrpheusError):
    """The target of a backup exists already or has no folder; nothing was written."""


class MoveRefused(OrpheusError):
    """A database cannot be moved, or not to that one; the text says what to do."""


class MoveState(StrEnum):
    """What is noted in a database about a move of it."""

    ARRIVING = "arriving"
    """Rows are being copied to it; nothing else may use it."""
    LEAVING = "leaving"
    """Rows are being copied from it; it is closed."""
    LEFT = "left"
    """All of it is in another database; it is closed."""


class MoveMark(msgspec.Struct, frozen=True):
    """The note in a database that it is being moved, or was."""

    state: MoveState
    move: str
    """The name of the move, the same at both ends; where rows arrive, also of who copies them."""
    says: str
    """What a person may do, in a sentence."""


class TypeRow(msgspec.Struct, frozen=True):
    """A job type. `schema`: its payload's JSON Schema as text; None: the default of [jobs]."""

    name: str
    schema: str
    max_retries: int | None
    timeout_s: float | None
    queue: str | None
    description: str
    backoff_base_s: float | None = None
    backoff_factor: float | None = None
    backoff_max_s: float | None = None
    backoff_jitter: float | None = None
    retention_s: float | None = None
    """How long its jobs are kept after they are done; None: as [retention] says."""
    code: str = ""
    """A digest of its code; empty: unknown."""
    hide: str = ""
    """Its hidden fields, separated by spaces; as read, with those of all types."""
    others: "tuple[TypeRow, ...]" = ()
    """Its other versions that hosts or workers have now, the newer ones first."""
    is_everywhere: bool = True
    """Every host and worker has a version of it."""

    @property
    def version(self) -> str:
        """The name of what it can read: types with the same schema take the same payloads."""
        return hashlib.sha256(self.schema.encode()).hexdigest()[:16]

    @property
    def described(self) -> tuple[str | float | None, ...]:
        """What a host says of it."""
        return tuple(getattr(self, name) for name in _DESCRIBED)


_DESCRIBED = (
    "name",
    "schema",
    "max_retries",
    "timeout_s",
    "queue",
    "description",
    "backoff_base_s",
    "backoff_factor",
    "backoff_max_s",
    "backoff_jitter",
    "retention_s",
    "code",
    "hide",
)


def build_of(types: Iterable[TypeRow]) -> str:
    """Return the name of a set of job types. It changes when any of them changes."""
    described = [row.described for row in sorted(types, key=lambda row: row.name)]
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()
