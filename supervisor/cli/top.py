"""`orpheus top`: pools, problems, slots and queues on one screen, with keys for the actions."""

import contextlib
import io
import os
import re
import select
import sys
import termios
import time
import tty
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import click
import msgspec

from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.processes import SlotState
from orpheus.shared.domain.requests import RequestAction
from orpheus.shared.errors import ConfigurationError, OrpheusError, StorageError
from orpheus.shared.explain.answers import counts_of, queues_of, verdict_of
from orpheus.shared.explain.facts import Facts
from orpheus.shared.messages.queues import Counts, Queue
from orpheus.shared.messages.status import Verdict
from orpheus.shared.messages.workers import Worker
from orpheus.shared.operations.operator_actions import pause_queue
from orpheus.shared.operations.supervisor_requests import ask_for_slot, check_supervised
from orpheus.shared.storage import Store
from orpheus.shared.text import printable
from orpheus.supervisor.cli.operator import Operator, for_operator
from orpheus.supervisor.cli.output import (
    duration,
    is_dumb,
    mebibytes,
    print_json,
    styled,
    terminal_size,
)
from orpheus.supervisor.cli.workers import read_facts, read_workers, why_of

_LOOK_EVERY_S = 1.0
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"
"""Another screen without cursor and line wrap, and back."""
_HOME, _TO_END_OF_LINE, _TO_END_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"
_KEYS = "↑↓ choose   p pause or resume the queue   r restart the slot   q quit"
_UP, _DOWN = ("\x1b[A", "\x1bOA", "k"), ("\x1b[B", "\x1bOB", "j")
_KEY = re.compile(r"\x1b[\[O].|.", re.DOTALL)
_ALARMING = (SlotState.FATAL, SlotState.STUCK)


class View(msgspec.Struct, frozen=True):
    """What one screen shows, read at one moment."""

    verdict: Verdict
    counts: Counts
    pools: list[tuple[str, int, int]]
    """Their names, how many workers are ready, and how many there are."""
    workers: list[Worker]
    queues: list[Queue]


class Row(NamedTuple):
    """What can be chosen: a slot of a host, or a queue."""

    kind: str
    name: str
    host: str = ""


class Line(NamedTuple):
    """A line of the screen, and its style for `click.style`."""

    text: str
    style: dict[str, Any] = {}  # noqa: RUF012 - never changed


@click.command()
@for_operator
def top(operator: Operator) -> None:
    """Show pools, queues and problems live, with keys to pause a queue and restart a slot.

    In a pipe, print one screen and end.
    """
    with operator.opened() as (store, handover):
        view = _read(store, handover)
    if operator.as_json:
        print_json(view)
    elif sys.stdin.isatty() and sys.stdout.isatty() and not is_dumb():
        with contextlib.suppress(KeyboardInterrupt), _keyboard():
            _run(operator, view)
    else:
        size = terminal_size()
        lines = screen(view, None, size.columns, size.lines)[:-1]  # without the keys
        click.echo("\n".join(line.text for line in lines).rstrip())


def _read(store: Store, handover: CommandLineHandover) -> View:
    workers = read_workers(store, handover)  # outside the snapshot: it may try a write
    with store.snapshot():
        facts = read_facts(store, handover, workers)
        counts = counts_of(store.stats.counts())
        return View(verdict_of(store, facts), counts, _pools(facts), workers, queues_of(facts))


def _pools(facts: Facts) -> list[tuple[str, int, int]]:
    return [
        (pool.name, len(pool.ready), len(pool.ready) + len(pool.others)) for pool in facts.pools
    ]


# The screen


def rows_of(view: View) -> list[Row]:
    """Return what can be chosen, in the order of the screen."""
    slots = [Row("slot", worker.slot, worker.host) for worker in view.workers]
    return [*slots, *(Row("queue", queue.name) for queue in view.queues)]


def screen(view: View, chosen: Row | None, columns: int, lines: int, said: str = "") -> list[Line]:
    """Return the lines of a screen of this size. `said`: what became of the last key."""
    counts = ", ".join(
        f"{n:,} {status.replace('_', ' ')}" for status, n in view.counts.items() if n
    )
    pools = ", ".join(f"{name} {ready} of {all} ready" for name, ready, all in view.pools)
    problems = [
        Line(f"  {concern.text}{f' ({concern.command})' if concern.command else ''}")
        for concern in view.verdict.concerns
    ]
    is_well = all(concern.acknowledged for concern in view.verdict.concerns)
    head = [
        Line(view.verdict.headline, {"bold": True, "fg": "green" if is_well else "red"}),
        Line(f"jobs   {counts or 'none yet'}"),
        Line(f"pools  {pools or 'none'}"),
    ]
    rows = rows_of(view)
    slots, queues = _slots(view.workers), _queues(view.queues)
    parts = [problems, slots[1:], queues[1:]]
    titles = 2 * sum(map(bool, parts))  # each with an empty line before it
    room = lines - len(head) - titles - 1  # and the last line has the keys
    shares = _shares([len(part) for part in parts], max(0, room))
    at = rows.index(chosen) if chosen in rows else -1
    ats = (-1, at, at - len(slots[1:]))
    heads = (Line("PROBLEMS", {"bold": True}), slots[0], queues[0])
    drawn = head
    for part, title, size, n in zip(parts, heads, shares, ats, strict=True):
        if size:
            drawn += [Line(""), title, *_window(part, n, size)]
    drawn = drawn[: lines - 1]
    drawn += [Line("")] * (lines - 1 - len(drawn)) + [Line(said or _KEYS, {"bold": bool(said)})]
    return [Line(_cut(printable(line.text), columns), line.style) for line in drawn]


def _shares(wanted: Sequence[int], room: int) -> list[int]:
    """Divide lines among lists: what a short list leaves, the longer ones get."""
    shares = [0] * len(wanted)
    by_length = sorted(range(len(wanted)), key=lambda n: wanted[n])
    for place, n in enumerate(by_length):
        shares[n] = min(wanted[n], room // (len(wanted) - place))
        room -= shares[n]
    return shares


def _window(part: Sequence[Line], chosen: int, size: int) -> list[Line]:
    """Return as many lines as there is room for, among them the chosen one, which is marked."""
    if 0 <= chosen < len(part):
        marked = Line(f">{part[chosen].text[1:]}", {**part[chosen].style, "reverse": True})
        part = [*part[:chosen], marked, *part[chosen + 1 :]]
    if len(part) <= size:
        return list(part)
    shown = size - 1
    first = max(0, min(chosen - shown // 2, len(part) - shown))
    more = Line(f"  … {len(part) - shown:,} more", {"dim": True})
    return [*part[first : first + shown], more]


def _slots(workers: Sequence[Worker]) -> list[Line]:
    has_many_hosts = len({worker.host for worker in workers}) > 1
    cells = [("SLOT", "STATE", "CPU", "MEMORY", "JOB", "WHY")]
    cells += [
        (
            f"{worker.slot} on {worker.host}" if has_many_hosts else worker.slot,
            str(worker.state),
            "" if worker.cpu_percent is None else f"{worker.cpu_percent:.1f} %",
            mebibytes(worker.rss_bytes) or "",
            f"{worker.job.id} {worker.job.type}" if worker.job else "",
            why_of(worker),
        )
        for worker in workers
    ]
    styles: list[dict[str, Any]] = [{"bold": True}, *map(_slot_style, workers)]
    return _styled(_aligned(cells, "<<>><<"), styles)


def _slot_style(worker: Worker) -> dict[str, Any]:
    if worker.state in _ALARMING:
        return {"fg": "red"}
    return {} if worker.state is SlotState.READY and not worker.degraded else {"fg": "yellow"}


def _queues(queues: Sequence[Queue]) -> list[Line]:
    cells = [("QUEUE", "DUE", "RUNNING", "OLDEST", "IN/MIN", "OUT/MIN", "WHY")]
    cells += [
        (
            queue.name,
            f"{queue.due:,}",
            f"{queue.counts[Status.IN_PROGRESS.value]:,}",
            duration(queue.oldest_due_s) or "",
            f"{queue.in_per_minute:,.1f}",
            f"{queue.out_per_minute:,.1f}",
            queue.reason.text if queue.reason else "paused" if queue.paused else "",
        )
        for queue in queues
    ]
    stands = [{"fg": "yellow"} if queue.reason or queue.paused else {} for queue in queues]
    return _styled(_aligned(cells, "<>>>>><"), [{"bold": True}, *stands])


def _styled(texts: Sequence[str], styles: Sequence[dict[str, Any]]) -> list[Line]:
    return [Line(text, style) for text, style in zip(texts, styles, strict=True)]


def _aligned(rows: Sequence[Sequence[str]], sides: str) -> list[str]:
    """Return each row as a line, its cells below each other, left (<) or right (>) in each."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(
            f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def _cut(text: str, columns: int) -> str:
    return text if len(text) <= columns else f"{text[: columns - 1]}…"


# The keyboard


@contextlib.contextmanager
def _keyboard() -> Iterator[None]:
    """Take the whole terminal, with each key at once; give it back as it was."""
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        sys.stdout.write(_ENTER)
        yield
    finally:
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _run(operator: Operator, view: View) -> None:
    """Draw each second and after each key, until q."""
    chosen, said, look_at_s = next(iter(rows_of(view)), None), "", 0.0
    while True:
        if time.monotonic() >= look_at_s:
            try:
                with contextlib.redirect_stderr(io.StringIO()), operator.opened() as opened:
                    view = _read(*opened)
            except (StorageError, ConfigurationError) as error:
                said = str(error)
            look_at_s = time.monotonic() + _LOOK_EVERY_S
        _draw(view, chosen, said)
        for key in _keys(max(0.0, look_at_s - time.monotonic())):
            said = ""
            if key == "q":
                return
            if key in _UP or key in _DOWN:
                chosen = moved(rows_of(view), chosen, -1 if key in _UP else 1)
            elif key in ("p", "r"):
                said, look_at_s = act(operator, view, chosen, key), 0.0


def _draw(view: View, chosen: Row | None, said: str) -> None:
    """Draw over what was drawn before, in one write, so nothing flickers."""
    size = terminal_size()
    lines = screen(view, chosen, size.columns, size.lines, said)
    drawn = f"{_TO_END_OF_LINE}\n".join(styled(line.text, **line.style) for line in lines)
    sys.stdout.write(f"{_HOME}{drawn}{_TO_END_OF_LINE}{_TO_END_OF_SCREEN}")
    sys.stdout.flush()


def _keys(within_s: float) -> list[str]:
    """Return the keys that were pressed; none within this time: an empty list."""
    ready, _, _ = select.select([sys.stdin], [], [], within_s)
    typed = os.read(sys.stdin.fileno(), 256).decode(errors="replace") if ready else ""
    return ["q"] if ready and not typed else _KEY.findall(typed)  # the terminal is gone


def moved(rows: Sequence[Row], chosen: Row | None, by: int) -> Row | None:
    """Return the row before or after the chosen one; the first if that is gone."""
    if chosen not in rows:
        return rows[0] if rows else None
    return rows[max(0, min(len(rows) - 1, rows.index(chosen) + by))]


def act(operator: Operator, view: View, chosen: Row | None, key: str) -> str:
    """Pause or resume the chosen queue (p), or restart the chosen slot (r); say what came of it."""
    wanted = "queue" if key == "p" else "slot"
    if chosen is None or chosen.kind != wanted:
        return f"choose a {wanted} first"
    actor = operator.actor(None)
    try:
        with contextlib.redirect_stderr(io.StringIO()), operator.opened() as (store, handover):
            if key == "p":
                paused = any(q.paused for q in view.queues if q.name == chosen.name)
                pause_queue(store, actor, chosen.name, paused=not paused)
                return f"queue {chosen.name}: {'resumed' if paused else 'paused'}"
            check_supervised(store, handover.beat_timeout_s)
            host = chosen.host if store.has_many_hosts else None
            ask_for_slot(store, actor, RequestAction.RESTART, chosen.name, host)
            return f"{chosen.name}: restart requested"
    except OrpheusError as error:
        return str(error)
