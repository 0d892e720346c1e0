"""The options that say which jobs are meant: by status, type, queue, tag, text, error and end."""

import time
from collections.abc import Callable
from typing import Any

import click

from orpheus.shared.domain.job_filter import JobFilter, filter_problems
from orpheus.shared.domain.jobs import Status
from orpheus.shared.durations import moment_ms, parse_moment
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.operator import Text


class Moment(click.ParamType[int]):
    """A time, or how long ago: in milliseconds since 1970."""

    name = "moment"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return the time. Raises UsageError."""
        if isinstance(value, int):
            return value
        try:
            moment = parse_moment(value)
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)
        return moment_ms(moment, time.time_ns() // 1_000_000)


_SINCE = "Only jobs that ended then or later, such as 2026-01-31T12:00:00Z or 15m (ago)."
_STATUS = click.Choice([status.value for status in Status])
_OPTIONS = {
    "status": click.option("--status", type=_STATUS, help="Only jobs with this status."),
    "type": click.option("--type", type=Text(), shell_complete=live("types")),
    "queue": click.option("--queue", type=Text(), shell_complete=live("queues")),
    "tag": click.option("--tag", type=Text(), help="Only jobs with this tag."),
    "q": click.option("--q", type=Text(), help="A phrase in type, payload, error or tags."),
    "error": click.option("--error", type=Text(), help="Only jobs with this type of error."),
    "where": click.option(
        "--where", type=Text(), help="Where the error was raised, as in `orpheus errors`."
    ),
    "since_ms": click.option("--since", "since_ms", type=Moment(), metavar="TIME", help=_SINCE),
    "until_ms": click.option(
        "--until", "until_ms", type=Moment(), metavar="TIME", help="Only jobs that ended before."
    ),
}


def filter_options(command: Callable[..., object]) -> Callable[..., object]:
    """Add `--status`, `--type`, `--since` and so on; `filter_of` takes what they give."""
    for option in reversed(_OPTIONS.values()):
        command = option(command)
    return command


def filter_of(fields: dict[str, Any]) -> JobFilter:
    """Take the values of these options out of `fields`, and return the filter that they make.

    Raises UsageError if no job can match.
    """
    values = {name: fields.pop(name) for name in _OPTIONS}
    status = values.pop("status")
    wanted = JobFilter(status=Status(status) if status else None, **values)
    for problem in filter_problems(wanted, "--"):
        raise click.UsageError(f"--{problem.pointer[1:]} {problem.detail}")
    return wanted
