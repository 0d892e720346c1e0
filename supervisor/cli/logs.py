"""Print the log of a job, or the output of a program."""

import json
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from math import inf

import click

from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.domain.jobs import LogLine
from orpheus.shared.domain.json_values import object_text
from orpheus.shared.domain.lifecycle import TERMINAL
from orpheus.shared.domain.programs import SLOT
from orpheus.shared.moments import rfc3339
from orpheus.shared.storage import Store
from orpheus.shared.text import printable, with_fields, without_colours
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.operator import JobId, Operator, Text, for_operator
from orpheus.supervisor.cli.output import line_time
from orpheus.supervisor.cli.processes import read_workers, tell_if_nothing_runs
from orpheus.supervisor.cli.whole_number import WholeNumber

_POLL_INTERVAL_S = 0.05
_LINES_AT_ONCE = 1_000
_LOOK_EVERY_S = 5.0
"""Whoever follows is told so soon that nothing runs any more."""


@click.command()
@click.argument(
    "name",
    type=Text(),
    metavar="ID|SLOT",
    shell_complete=live("slots of programs", "jobs"),
)
@click.option("--follow", "-f", is_flag=True, help="Go on until the job has ended (or Ctrl-C).")
@click.option(
    "--lines",
    "-n",
    type=WholeNumber(0, 1_000_000_000),
    metavar="N",
    help="Begin with the newest N lines (default: all of a job, 1,000 of SLOT).",
)
@click.option(
    "--host",
    type=Text(),
    metavar="HOST",
    help="Of SLOT, if several have one.",
    shell_complete=live("hosts"),
)
@partial(for_operator, json_help="Print JSON: one object a line, not one document.")
def logs(operator: Operator, name: str, follow: bool, lines: int | None, host: str | None) -> None:
    """Print the log of a job, or the output of a program's SLOT."""
    from orpheus.supervisor.cli.program_output import print_output  # noqa: PLC0415 - not for a job

    with operator.opened() as (store, handover):
        then = _telling_once(store, handover) if follow else None
        try:
            if SLOT.fullmatch(name):
                print_output(store, name, host, lines, then, as_json=operator.as_json)
            else:
                id = _id_of(name, click.get_current_context())
                _print_log(store, id, lines, then, as_json=operator.as_json)
        except KeyboardInterrupt:  # the usual way to stop following
            click.echo()


def _telling_once(store: Store, handover: CommandLineHandover) -> Callable[[], None]:
    """Return what looks now and then, while it is called, and says once that nothing runs."""
    next_look_s: float | None = -inf  # None: it was said

    def look() -> None:
        nonlocal next_look_s
        now_s = time.monotonic()
        if next_look_s is not None and now_s >= next_look_s:
            was_said = tell_if_nothing_runs(store, read_workers(store, handover))
            next_look_s = None if was_said else now_s + _LOOK_EVERY_S

    return look


def _id_of(name: str, context: click.Context) -> int:
    """Return the id that `name` is, which is no slot."""
    parameter = context.command.params[0]
    if not name.isdecimal():
        neither = f"{name!r} is neither the id of a job nor a slot of a program, as web-1 is."
        raise click.BadParameter(neither, context, parameter)
    return int(JobId(name, parameter, context))


def _print_log(
    store: Store,
    job_id: int,
    newest: int | None,
    waits: Callable[[], None] | None,
    *,
    as_json: bool,
) -> None:
    seen = 0 if newest is None else _before_newest(store, job_id, newest)
    said = False
    while True:
        # Read the status first: then every line that the job wrote before it ended is there.
        status = store.jobs.get(job_id).status
        ended = status in TERMINAL
        lines = store.logs.after(job_id, seen, _LINES_AT_ONCE)
        for line in lines:
            click.echo(_json_line(line) if as_json else _text_line(line))
            seen = line.id
        if not lines:
            if not (seen or said or as_json or newest == 0):
                said = True
                yet = "" if ended else " yet"
                click.echo(f"job {job_id} ({status}) has written nothing{yet}", err=True)
            if ended or waits is None:
                return
            waits()
            wait_for_change(store, _LOOK_EVERY_S)


def _before_newest(store: Store, job_id: int, count: int) -> int:
    """Return the id of the line before the newest `count` ones of a job; 0: it has no more."""
    ids = deque([0], maxlen=count + 1)
    while lines := store.logs.after(job_id, ids[-1], _LINES_AT_ONCE):
        ids.extend(line.id for line in lines)
    return ids[0]


def wait_for_change(store: Store, at_most_s: float) -> None:
    """Return once something was committed to the database since the last look, or it is time."""
    end_s = time.monotonic() + at_most_s
    while not store.data_changed() and time.monotonic() < end_s:
        time.sleep(_POLL_INTERVAL_S)


def _json_line(line: LogLine) -> str:
    """Return one object on one line: the list of a log that is followed never ends."""
    return json.dumps(
        {
            "id": line.id,
            "attempt": line.attempt,
            "at": rfc3339(line.at_ms),
            "level": line.level,
            "line": line.line,
            "fields": json.loads(object_text(line.fields)),
        }
    )


def _text_line(line: LogLine) -> str:
    head = f"{line_time(line.at_ms)} #{line.attempt} {line.level:<7} "
    return head + printable(with_fields(without_colours(line.line), line.fields))
