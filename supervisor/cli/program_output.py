"""Print the output of a program."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from time import sleep as wait

import click
import msgspec

from orpheus.shared.operations.supervisor_requests import output_folder
from orpheus.shared.process.host import own_host
from orpheus.shared.process.program_logs import STDERR, STDOUT, ProgramLine, read_lines
from orpheus.shared.storage import Store
from orpheus.shared.text import printable, without_colours
from orpheus.supervisor.cli.output import line_time

_USUAL_LINES = 1_000
_LINES_AT_ONCE = 10_000
_POLL_INTERVAL_S = 0.1
_MARKS = {STDOUT: " ", STDERR: "!"}


def print_output(
    store: Store,
    slot: str,
    host: str | None,
    newest: int | None,
    waits: Callable[[], None] | None,
    *,
    as_json: bool,
) -> None:
    """Print the newest lines of a slot (None: 1,000); with `waits`, also all that come later.

    `waits` is called whenever there are no more lines yet. Raises what `output_folder` raises.
    """
    folder = output_folder(store, slot, host, own_host())
    count = _USUAL_LINES if newest is None else newest
    kept = _newest(folder, max(1, count))  # with 0, too: it goes on behind the last one
    after = kept[-1].id if kept else None
    lines = kept if count else []
    while True:
        for line in lines:
            click.echo(json.dumps(msgspec.to_builtins(line)) if as_json else _text(line))
            after = line.id
        if waits is None:  # else a busy program would never let it end
            return
        if not lines:
            waits()
            wait(_POLL_INTERVAL_S)
        lines = read_lines(folder, after, None, _LINES_AT_ONCE)


def _newest(folder: Path, count: int) -> list[ProgramLine]:
    """Return the newest lines, oldest first: fewer if no more are kept."""
    pages: list[list[ProgramLine]] = []
    before: int | None = None
    while count and (page := read_lines(folder, None, before, min(count, _LINES_AT_ONCE))):
        pages.append(page)
        before, count = page[0].id, count - len(page)
    return [line for page in reversed(pages) for line in page]


def _text(line: ProgramLine) -> str:
    """Return a line with its time; ! marks stderr, and # what Orpheus says of the process."""
    at_ms = round(datetime.fromisoformat(line.at).timestamp() * 1000)
    head = f"{line_time(at_ms)} {_MARKS.get(line.stream, '#')} "
    return head + printable(without_colours(line.line))
