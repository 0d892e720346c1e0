"""`orpheus status`: the system as a whole, once or as long as somebody watches."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from datetime import datetime
from time import sleep
from typing import Any

import click
import msgspec

from orpheus.config.regular_file import state_of
from orpheus.config.sources import config_file
from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.domain.processes import SlotState
from orpheus.shared.domain.words import without_durations
from orpheus.shared.errors import ConfigurationError, ExitCode, StorageError
from orpheus.shared.explain.answers import counts_of, verdict_of
from orpheus.shared.messages.encoding import encode
from orpheus.shared.moments import rfc3339
from orpheus.shared.storage import Store, state_files, whole_url
from orpheus.shared.text import printable
from orpheus.supervisor.cli.given import as_called, text_as_called
from orpheus.supervisor.cli.operator import Operator, for_operator
from orpheus.supervisor.cli.output import (
    duration,
    is_dumb,
    mebibytes,
    print_fields,
    print_json,
    short_time,
    styled,
    terminal_height,
    terminal_width,
    width_of_terminal,
)
from orpheus.supervisor.cli.processes import print_workers, read_facts, read_workers, scaled_of
from orpheus.supervisor.cli.table import cells_wide, shortened, wrapped

_LOOK_EVERY_S = 1.0
_HOME, _TO_END_OF_LINE, _TO_END_OF_SCREEN, _CLEAR = "\x1b[H", "\x1b[K", "\x1b[J", "\x1b[2J"


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
        _print(found, handover, width_of_terminal(), cuts=False)
    return ExitCode.NO if found["verdict"]["concerns"] else ExitCode.OK


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
            "database_bytes": store.maintenance.database_bytes(),
            "workers": items,
            # What the configuration says is no news; what an operator has taken away is.
            "scaled": [one for one in scaled_of(store, items, handover) if one["scaled"]],
            "verdict": msgspec.to_builtins(verdict_of(store, facts)),
        }


def _print(
    found: Mapping[str, Any],
    handover: CommandLineHandover,
    width: int | None = None,
    *,
    has_room: bool = True,
    cuts: bool = True,
) -> None:
    """Print the status; with a `width`, no line is wider, as a table never is on a terminal.

    With `has_room`, a sentence is wrapped, else it is cut. The command that mends something has a
    line of its own if it does not fit behind its sentence. Without `cuts`, everything is wrapped.
    """

    def fitting(text: str) -> str:
        return text if width is None or not cuts else shortened(text, width)

    size = mebibytes(found["database_bytes"])
    print_fields(
        {
            "jobs": _in_words(found["counts"]) or "none yet",
            "oldest waiting": _oldest(found["oldest_pending_s"], found["oldest_pending_queue"]),
            "last hour": _last_hour(**found["last_hour"]),
            "database": f"{whole_url(handover.storage.url)}, {size}",
        },
        width,
        cuts=cuts,
    )
    if found["workers"]:
        click.echo()
        print_workers(found["workers"], found["scaled"], names_left_out=not cuts)
    if left_out := found.get("left_out"):
        click.echo(fitting(left_out))
    click.echo()
    verdict = found["verdict"]
    colour = "red" if verdict["concerns"] else "green"
    headline = wrapped(verdict["headline"], width) if width and not cuts else [verdict["headline"]]
    for line in headline:
        click.echo(styled(fitting(line), fg=colour))
    for concern in verdict["concerns"]:
        text = f"- {printable(text_as_called(concern['text']))}"
        command = f"({as_called(concern['command'])})" if concern["command"] else ""
        whole = f"{text} {command}".rstrip()
        if width is None or cells_wide(whole) <= width:
            lines = [whole]
        else:
            sentence = wrapped(text, width) if has_room else [text]
            lines = [*sentence, f"  {command}"] if command else sentence
        for line in lines:
            click.echo(fitting(line))


def _in_words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in counts.items() if n)


def _last_hour(since: str, **ended: int) -> str:
    """Return how many jobs ended, and since when: they are counted by whole minutes."""
    numbers = ", ".join(f"{n:,} {name}" for name, n in ended.items())
    return f"{numbers} (since {short_time(since)})"


def _watch(operator: Operator) -> None:
    """Show the status until Ctrl-C: on a terminal in place, in a pipe a line for each change."""
    is_drawn = not operator.as_json and sys.stdout.isatty() and not is_dumb()
    before = ""
    try:
        for found, handover in _looks(operator):
            if is_drawn:
                before = _draw(found, handover, before)
            else:
                before = _line(found, before, as_json=operator.as_json)
            sleep(_LOOK_EVERY_S)
    except KeyboardInterrupt:  # the usual way to stop
        if is_drawn:
            click.echo()


def _looks(operator: Operator) -> Iterator[tuple[dict[str, Any] | str, CommandLineHandover]]:
    """Yield the status without end, with the settings used; or why the database cannot be used.

    The settings are read anew when they change: another pool may serve a queue by then. Raises
    StorageError if the database cannot be used from the beginning.
    """
    file, has_looked = config_file(operator.config, os.environ), False
    file_read, handover = state_of(file), operator.handover()
    while True:
        note = state_files(handover.storage.url, handover.storage.state_dir).running_settings
        origins = file_read, state_of(note)
        try:
            with operator.store(handover) as store:
                while (state_of(file), state_of(note)) == origins:
                    yield _status(store, handover), handover
                    has_looked = True
        except StorageError as error:
            if not has_looked:
                raise
            yield f"The database cannot be used now: {error}", handover
        # Before the settings are read: a change meanwhile is seen at the next look.
        file_read = state_of(file)
        with contextlib.suppress(ConfigurationError):  # the supervisor keeps its settings then
            handover = operator.handover()


def _line(found: Mapping[str, Any] | str, before: str, *, as_json: bool) -> str:
    """Print a line if it says something new; return what it says.

    A problem that only lasts longer is nothing new. With JSON, a trouble goes to stderr.
    """
    if isinstance(found, str):
        says = printable(found)
    else:
        verdict = found["verdict"]
        concerns = " ".join(concern["text"] for concern in verdict["concerns"])
        counts = _in_words(found["counts"]) or "no jobs yet"
        says = printable(f"{counts}. {concerns or verdict['headline']}")
    if as_json and not isinstance(found, str):
        click.echo(encode(found))
    elif without_durations(says) != without_durations(before):
        text = f"{datetime.now().astimezone().isoformat(timespec='seconds')}  {says}"
        click.echo(text, err=as_json)
    sys.stdout.flush()
    return says


def _draw(found: Mapping[str, Any] | str, handover: CommandLineHandover, before: str) -> str:
    """Draw over what was drawn before, in one write and without clearing, so nothing flickers."""
    width, room = terminal_width(), terminal_height() - 1
    lines = _frame(found, handover, width, has_room=True)
    if len(lines) > room:
        lines = _frame(found, handover, width, has_room=False)
    if len(lines) > room and not isinstance(found, str):
        shorter = _with_fewer_slots(found, len(lines) - room + 1)
        lines = _frame(shorter, handover, width, has_room=False)
    if len(lines) > room:
        more = f"… and {len(lines) - room + 1} more lines"
        lines = [*lines[: room - 1], shortened(more, width)]
    drawn = _HOME + "".join(f"{line}{_TO_END_OF_LINE}\n" for line in lines) + _TO_END_OF_SCREEN
    sys.stdout.write(drawn if before else _CLEAR + drawn)
    sys.stdout.flush()
    return drawn


def _oldest(waited_s: float | None, queue: str | None) -> str | None:
    waited = duration(waited_s)
    return waited if queue is None else f"{waited}, in {queue}"


def _with_fewer_slots(found: Mapping[str, Any], surplus: int) -> Mapping[str, Any]:
    """Return the status without so many slots, from the end, first those ready without a job."""
    workers = found["workers"]
    if not workers:
        return found
    quiet = [_is_quiet(one) for one in workers]
    by_need = sorted(range(len(workers)), key=lambda n: (quiet[n], workers[n]["job"] is None, n))
    kept = sorted(by_need[: max(0, len(workers) - surplus)])
    left_out = by_need[len(kept) :]
    all_ready = ", all ready" if all(quiet[n] for n in left_out) else ""
    more = f"… and {len(left_out)} more slots{all_ready}"
    return {**found, "workers": [workers[n] for n in kept], "left_out": more}


def _is_quiet(slot: Mapping[str, Any]) -> bool:
    is_heard = slot["state"] == SlotState.READY and not slot["silent"]
    return is_heard and not slot["degraded"] and not slot["reason"]


def _frame(
    found: Mapping[str, Any] | str, handover: CommandLineHandover, width: int, *, has_room: bool
) -> list[str]:
    """Return what is drawn, line by line."""
    with redirect_stdout(_Frame()) as frame:
        if isinstance(found, str):
            click.echo(styled(shortened(printable(found), width), fg="red"))
        else:
            _print(found, handover, width, has_room=has_room)
    return frame.getvalue().splitlines()


class _Frame(io.StringIO):
    """Gathers what is printed for a terminal."""

    def isatty(self) -> bool:
        """Keep the colours."""
        return True
