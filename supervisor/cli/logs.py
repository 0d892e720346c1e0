"""Print the log of a job, or the output of a program."""

import json
import time
from functools import partial

import click
from msgspec.structs import asdict, replace

from orpheus.shared.domain.hidden import NO_RULES, masked_anywhere
from orpheus.shared.domain.jobs import LogLine
from orpheus.shared.domain.json_values import object_text
from orpheus.shared.domain.lifecycle import TERMINAL
from orpheus.shared.domain.programs import SLOT
from orpheus.shared.moments import rfc3339
from orpheus.shared.operations.supervisor_requests import output_folder
from orpheus.shared.process.host import own_host
from orpheus.shared.process.program_logs import STDERR, STDOUT, ProgramLine, read_lines
from orpheus.shared.storage import Store
from orpheus.shared.text import printable, with_fields, without_colours
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.operator import JobId, Operator, Text, for_operator, on_host
from orpheus.supervisor.cli.output import line_time

_POLL_INTERVAL_S = 0.05
_LINES_AT_ONCE = 1_000
_LOOK_EVERY_S = 5.0
_MARKS = {STDOUT: " ", STDERR: "!"}
"""Before a line of a program; # marks what Orpheus says of the process."""


@click.command()
@click.argument("name", type=Text(), metavar="ID|SLOT", shell_complete=live("jobs"))
@click.option("--follow", "-f", is_flag=True, help="Keep printing until the job ends (or Ctrl-C).")
@on_host
@partial(for_operator, json_help="Print JSON: one object a line, not one document.")
def logs(operator: Operator, name: str, follow: bool, host: str | None) -> None:
    """Print the log of a job, or the output of a program's SLOT."""
    with operator.store() as store:
        try:
            if SLOT.fullmatch(name):
                _print_output(store, name, host, follow, as_json=operator.as_json)
            elif name.isdecimal():
                _print_log(store, JobId(name), follow, as_json=operator.as_json)
            else:
                raise click.UsageError(f"{name!r} is neither a job's id nor a program's slot")
        except KeyboardInterrupt:  # the usual way to stop following
            click.echo()


def _print_log(store: Store, job_id: int, follow: bool, *, as_json: bool) -> None:
    """Print the log of a job, and with `follow` all that it writes until it has ended."""
    seen = 0
    while True:
        # Read the status first: then every line that the job wrote before it ended is there.
        ended = store.jobs.get(job_id).status in TERMINAL
        lines = store.logs.after(job_id, seen, _LINES_AT_ONCE)
        rules = store.hidden.of_job(job_id) if lines else NO_RULES
        for line in lines:
            line = replace(line, fields=masked_anywhere(line.fields, rules))  # noqa: PLW2901
            click.echo(_json_line(line) if as_json else _text_line(line))
            seen = line.id
        if not lines:
            if ended or not follow:
                if not seen:
                    click.echo(f"job {job_id} has written no log", err=True)
                return
            wait_for_change(store, _LOOK_EVERY_S)


def wait_for_change(store: Store, at_most_s: float) -> None:
    """Return once something was committed to the database since the last look, or it is time."""
    end_s = time.monotonic() + at_most_s
    while not store.data_changed() and time.monotonic() < end_s:
        time.sleep(_POLL_INTERVAL_S)


def _json_line(line: LogLine) -> str:
    fields = json.loads(object_text(line.fields))
    shown = {"id": line.id, "attempt": line.attempt, "at": rfc3339(line.at_ms)}
    return json.dumps({**shown, "level": line.level, "line": line.line, "fields": fields})


def _text_line(line: LogLine) -> str:
    head = f"{line_time(line.at_ms)} #{line.attempt} {line.level:<7} "
    return head + printable(with_fields(without_colours(line.line), line.fields))


def _print_output(
    store: Store, slot: str, host: str | None, follow: bool, *, as_json: bool
) -> None:
    """Print the newest lines of a slot; with `follow`, also all that come later."""
    folder, after = output_folder(store, slot, host, own_host()), None
    lines = read_lines(folder, None, None, _LINES_AT_ONCE)
    while True:
        for line in lines:
            click.echo(json.dumps(asdict(line)) if as_json else _program_line(line))
            after = line.id
        if not follow:  # else a busy program would never let it end
            return
        if not lines:
            time.sleep(_POLL_INTERVAL_S)
        lines = read_lines(folder, after, None, _LINES_AT_ONCE)


def _program_line(line: ProgramLine) -> str:
    head = f"{line_time(line.at)} {_MARKS.get(line.stream, '#')} "
    return head + printable(without_colours(line.line))
