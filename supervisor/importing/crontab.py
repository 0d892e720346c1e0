"""crontab -> a command and a schedule for each job.

Both formats are read: that of a user, and that of /etc/crontab and /etc/cron.d, with a user before
the command. What cron does without being told is written out: a run is not repeated after a
failure, and one that was missed is not made up for.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import field
from typing import Any

from orpheus.shared.domain.schedules import problem_of
from orpheus.shared.durations import parse_duration_s
from orpheus.shared.records import dataclass
from orpheus.supervisor.importing.imported import Entry, FileLine, Imported, Left, SourceFile
from orpheus.supervisor.importing.names import BUILT_IN_JOBS, UniqueNames, name_of
from orpheus.supervisor.importing.shell import (
    DEFAULT_SHELL,
    NEEDS_FIRST_LINE,
    escaped_fields,
    run_of,
    with_input,
)

_LONGEST_RUN = "1d"
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
    "@every_minute": "* * * * *",
}
_VARIABLE = re.compile(
    r"""(?P<quote>["']?)(?P<name>[A-Za-z_]\w*)(?P=quote)\s*=\s*(?P<value>.*)""", re.ASCII
)
_TIMES = (
    re.compile(r"(?P<time>@every[ \t]+\S+)[ \t]+(?P<rest>\S.*)"),
    re.compile(r"(?P<time>@(?!every\b)\w+)[ \t]+(?P<rest>\S.*)"),
    re.compile(r"(?P<time>[^@\s]\S*(?:[ \t]+\S+){4})[ \t]+(?P<rest>\S.*)"),
)
_BEGINS_A_JOB = frozenset("@*0123456789")
_USER = re.compile(r"(?P<user>[A-Za-z_][\w.-]*\$?)\s+(?P<rest>\S.*)", re.DOTALL)
_START_AND_STEP = re.compile(r"(?:^|[ ,])\d+/\d+")
_PERCENT = re.compile(r"(?<!\\)%")
_MAIL = "Orpheus sends no mail"
_LOOK = "let a rule of [[alerts]] mail what fails (docs/alerts.md); orpheus logs ID has the output"
_OF_CRON = {
    "MAILTO": (_MAIL, _LOOK),
    "MAILFROM": (_MAIL, _LOOK),
    "CONTENT_TYPE": (_MAIL, _LOOK),
    "CONTENT_TRANSFER_ENCODING": (_MAIL, _LOOK),
    "RANDOM_DELAY": ("a schedule fires at its time", 'put "sleep" with a random time before it'),
    "START_HOURS_RANGE": ("this is for anacron", "choose the hours in cron ="),
}
"""Variables that are for cron itself, with the reason and what to do instead."""


@dataclass(frozen=True, slots=True)
class CronHost:
    """What cron knows that is not in the file.

    `timezone`: of the times in the file; None if it is not known. `user`: who runs Orpheus.
    `has_users`: whether the lines of the file have a column for the user.
    """

    timezone: str | None = "UTC"
    user: str = ""
    has_users: bool = False


class NoTimezone(Exception):
    """The time zone of this host is not known, and the file has times in it."""


@dataclass(frozen=True, slots=True)
class _Job:
    """A line with a job. `time`: five fields, or `@every 5m`, or another nickname."""

    position: FileLine
    line: str
    time: str
    command: str
    user: str | None
    comments: tuple[str, ...]

    def left(self, what: str, why: str, instead: str) -> Left:
        return Left(self.position, what, why, instead)


@dataclass(slots=True)
class _Variables:
    """The lines `NAME = value` that hold for the next job."""

    env: dict[str, str] = field(default_factory=dict)
    positions: dict[str, FileLine] = field(default_factory=dict)
    unused: dict[str, Left] = field(default_factory=dict)
    """Those that no job has used so far."""

    def take(self, position: FileLine, name: str, value: str) -> list[Left]:
        """Set a variable; return what is not carried over, such as a variable for cron itself."""
        what = f"{name}={value}"
        if name in _OF_CRON:
            return [Left(position, what, *_OF_CRON[name])]
        left = [self.unused.pop(name)] if name in self.unused else []
        self.env[name], self.positions[name] = value, position
        why = "no job follows that would see it"
        self.unused[name] = Left(position, what, why, "nothing is needed")
        if name == "CRON_TZ":
            why = (
                "it is taken for the time zone of the schedules, as cronie does; Debian ignores it"
            )
            left.append(Left(position, what, why, "on Debian, remove the line and import again"))
        return left

    def use(self) -> list[FileLine]:
        """Mark all variables as used by a job; return where they stand."""
        self.unused.clear()
        return list(self.positions.values())


def convert(source: SourceFile, host: CronHost) -> Imported:
    """Return the commands, in the order of the file, and after them their schedules.

    Raises NoTimezone.
    """
    variables, names = _Variables(), UniqueNames(*BUILT_IN_JOBS)
    commands: list[Entry | Left] = []
    schedules: list[Entry | Left] = []
    comments: list[str] = []
    for position, line in _lines(source):
        if line.startswith("#"):
            comments.append(line)
            continue
        variable = _VARIABLE.fullmatch(line)
        if not _is_text(line):
            commands.append(Left(position, line, "it is not UTF-8 text", "write it in UTF-8"))
        elif variable is not None:
            commands += variables.take(position, variable["name"], _unquoted(variable["value"]))
        elif line:
            job = _job(position, line, tuple(comments), has_users=host.has_users)
            made = [job] if isinstance(job, Left) else _entries(job, variables, host, names)
            commands += made[:1]
            schedules += made[1:]
        comments = []
    return Imported([*commands, *variables.unused.values(), *schedules], _differences(host))


def _differences(host: CronHost) -> tuple[str, ...]:
    zone = f"Without CRON_TZ, times are those of {host.timezone} (this host's zone, or --timezone)."
    return (
        "cron starts a job in the home folder of its user, with few variables. Orpheus starts it",
        "in cwd, else where Orpheus was started, with the variables of Orpheus and those of env.",
        *([zone] if host.timezone else []),
        "cron limits no job. Here each may run for a day (timeout), and no more at once than there",
        "are workers. None runs again after a failure (max_retries) or a missed time (catch_up).",
        NEEDS_FIRST_LINE,
    )


def has_user_column(source: SourceFile, users: Collection[str]) -> bool:
    """Return whether every job of the file seems to have one of these users before its command."""
    rests = [_split(line)[1].split() for _, line in _lines(source) if line[:1] in _BEGINS_A_JOB]
    return bool(rests) and all(len(words) > 1 and words[0] in users for words in rests)


def may_have_user_column(source: SourceFile, users: Collection[str]) -> bool:
    """Return whether some job has one of these users, or a command of that name, after its time."""
    rests = [_split(line)[1].split() for _, line in _lines(source) if line[:1] in _BEGINS_A_JOB]
    return any(len(words) > 1 and words[0] in users for words in rests)


def _lines(source: SourceFile) -> Iterator[tuple[FileLine, str]]:
    for number, line in enumerate(source.text.split("\n"), 1):
        yield FileLine(source.name, number), line.strip()


def _unquoted(value: str) -> str:
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if is_quoted else value


def _split(line: str) -> tuple[str, str]:
    """Return the time of a job and the rest of its line; both are empty if it is no job."""
    found = next((found for one in _TIMES if (found := one.fullmatch(line))), None)
    return ("", "") if found is None else (" ".join(found["time"].split()), found["rest"])


def _job(
    position: FileLine, line: str, comments: tuple[str, ...], *, has_users: bool
) -> _Job | Left:
    """Return what a line says, or why it cannot be carried over."""
    time, rest = _split(line)
    user = _USER.fullmatch(rest) if has_users else None
    if not time or (has_users and user is None):
        form = "a time, a user and a command" if has_users else "a time and a command"
        return Left(position, line, f"it is not {form}", "correct the line, and import again")
    if time == "@reboot":
        instead = 'a [[programs]] entry with restart = "never" is run at each start of Orpheus'
        return Left(position, line, "a schedule has a time, and this has none", instead)
    command, name = (user["rest"], user["user"]) if user else (rest, None)
    return _Job(position, line, time, command, name, comments)


def _is_text(line: str) -> bool:
    """Return whether TOML can hold a line: bytes that were not UTF-8 are lone surrogates."""
    return "\0" not in line and not any("\ud800" <= one <= "\udfff" for one in line)


def _entries(
    job: _Job, variables: _Variables, host: CronHost, names: UniqueNames
) -> list[Entry | Left]:
    """Return a command and its schedule, or only why there are none."""
    env = dict(variables.env)
    rhythm = _rhythm(job.time)
    timezone = env.pop("CRON_TZ", host.timezone if "cron" in rhythm else "UTC")  # every needs none
    if timezone is None:
        raise NoTimezone
    problem = problem_of(rhythm.get("cron"), _seconds(rhythm.get("every")), timezone)
    if problem is not None:
        return [job.left(job.line, problem, "write this schedule by hand")]
    shell, home = env.pop("SHELL", "") or DEFAULT_SHELL, env.get("HOME")
    line, text = _command_and_input(job.command)
    run = run_of(line if text is None else with_input(line, text), shell, home)
    name = names.unique(name_of(run.words if text is None else run_of(line, shell).words))
    cwd = {"cwd": run.cwd} if run.cwd else {}
    env_of = {"env": {**env, **run.env}} if env or run.env else {}
    command: dict[str, Any] = {"name": name, "argv": escaped_fields(run.argv), **cwd, **env_of}
    command |= {"timeout": _LONGEST_RUN, "max_retries": 0}
    zone = {"timezone": timezone} if "cron" in rhythm else {}
    schedule = {"name": name, **rhythm, **zone, "type": name, "catch_up": "none"}
    positions = (job.position, *variables.use())
    return [
        Entry("commands", command, job.line, positions, job.comments, tuple(_notes(job, host))),
        Entry("schedules", schedule, job.time, positions),
    ]


def _rhythm(time: str) -> dict[str, str]:
    """Return the time as the `cron` or `every` of a schedule."""
    if time.startswith("@every "):
        return {"every": time.split()[1]}
    return {"cron": _NICKNAMES.get(time.lower(), time)}


def _seconds(every: str | None) -> float | None:
    """Return a duration in seconds; 0, which no schedule may have, if it cannot be read."""
    try:
        return None if every is None else parse_duration_s(every)
    except ValueError:
        return 0.0


def _command_and_input(command: str) -> tuple[str, str | None]:
    r"""Return the command, and its input if it has one.

    The first % ends the command, any other is a newline; `\%` is a percent sign.
    """
    line, *texts = _PERCENT.split(command)
    text = "\n".join(texts).replace("\\%", "%") if texts else None
    return line.replace("\\%", "%").strip(), text


def _notes(job: _Job, host: CronHost) -> Iterator[Left]:
    """Yield what differs for a job that was carried over."""
    if job.user not in (None, host.user):
        yield job.left(
            f"user {job.user}",
            "Orpheus runs every command as the user who starts it",
            f"start Orpheus as {job.user}, or put sudo -n -u {job.user} before the command",
        )
    if _START_AND_STEP.search(job.time):
        yield job.left(
            job.time,
            "crons differ in what a number and a step mean without a range",
            "Orpheus reads 5/15 as 5-59/15: check the hours and minutes of orpheus schedules",
        )
    if job.time.startswith("@every "):
        yield job.left(
            job.time,
            "its first run is at a multiple of its period since 1970, not a period after the start",
            "use cron = if the moment matters",
        )
