"""`orpheus status`: the system as a whole, once or as long as somebody watches."""

import io
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from datetime import datetime
from time import sleep
from typing import Any

import click
import orjson

from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.errors import ExitCode
from orpheus.shared.storage import Store, shown_url
from orpheus.shared.text import printable
from orpheus.shared.views.verdict import verdict_json
from orpheus.supervisor.cli.operator import Operator, for_operator
from orpheus.supervisor.cli.output import (
    duration,
    mebibytes,
    print_fields,
    print_json,
    styled,
    terminal_height,
)
from orpheus.supervisor.cli.system import print_workers, read_workers

_LOOK_EVERY_S = 1.0
_HOME, _TO_END_OF_LINE, _TO_END_OF_SCREEN, _CLEAR = "\x1b[H", "\x1b[K", "\x1b[J", "\x1b[2J"


@click.command()
@click.option("--watch", "-w", is_flag=True, help="Show it again each second, until Ctrl-C.")
@for_operator
def status(operator: Operator, watch: bool) -> int:
    """Show the whole system; exit 1 if something needs attention."""
    handover = operator.handover()
    with operator.store(handover) as store:
        if watch:
            return _watch(operator, store, handover)
        found = _status(store, handover)
    if operator.as_json:
        print_json(found)
    else:
        _print(found, handover)
    return ExitCode.NO if found["verdict"]["concerns"] else ExitCode.OK


def _status(store: Store, handover: CommandLineHandover) -> dict[str, Any]:
    items = read_workers(store, handover)
    with store.snapshot():
        counts = store.stats.counts()
        ended = store.stats.finished_in(60)
        by_queue_s = store.stats.oldest_pending_by_queue()
        pools, timeout_s = handover.storage.pools, handover.beat_timeout_s
        return {
            "counts": {status.value: n for status, n in counts.items()},
            "oldest_pending_s": max(by_queue_s.values(), default=None),
            "last_hour": {status.value: n for status, n in ended.items()},
            "database_bytes": store.maintenance.database_bytes(),
            "workers": items,
            "verdict": verdict_json(store, items, pools, timeout_s, by_queue_s),
        }


def _print(found: Mapping[str, Any], handover: CommandLineHandover) -> None:
    size = mebibytes(found["database_bytes"])
    print_fields(
        {
            "jobs": _in_words(found["counts"]) or "none yet",
            "oldest waiting": duration(found["oldest_pending_s"]),
            "last hour": ", ".join(f"{n:,} {name}" for name, n in found["last_hour"].items()),
            "database": f"{shown_url(handover.storage.url)}, {size}",
        }
    )
    if found["workers"]:
        click.echo()
        print_workers(found["workers"])
    click.echo()
    verdict = found["verdict"]
    click.echo(styled(verdict["headline"], fg="red" if verdict["concerns"] else "green"))
    for concern in verdict["concerns"]:
        command = f" ({concern['command']})" if concern["command"] else ""
        click.echo(f"- {printable(concern['text'])}{command}")


def _in_words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in counts.items() if n)


def _watch(operator: Operator, store: Store, handover: CommandLineHandover) -> int:
    """Show the status until Ctrl-C: on a terminal in place, in a pipe a line for each change."""
    show = _line if operator.as_json or not sys.stdout.isatty() else _draw
    before = ""
    try:
        while True:
            before = show(_status(store, handover), operator, handover, before)
            sleep(_LOOK_EVERY_S)
    except KeyboardInterrupt:  # the usual way to stop
        if show is _draw:
            click.echo()
        return ExitCode.OK


def _line(found: Mapping[str, Any], operator: Operator, _: CommandLineHandover, before: str) -> str:
    """Print a line if it says something new; return what it says."""
    verdict = found["verdict"]
    concerns = "; ".join(concern["text"] for concern in verdict["concerns"])
    says = printable(
        f"{_in_words(found['counts']) or 'no jobs yet'}. {concerns or verdict['headline']}"
    )
    if operator.as_json:
        click.echo(orjson.dumps(found))
    elif says != before:
        click.echo(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S}  {says}")
    sys.stdout.flush()
    return says


def _draw(found: Mapping[str, Any], _: Operator, handover: CommandLineHandover, before: str) -> str:
    """Draw over what was drawn before, in one write and without clearing, so nothing flickers."""
    with redirect_stdout(_Frame()) as frame:
        _print(found, handover)
    lines = frame.getvalue().splitlines()
    room = terminal_height() - 1
    if len(lines) > room:
        lines = [*lines[: room - 1], f"… and {len(lines) - room + 1} more lines"]
    drawn = _HOME + "".join(f"{line}{_TO_END_OF_LINE}\n" for line in lines) + _TO_END_OF_SCREEN
    sys.stdout.write(drawn if before else _CLEAR + drawn)
    sys.stdout.flush()
    return drawn


class _Frame(io.StringIO):
    """Gathers what is printed for a terminal."""

    def isatty(self) -> bool:
        """Keep the colours."""
        return True
