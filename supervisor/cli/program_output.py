"""Print the output of a program."""

import json
import time
from dataclasses import asdict
from datetime import datetime

import click

from orpheus.shared.operations.supervisor_requests import output_folder
from orpheus.shared.process.host import own_host
from orpheus.shared.process.program_logs import STDERR, STDOUT, ProgramLine, read_lines
from orpheus.shared.storage import Store
from orpheus.shared.text import printable

_LINES_AT_ONCE = 1_000
_POLL_INTERVAL_S = 0.1
_MARKS = {STDOUT: " ", STDERR: "!"}


def print_output(store: Store, slot: str, host: str | None, *, follow: bool, as_json: bool) -> None:
    """Print the newest output of a slot; with `follow`, go on with what comes, for ever.

    Raises what `output_folder` raises.
    """
    folder = output_folder(store, slot, host, own_host())
    after: int | None = None
    while True:
        lines = read_lines(folder, after, None, _LINES_AT_ONCE)
        for line in lines:
            click.echo(json.dumps(asdict(line)) if as_json else _text(line))
            after = line.id
        if not follow:  # what is printed meanwhile may have no end
            return
        if not lines:
            time.sleep(_POLL_INTERVAL_S)


def _text(line: ProgramLine) -> str:
    """Return a line with its time; ! marks stderr, and # what Orpheus says of the process."""
    at = datetime.fromisoformat(line.at).astimezone()
    head = f"{at:%H:%M:%S}.{at.microsecond // 1000:03} {_MARKS.get(line.stream, '#')} "
    return head + printable(line.line)
