"""The options that say which jobs are meant: by status, type, queue, tag, text and error."""

from collections.abc import Callable

import click

from orpheus.shared.domain.jobs import Status
from orpheus.shared.storage import JobFilter
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.operator import Text

_FIELDS = ("status", "type", "queue", "tag", "q", "error", "where")


def filter_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add `--status`, `--type` and so on; `filter_of` takes what they give."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def filter_of(fields: dict[str, str | None]) -> JobFilter:
    """Take the values of these options out of `fields`, and return the filter that they make."""
    status, *texts = (fields.pop(name) for name in _FIELDS)
    return JobFilter(Status(status) if status else None, *texts)


_OPTIONS = (
    click.option("--status", type=click.Choice([status.value for status in Status])),
    click.option(
        "--type",
        type=Text(),
        metavar="TYPE",
        help="Only jobs of this type.",
        shell_complete=live("types"),
    ),
    click.option(
        "--queue",
        type=Text(),
        metavar="QUEUE",
        help="Only jobs of this queue.",
        shell_complete=live("queues"),
    ),
    click.option("--tag", type=Text(), metavar="TAG", help="Only jobs with this tag."),
    click.option(
        "--q",
        type=Text(),
        metavar="TEXT",
        help="Only jobs with this text in type, payload, error or tags, of the newest 10,000.",
    ),
    click.option(
        "--error",
        type=Text(),
        metavar="NAME",
        help="Only jobs with this type of error, as `orpheus errors` lists them.",
    ),
    click.option(
        "--where", metavar="PLACE", help="Only jobs with an error at this place, as listed there."
    ),
)
