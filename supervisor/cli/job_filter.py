"""The options that say which jobs are meant: by status, type, queue, tag, text, error and end."""

import time
from collections.abc import Callable
from typing import Any, cast

import click

from orpheus.shared.domain.job_filter import JobFilter, filter_problems
from orpheus.shared.domain.jobs import Status
from orpheus.shared.durations import moment_ms, parse_moment
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.once import once
from orpheus.supervisor.cli.operator import Text

_BY_END = ("since_ms", "until_ms")
_FIELDS = ("type", "queue", "tag", "q", "error", "where", *_BY_END)


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


def filter_options(command: Callable[..., object]) -> Callable[..., object]:
    """Add `--status`, `--type`, `--since` and so on; `filter_of` takes what they give."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def hide_ended(command: click.Command) -> None:
    """Do not offer to select jobs by when they ended; who tries to still gets an explanation."""
    for option in command.params:
        if option.name in _BY_END:
            cast("click.Option", option).hidden = True


def filter_of(fields: dict[str, Any]) -> JobFilter:
    """Take the values of these options out of `fields`, and return the filter that they make.

    Raises UsageError for one that no job can match.
    """
    status = fields.pop("status")
    others = {name: fields.pop(name) for name in _FIELDS}
    wanted = JobFilter(status=Status(status) if status else None, **others)
    for problem in filter_problems(wanted, "--"):
        raise click.UsageError(f"--{problem.pointer[1:]} {problem.detail}")
    return wanted


_OPTIONS = (
    once(
        "--status",
        type=click.Choice([status.value for status in Status]),
        metavar="STATUS",
        help=f"Only jobs that are {', '.join(Status)}.",
    ),
    once(
        "--type",
        type=Text(),
        metavar="TYPE",
        help="Only jobs of this type.",
        shell_complete=live("types"),
    ),
    once(
        "--queue",
        type=Text(),
        metavar="QUEUE",
        help="Only jobs of this queue.",
        shell_complete=live("queues"),
    ),
    once("--tag", type=Text(), metavar="TAG", help="Only jobs with this tag."),
    once(
        "--q",
        type=Text(),
        metavar="TEXT",
        help="Only jobs with this phrase in type, payload, error or tags.",
    ),
    once("--error", type=Text(), metavar="NAME", help="Only jobs with this type of error."),
    once(
        "--where",
        type=Text(may_be_empty=True),  # the location of an error that has none
        metavar="LOCATION",
        help="Only jobs with an error at this location, as `orpheus errors` says it.",
    ),
    once(
        "--since",
        "since_ms",
        type=Moment(),
        metavar="TIME",
        help="Only jobs that ended then or later, such as 2026-01-31T12:00:00Z or 15m (ago).",
    ),
    once(
        "--until",
        "until_ms",
        type=Moment(),
        metavar="TIME",
        help="Only jobs that ended before.",
    ),
)
