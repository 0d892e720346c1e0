"""Every error Orpheus raises on purpose.

OrpheusError
├── ConfigurationError      bad settings or a job module that does not import    exit 78
├── Unavailable             the database or the server cannot be used now        HTTP 503
│   └── StorageError        it is the database
│       ├── DatabaseUnusable  unreadable, corrupt, newer schema, missing         exit 74
│       │   ├── DatabaseMissing  there is no file                                exit 74
│       │   └── CommitInDoubt  the connection was lost in a commit               exit 74
│       ├── DatabaseBusy    the write lock could not be acquired in time         HTTP 503
│       │   ├── Contended   another transaction has held a row or key for too long  HTTP 503
│       │   └── DatabaseAway  its server does not answer, or cannot be written yet  exit 74
│       ├── DatabaseFull    no space left on the device                          HTTP 507
│       └── ReadTookTooLong  a query was stopped at its time limit               HTTP 503
├── AlreadyRunning          another supervisor holds this database               exit 75
├── ModulesNotDescribed     the process that imports the job modules was killed  exit 1
├── CannotBind              the API's address is taken or not allowed            exit 69
├── NotFound                no job, slot or type of that name (a LookupError)    HTTP 404, exit 1
├── TransitionRefused       the job's or process's state does not allow it       HTTP 409, exit 1
│   └── UniqueKeyHeld       a live job of another type has the unique key        HTTP 409, exit 1
├── NoSupervisor            only a supervisor can do it, and none runs           HTTP 503, exit 1
├── NoAnswer                a process did not answer in time                     HTTP 503, exit 1
├── InvalidJob              unknown type, or a payload its schema refuses        HTTP 422, exit 1
├── TooLarge                a job or a batch of more bytes than is allowed       HTTP 413
├── Unauthorized            the token is missing or wrong, or nothing may be changed   HTTP 401, 403
├── WaitTimedOut            a job did not end in time (a TimeoutError)           clients only
└── UnexpectedAnswer        the server is no Orpheus, or of another version      clients only

shared/job_types/context.py defines what a job author raises: `PermanentError`, `Snooze`.
"""

import errno
from collections.abc import Sequence
from enum import IntEnum
from typing import ClassVar, NamedTuple, Self

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What a full disk and a full quota say."""


class ExitCode(IntEnum):
    """Exit codes of the programs. Codes above 63 follow sysexits.h."""

    OK = 0
    NO = 1
    """The answer is no (an unknown id, a job that failed), or an internal error."""
    CUT_SHORT = 4
    """Something had to be killed, or a worker released unfinished jobs at its stop timeout."""
    CANNOT_BIND = 69
    CRASH_LOOP = 70
    """A slot is in a crash loop and `supervisor.on_fatal` is "exit"."""
    DATABASE = 74
    ALREADY_RUNNING = 75
    CONFIGURATION = 78
    INTERRUPTED = 130
    """Ctrl-C, as every shell tells it: not an answer."""
    READER_LEFT = 141
    """The reader of a pipe left (`orpheus jobs | head -1`): what SIGPIPE makes of `cat`."""


class OrpheusError(Exception):
    """The base of every error that Orpheus raises on purpose. Its text is meant for the user."""

    exit_code: ClassVar[ExitCode] = ExitCode.NO
    """The exit code of a program that this error ends."""


class ConfigurationError(OrpheusError):
    """One or more settings are not valid; the text lists every problem.

    One problem may have several lines, as the traceback of a module that does not import.
    """

    exit_code = ExitCode.CONFIGURATION

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


NEEDS_PSYCOPG = (
    "PostgreSQL needs psycopg, which is not installed: pip install 'psycopg[binary]>=3.2'"
)
"""What is wrong with a `database.url`, as settings are checked or the database is opened."""


NEEDS_OTEL = "needs the OpenTelemetry SDK, which is not installed: pip install 'orpheus-jobs[otel]'"
"""What is wrong with `otel.enabled`."""


class Unavailable(OrpheusError):
    """The database or the server cannot be used now; trying again later may help."""


class StorageError(Unavailable):
    """The database cannot be used."""


class DatabaseUnusable(StorageError):
    """The database is missing, unreadable, corrupt, or of a newer schema; it was left untouched."""

    exit_code = ExitCode.DATABASE


class DatabaseMissing(DatabaseUnusable):
    """There is no file at the path, and nothing that shows that there was one."""


class CommitInDoubt(DatabaseUnusable):
    """The connection was lost in a commit: it is unknown whether it was done, or still will be."""


class DatabaseBusy(StorageError):
    """The write lock could not be acquired in time; nothing was written, trying again is safe."""


class Contended(DatabaseBusy):
    """Another transaction holds a row or a key; what needs neither can be written meanwhile."""


class DatabaseAway(DatabaseBusy):
    """No server answers, it starts or stops, or it is a standby; programs wait until it is back."""

    exit_code = ExitCode.DATABASE


class DatabaseFull(StorageError):
    """The device that holds the database has no space left; nothing was written."""


class ReadTookTooLong(StorageError):
    """A read was stopped at its time limit; other reads go on."""


class AlreadyRunning(OrpheusError):
    """Another supervisor holds the lock of this database."""

    exit_code = ExitCode.ALREADY_RUNNING


class ModulesNotDescribed(OrpheusError):
    """The process that imports the job modules was ended by a signal; trying again may help."""


class CannotBind(OrpheusError):
    """The API's address cannot be bound."""

    exit_code = ExitCode.CANNOT_BIND


class NotFound(OrpheusError, LookupError):
    """No job, slot, pool, queue or type of that name."""


class TransitionRefused(OrpheusError):
    """The state of the job or process does not allow the action; nothing was changed."""


class NoSupervisor(OrpheusError):
    """Only a supervisor can do this, and none runs on the database; no request was made."""


class NoAnswer(OrpheusError):
    """A process, or its supervisor, did not answer in time; trying again is safe."""


class FieldProblem(NamedTuple):
    """One invalid field: a JSON pointer (`/payload/n`) and a sentence for the user."""

    pointer: str
    detail: str


class NamesFields(Exception):
    """What an error is that names fields of a job; `problems` says of each why."""

    def __init__(self, message: str, problems: Sequence[FieldProblem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)

    @classmethod
    def of(cls, problems: Sequence[FieldProblem]) -> Self:
        """Return the error whose text names the first five fields and what is wrong with each."""
        text = "; ".join(
            (f"{p.pointer[1:].replace('/', '.')}: " if p.pointer else "") + p.detail
            for p in problems[:5]
        )
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        return cls(text + more, problems)


class InvalidJob(NamesFields, OrpheusError):
    """A job or a signal that cannot be accepted."""


class UniqueKeyHeld(NamesFields, TransitionRefused):
    """A live job of another type has the unique key of a new job."""


class TooLarge(OrpheusError):
    """A job, a batch or a signal has more bytes than are allowed (`api.max_body`)."""


class Unauthorized(OrpheusError):
    """The server refuses the caller: the token is missing or wrong, or the API is read-only."""


class WaitTimedOut(OrpheusError, TimeoutError):
    """The job has not ended in the time that was given; it goes on."""


class UnexpectedAnswer(OrpheusError):
    """The server gave an answer that a client does not know: another program, or version."""
