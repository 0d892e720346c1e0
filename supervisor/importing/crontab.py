"""crontab -> a command and a schedule for each job.

A run is not repeated after a failure and not made up for if it was missed, as with cron.
"""

import re
from typing import Any

from orpheus.shared.domain.schedules import problem_of
from orpheus.supervisor.importing.command import (
    NEEDS_FIRST_LINE,
    UniqueNames,
    argv_of,
    escaped_fields,
    name_of,
    without_cd,
)
from orpheus.supervisor.importing.imported import Entry, Imported, Left, SourceFile

BUILT_IN_JOBS = ("flaky", "sleep", "sum_range", "webhook", "wordcount")
"""Job types without any configuration: no command may have their names."""
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_VARIABLE = re.compile(r"""(["']?)([A-Za-z_]\w*)\1\s*=\s*(["']?)(.*)\3""", re.ASCII)
_JOB = re.compile(r"(@\w+|[^@\s]\S*(?:[ \t]+\S+){4})[ \t]+(\S.*)")
_PERCENT = re.compile(r"(?<!\\)%")
_OF_CRON = frozenset({"MAILTO", "MAILFROM", "CONTENT_TYPE", "RANDOM_DELAY", "START_HOURS_RANGE"})
"""Variables for cron itself."""


def convert(source: SourceFile, timezone: str, user: str, *, has_users: bool) -> Imported:
    """Return the commands in the order of the file, and after them their schedules.

    `timezone`: that of times without CRON_TZ. `user` runs Orpheus. `has_users`: each line has a
    user before its command, as in /etc/crontab.
    """
    names = UniqueNames(*BUILT_IN_JOBS)
    env: dict[str, str] = {}
    commands: list[Entry | Left] = []
    schedules: list[Entry | Left] = []
    for number, raw in enumerate(source.text.split("\n"), 1):
        line, where = raw.strip(), f"{source.name}:{number}"
        if not line or line.startswith("#"):
            continue
        if variable := _VARIABLE.fullmatch(line):
            if variable[2] in _OF_CRON:
                commands.append(Left(where, line))
            else:
                env[variable[2]] = variable[4]
            continue
        try:
            job_user, command, schedule = _job(line, timezone, dict(env), has_users=has_users)
        except ValueError as error:
            commands.append(Left(where, line, str(error)))
            continue
        if job_user not in ("", user):
            why = "Orpheus runs every command as the user who starts it"
            commands.append(Left(where, f"user {job_user}", why))
        name = names.unique(command.pop("name"))
        commands.append(Entry("commands", {"name": name, **command}, f"line {number}: {line}"))
        schedules.append(Entry("schedules", {"name": name, **schedule, "type": name}))
    return Imported([*commands, *schedules], _notes(timezone))


def _notes(timezone: str) -> tuple[str, ...]:
    return (
        "cron starts a job in the home folder of its user, with few variables. Orpheus starts it",
        "in cwd, else where Orpheus was started, with the variables of Orpheus and those of env.",
        f"Without CRON_TZ, times are those of {timezone}.",
        "cron limits no job. Here each may run for a day (timeout), and no more at once than there",
        "are workers. None runs again after a failure (max_retries) or a missed time (catch_up).",
        NEEDS_FIRST_LINE,
    )


def _job(
    line: str, timezone: str, env: dict[str, str], *, has_users: bool
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Return the user, the command and the schedule of a line. Raises ValueError with a reason."""
    found = _JOB.fullmatch(line)
    if found is None:
        raise ValueError("is not a time and a command")
    time, command, user = " ".join(found[1].split()), found[2], ""
    if has_users:
        user, _, command = command.partition(" ")
    cron = _NICKNAMES.get(time.lower(), time)
    timezone = env.pop("CRON_TZ", timezone)
    if time == "@reboot":
        raise ValueError('a [[programs]] entry with restart = "never" runs at each start')
    if problem := problem_of(cron, None, timezone):
        raise ValueError(problem)
    if _PERCENT.search(command):
        raise ValueError("% begins its standard input: put that into a file or a pipe")
    cwd, script = without_cd(command.replace("\\%", "%"))
    if cwd and not cwd.startswith("/"):
        cwd = f"{env['HOME']}/{cwd}" if "HOME" in env else cwd
    argv = argv_of(script, env.pop("SHELL", "") or "/bin/sh")
    values: dict[str, Any] = {"name": name_of(script), "argv": escaped_fields(argv)}
    values |= {"cwd": cwd} if cwd else {}
    values |= {"env": env} if env else {}
    values |= {"timeout": "1d", "max_retries": 0}
    return user, values, {"cron": cron, "timezone": timezone, "catch_up": "none"}
