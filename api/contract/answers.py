"""What only the API answers with, as TypedDicts; the other answers are declared in shared/views/.

Attribute docstrings become descriptions in /openapi.json.
"""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from orpheus.shared.views.alerts import Alert
from orpheus.shared.views.audit import AuditEntry
from orpheus.shared.views.errors import ErrorGroupEntry
from orpheus.shared.views.job_types import JobType
from orpheus.shared.views.pools import ConfiguredPool
from orpheus.shared.views.schedules import Schedule
from orpheus.shared.views.type_stats import TypeStats
from orpheus.shared.views.values import Time
from orpheus.shared.views.workers import Worker

RETRY_AFTER_S = {503: "1", 507: "30"}
"""Statuses that a client should try again after so many seconds, as the header Retry-After says."""


class FieldError(TypedDict):
    """One field that is not valid."""

    pointer: str
    """JSON pointer to the field."""
    detail: str


class Problem(TypedDict):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    errors: NotRequired[list[FieldError]]


class AuditSearched(TypedDict):
    """How far a page looked that ended before it was full, as its time was over."""

    entries: int
    """How many entries it looked at."""
    back_to: Time | None
    """When the last of them was made."""


class AuditPage(TypedDict):
    """Operators' actions, newest first."""

    items: list[AuditEntry]
    next_cursor: str | None
    """null on the last page."""
    searched: AuditSearched | None
    """null: the page is full, or nothing is left to look at."""


class OutputLine(TypedDict):
    """One line that a program printed, or that Orpheus added about its process."""

    id: int
    """Rises; it survives restarts of the program and of Orpheus."""
    at: Time
    stream: Literal["stdout", "stderr", "orpheus"]
    line: str


class ProgramLines(TypedDict):
    """Lines of a program's output, oldest first."""

    items: list[OutputLine]


class Workers(TypedDict):
    """Every slot, the API's and the supervisor's too."""

    items: list[Worker]
    pools: NotRequired[list[ConfiguredPool]]
    """With `?samples=true`."""
    programs: NotRequired[list[ConfiguredPool]]
    """With `?samples=true`."""


class PoolSize(TypedDict):
    """The number of workers that was requested for a pool."""

    pool: str
    workers: int


class JobTypes(TypedDict):
    """Every job type the configured modules define."""

    items: list[JobType]


class ErrorGroups(TypedDict):
    """Failed jobs by type, error and location, the largest groups first."""

    items: list[ErrorGroupEntry]


class Schedules(TypedDict):
    """Every schedule, by name."""

    items: list[Schedule]


class Alerts(TypedDict):
    """Every rule of alerts, by name."""

    items: list[Alert]


class ConfigurationVersion(TypedDict):
    """A text that the configuration file has held."""

    version: int
    at: Time
    by: str
    """As in the audit log; `file`: an editor on the machine has saved it."""
    reason: str | None
    text: str | None
    """Its secrets masked; null: they cannot be told apart from the rest."""
    in_file: bool
    """The file holds it now."""
    in_force: bool
    """The supervisor works by it."""


class ConfigurationVersions(TypedDict):
    """The versions of the configuration file that are kept, the newest first."""

    items: list[ConfigurationVersion]


class ConfigurationInForce(TypedDict):
    """Which configuration the programs work by."""

    file: str | None
    version: int | None
    """The one of GET /config/versions; null: it is not kept."""
    since: Time | None
    """null: no supervisor is running."""
    text: str
    """The same in words."""


class Setting(TypedDict):
    """A setting in force."""

    key: str
    value: Any
    """Durations are seconds, sizes are bytes."""
    as_written: Any
    """The same as it may stand in the file: `"100ms"`, `"1MiB"`."""
    origin: str
    """`default`, `config/orpheus.toml:12`, a variable, `--set`."""
    origins: list[str]
    """For a list of tables, such as `[[schedules]]`: what set each of them. Else empty."""


class SettingProblem(TypedDict):
    """One thing to mend in the configuration."""

    key: str
    """Empty if the problem is in the whole text."""
    detail: str
    place: str | None
    """The file and line, the variable, or `--set`."""
    line: int | None
    """Its line in the file's text."""


class Configuration(TypedDict):
    """The configuration in force, and the file that can be edited."""

    path: str | None
    text: str | None
    """The file's text, its secrets masked."""
    etag: str | None
    """The state of the file, as the header ETag quotes it."""
    obstacle: str | None
    """Why it cannot be edited here, and what to do."""
    in_force: ConfigurationInForce
    settings: list[Setting]
    """Those in force, also while the file has problems."""
    problems: list[SettingProblem]
    warnings: list[SettingProblem]
    """What would not keep it from being taken."""
    rejected: str | None
    """Why the supervisor goes on with an earlier configuration, if it does."""


class ConfigurationChange(TypedDict):
    """What an edit leads to. The lists are null where there is nothing to compare with."""

    written: bool
    etag: str
    """The state of the file, as the header ETag quotes it."""
    problems: list[SettingProblem]
    warnings: list[SettingProblem]
    refused: list[str]
    """Settings that can only be changed on the machine."""
    text: str | None
    """The new text, its secrets masked; null with problems."""
    changed: list[str] | None
    """Settings that would have other values; of several tables, which: `schedules: nightly`."""
    restarts: list[str] | None
    """Slots whose process would be replaced."""
    starts: list[str] | None
    stops: list[str] | None
    takes_effect: str
    """When what is written is in force."""


class TypesStats(TypedDict):
    """Every type of which an attempt has ended, by name."""

    items: list[TypeStats]


class Session(TypedDict):
    """How the caller was let in."""

    read_only: bool
    ends_at: Time | None
    """When the session ends; null for a caller with a token, or where no token is needed."""


class Health(TypedDict):
    """The process is alive."""

    status: Literal["ok"]


class Check(TypedDict):
    """One condition of readiness."""

    status: Literal["ok", "degraded", "failed"]
    detail: str


class Readiness(TypedDict):
    """Whether jobs are accepted and run."""

    status: Literal["ready", "degraded", "not_ready"]
    checks: dict[str, Check]
