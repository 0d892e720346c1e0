"""Every error Orpheus raises on purpose.

OrpheusError
├── ConfigurationError      bad settings or a job module that does not import    exit 78
├── StorageError            the database cannot be used
│   ├── DatabaseUnusable    unreadable, corrupt, newer schema, missing           exit 74
│   ├── DatabaseBusy        the write lock was not had within its bound          HTTP 503
│   ├── DatabaseFull        no space left on the device                          HTTP 507
│   └── ReadTookTooLong     a query was stopped at its time limit                HTTP 503
├── AlreadyRunning          another supervisor holds this database               exit 75
├── CannotBind              the API's address is taken or not allowed            exit 69
├── NotFound                no job, slot or type of that name                    HTTP 404, exit 1
├── TransitionRefused       the job or process is in no state for the verb       HTTP 409, exit 1
├── NoSupervisor            asked of the supervisor, and none is at work         HTTP 503, exit 1
├── NoAnswer                a process was asked and did not answer in time       HTTP 503, exit 1
├── InvalidJob              unknown type, or a payload its schema refuses        HTTP 422, exit 1
└── LeaseLost               the token is no longer the job's, or it expired

shared/job_types/registry.py has what a job author raises: `PermanentError`, `Snooze`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the programs exit with. Above 63 they are those of sysexits.h."""

    OK = 0
    NO = 1
    """The answer is no (an unknown id, a job that failed), or an internal error."""
    CUT_SHORT = 4
    """Something had to be killed, or a worker gave back unfinished jobs at its stop timeout."""
    CANNOT_BIND = 69
    CRASH_LOOP = 70
    """A slot is in a crash loop and `supervisor.on_fatal` is "exit"."""
    DATABASE = 74
    ALREADY_RUNNING = 75
    CONFIGURATION = 78


class OrpheusError(Exception):
    """Base of every error Orpheus raises on purpose; its text is meant for the user."""

    exit_code: ClassVar[ExitCode] = ExitCode.NO
    """What a program exits with that this error ends."""


class ConfigurationError(OrpheusError):
    """One or more settings cannot be used; the text lists every problem, one a line."""

    exit_code = ExitCode.CONFIGURATION


class StorageError(OrpheusError):
    """The database cannot be used."""


class DatabaseUnusable(StorageError):
    """The database is missing, unreadable, corrupt, or of a newer schema; it was left untouched."""

    exit_code = ExitCode.DATABASE


class DatabaseBusy(StorageError):
    """The write lock was not free within the bound; nothing was written, trying again is safe."""


class DatabaseFull(StorageError):
    """The device that holds the database has no space left; nothing was written."""


class ReadTookTooLong(StorageError):
    """A read was not over within its time limit and was stopped; others are not concerned."""


class AlreadyRunning(OrpheusError):
    """Another supervisor holds the lock of this database."""

    exit_code = ExitCode.ALREADY_RUNNING


class CannotBind(OrpheusError):
    """The API's address cannot be bound."""

    exit_code = ExitCode.CANNOT_BIND


class NotFound(OrpheusError):
    """No job, slot, pool, queue or type of that name."""


class TransitionRefused(OrpheusError):
    """The state of the job or process does not allow the verb; nothing was changed."""


class NoSupervisor(OrpheusError):
    """Only a supervisor could do this, and none is at work on the database; nothing was asked."""


class NoAnswer(OrpheusError):
    """A process, or its supervisor, did not answer in time; trying again is safe."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One invalid field: a JSON pointer (`/payload/n`) and a sentence for the user."""

    pointer: str
    detail: str


class InvalidJob(OrpheusError):
    """A job that cannot be accepted; `problems` names each field and why."""

    def __init__(self, message: str, problems: Sequence[FieldProblem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class LeaseLost(OrpheusError):
    """The lease is not held any more: another token was given out, or it expired."""
