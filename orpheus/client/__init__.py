"""The clients with which an application submits jobs and reads them. They import no program.

`Client` and `AsyncClient`, which are imported from `orpheus`, have the same methods, and give the
same objects and errors whether they use the database itself, the HTTP API or a transaction of the
application. What a method does is written once, as steps (orpheus/client/steps.py): database.py,
in_transaction.py and http.py make them, blocking.py and awaited.py perform them. What a client does
not use is not imported.
"""

from orpheus.client.following import Followed, Progress
from orpheus.shared.domain.jobs import JobError, Outcome, Status
from orpheus.shared.errors import (
    ConfigurationError,
    DatabaseAway,
    DatabaseBusy,
    DatabaseFull,
    DatabaseUnusable,
    FieldProblem,
    InvalidJob,
    NotFound,
    OrpheusError,
    TooLarge,
    TransitionRefused,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    WaitTimedOut,
)
from orpheus.shared.job_types.request import JobRequest
from orpheus.shared.messages.jobs import Attempt, Event, JobState, LogLine
from orpheus.shared.messages.steps import JobStep, Signal

__all__ = [
    "Attempt",
    "ConfigurationError",
    "DatabaseAway",
    "DatabaseBusy",
    "DatabaseFull",
    "DatabaseUnusable",
    "Event",
    "FieldProblem",
    "Followed",
    "InvalidJob",
    "JobError",
    "JobRequest",
    "JobState",
    "JobStep",
    "LogLine",
    "NotFound",
    "OrpheusError",
    "Outcome",
    "Progress",
    "Signal",
    "Status",
    "TooLarge",
    "TransitionRefused",
    "Unauthorized",
    "Unavailable",
    "UnexpectedAnswer",
    "WaitTimedOut",
]
