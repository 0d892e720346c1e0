"""`orpheus status`: the system as a whole, once or until Ctrl-C."""

import contextlib
import io
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from time import sleep
from typing import Any

import click
import msgspec

from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.errors import ConfigurationError, ExitCode, StorageError
from orpheus.shared.explain.answers import counts_of, verdict_of
from orpheus.shared.messages.encoding import encode
from orpheus.shared.moments import rfc3339
from orpheus.shared.storage import Store, whole_url
from orpheus.shared.text import printable
from orpheus.supervisor.cli.operator import Operator, for_operator
from orpheus.supervisor.cli.output import (
    duration,
    is_dumb,
    local_time,
    mebibytes,
    print_fields,
    print_json,
    styled,
    terminal_size,
)
from orpheus.supervisor.cli.workers import print_workers, read_facts, read_workers

_LOOK_EVERY_S = 1.0
_HOME, _TO_END_OF_LINE, _TO_END_OF_SCREEN, _CLEAR = "\x1b[H", "\x1b[K", "\x1b[J", "\x1b[2J"
_CUT_LINES, _WRAP_LINES = "\x1b[?7l", "\x1b[?7h"


@click.command()
@click.option("--watch", "-w", is_flag=True, help="Show it again each second, until Ctrl-C.")
@for_operator
def status(operator: Operator, watch: bool) -> int:
    """Show the whole system; exit 1 if something needs attention."""
    if watch:
        _watch(operator)
        return ExitCode.OK
    with operator.opened() as (store, handover):
        found = _status(store, handover)
    if operator.as_json:
        print_json(found)
    else:
        _print(found)
    return ExitCode.NO if _new_concerns(found) else ExitCode.OK


def _status(store: Store, handover: CommandLineHandover) -> dict[str, Any]:
    items = read_workers(store, handover)
    with store.snapshot():
        ended = store.stats.finished_in(60)
        facts = read_facts(store, handover, items)
        waited_s, queue = facts.oldest_due() or (None, None)
        return {
            "counts": counts_of(store.stats.counts()),
            "oldest_pending_s": waited_s,
            "oldest_pending_queue": queue,
            "last_hour": {
                "since": rfc3339(ended.since_ms),
                **{status.value: n for status, n in ended.by_status.items()},
            },
            "database": whole_url(handover.storage.url),
            "database_bytes": store.maintenance.database_bytes(),
            "workers": items,
            "verdict": msgspec.to_builtins(verdict_of(store, facts)),
        }


def _print(found: Mapping[str, Any]) -> None:
    last_hour, queue = dict(found["last_hour"]), found["oldest_pending_queue"]
    since = local_time(last_hour.pop("since"))
    waited = duration(found["oldest_pending_s"])
    print_fields(
        {
            "jobs": _in_words(found["counts"]) or "none yet",
            "oldest waiting": f"{waited}, in {queue}" if queue else waited,
            "last hour": f"{_in_words(last_hour) or 'none ended'} (since {since})",
            "database": f"{found['database']}, {mebibytes(found['database_bytes'])}",
        }
    )
    if found["workers"]:
        click.echo()
        print_workers(found["workers"])
    verdict = found["verdict"]
    colour = "red" if _new_concerns(found) else "green"
    click.echo(f"\n{styled(verdict['headline'], fg=colour)}")
    for concern in verdict["concerns"]:
        command = f" ({concern['command']})" if concern["command"] else ""
        if known := concern["acknowledged"]:
            until = local_time(known["until"])
            command = f" (acknowledged by {known['by']} until {until}: {known['reason']})"
        click.echo(f"- {printable(concern['text'])}{command} [{concern['code']}]")


def _new_concerns(found: Mapping[str, Any]) -> list[Any]:
    """Return the problems that nobody has acknowledged."""
    return [concern for concern in found["verdict"]["concerns"] if not concern["acknowledged"]]


def _in_words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in counts.items() if n)


def _watch(operator: Operator) -> None:
    """Show the status until Ctrl-C: on a terminal in place, elsewhere one after the other."""
    is_drawn = not operator.as_json and sys.stdout.isatty() and not is_dumb()
    if is_drawn:
        sys.stdout.write(_CUT_LINES + _CLEAR)
    try:
        for found in _looks(operator):
            if is_drawn:
                _draw(found)
            elif operator.as_json:
                click.echo(encode(found))
            elif "problem" in found:
                click.echo(printable(found["problem"]))
            else:
                _print(found)
            sys.stdout.flush()
            sleep(_LOOK_EVERY_S)
    except KeyboardInterrupt:  # the usual way to stop
        pass
    finally:
        if is_drawn:
            sys.stdout.write(f"{_WRAP_LINES}\n")


def _looks(operator: Operator) -> Iterator[Mapping[str, Any]]:
    """Yield the status without end, or why it cannot be read now (`problem`).

    The settings are read anew for each look: another pool may serve a queue by then. Raises
    StorageError or ConfigurationError if it cannot be read from the beginning.
    """
    with operator.opened() as (store, handover):
        yield _status(store, handover)
    while True:
        try:
            with contextlib.redirect_stderr(io.StringIO()), operator.opened() as (store, handover):
                found: Mapping[str, Any] = _status(store, handover)
        except (StorageError, ConfigurationError) as error:
            found = {"problem": str(error)}
        yield found


def _draw(found: Mapping[str, Any]) -> None:
    """Draw over what was drawn before, in one write and without clearing, so nothing flickers."""
    with redirect_stdout(_Frame()) as frame, contextlib.redirect_stderr(io.StringIO()):
        if "problem" in found:
            click.echo(styled(printable(found["problem"]), fg="red"))
        else:
            _print(found)
    lines = frame.getvalue().splitlines()
    room = terminal_size().lines - 1
    if len(lines) > room:
        lines = [*lines[: room - 1], f"… and {len(lines) - room + 1} more lines"]
    drawn = "".join(f"{line}{_TO_END_OF_LINE}\n" for line in lines)
    sys.stdout.write(f"{_HOME}{drawn}{_TO_END_OF_SCREEN}")


class _Frame(io.StringIO):
    """Gathers what is printed for a terminal."""

    def isatty(self) -> bool:
        """Keep the colours."""
        return True
