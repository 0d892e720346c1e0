"""`orpheus workers` and `programs`: every process with its state."""

import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from typing_extensions import TypedDict

from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.domain.processes import FAILURES_WITHIN_S, Role, SlotState
from orpheus.shared.domain.words import noun_for
from orpheus.shared.errors import NotFound
from orpheus.shared.explain.facts import Facts, read
from orpheus.shared.explain.sentences import nothing_runs
from orpheus.shared.storage import Store
from orpheus.shared.views.pools import ScaledBy, scaled_by
from orpheus.shared.views.unknown_names import unknown_slot
from orpheus.shared.views.workers import DrainedBy, Worker, workers_json
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.given import text_as_called
from orpheus.supervisor.cli.operator import Operator, Text, for_operator
from orpheus.supervisor.cli.output import (
    ago,
    duration,
    mebibytes,
    paused_by,
    print_block,
    print_json,
    print_table,
    print_whole,
)
from orpheus.supervisor.cli.table import Column, Columns, names_of

_OF_WORKERS = (
    Column("SLOT", least=16),
    "STATE",
    Column("PID", 6),
    Column("JOB", least=12),
    Column("BEAT", 4),
    Column("CPU", 3),
    Column("MEMORY", 2),
    Column("DONE", 7),
    Column("UP", 5),
    Column("RESTARTS", 1),
    Column("WHY", least=12, enough=40),
)
_OF_PROGRAMS = (
    Column("SLOT", least=16),
    "STATE",
    Column("PID", 4),
    Column("CPU", 3),
    Column("MEMORY", 2),
    Column("UP", 1),
    "RESTARTS",
    Column("WHY", least=12, enough=40),
)
_NOT_ENDING = (SlotState.BACKOFF, SlotState.FATAL, SlotState.STARTING)
_EXITS = ("last exit", "2nd last", "3rd last", "4th last", "5th last")
"""GET /workers returns as many for each slot."""


class Scaled(TypedDict):
    """A pool or program that should have no slot, or of which some slots are leaving."""

    kind: str
    """`pool` or `program`."""
    name: str
    wanted: int
    scaled: ScaledBy | DrainedBy | None
    """Who scaled it, if somebody did."""


@click.command()
@click.argument("slot", type=Text(), required=False, shell_complete=live("slots"))
@for_operator
def workers(operator: Operator, slot: str | None) -> None:
    """List every process with its state, job and resource use; of SLOT, tell all."""
    with operator.opened() as (store, handover):
        items = read_workers(store, handover)
        scaled = scaled_of(store, items, handover)
        if slot is not None and not any(one["slot"] == slot for one in items):
            if not items:
                from orpheus.shared.operations.supervisor_requests import check_supervised  # noqa: PLC0415 - no completion needs it

                check_supervised(store, handover.beat_timeout_s)
            raise NotFound(unknown_slot(store, slot))
    if slot is not None:
        _show(items, slot, as_json=operator.as_json)
    else:
        print_workers(items, scaled, as_json=operator.as_json)
        tell_if_nothing_runs(store, items)


@click.command()
@for_operator
def programs(operator: Operator) -> None:
    """List programs with their state and resource use."""
    with operator.opened() as (store, handover):
        everything = read_workers(store, handover)
        scaled = _scaled(store, everything, "program", handover.programs)
    items = [one for one in everything if one["role"] == Role.PROGRAM]
    print_workers(items, scaled, _OF_PROGRAMS, as_json=operator.as_json)
    tell_if_nothing_runs(store, everything)


def tell_if_nothing_runs(store: Store, everything: Sequence[Worker]) -> bool:
    """Say so on stderr if there is no slot and no process: what is configured does not happen.

    Return whether it was said.
    """
    if not everything:
        click.echo(text_as_called(nothing_runs(store.moves.says)), err=True)
    return not everything


def read_workers(store: Store, handover: CommandLineHandover) -> list[Worker]:
    """Return every slot, and every process without one, as GET /workers shows them."""
    return workers_json(store, supervised_on=None, beat_timeout_s=handover.beat_timeout_s)


def read_facts(
    store: Store,
    handover: CommandLineHandover,
    workers: Sequence[Worker],
    only: Collection[str] | None = None,
) -> Facts:
    """Return what explanations need; `only`: about these queues."""
    pools, timeout_s = handover.storage.pools, handover.beat_timeout_s
    return read(store, workers, pools, timeout_s, only=only)


def scaled_of(store: Store, items: Sequence[Worker], handover: CommandLineHandover) -> list[Scaled]:
    """Return the pools and programs that should have no slot, or whose slots partly leave."""
    pools = _scaled(store, items, "pool", handover.storage.pools)
    return pools + _scaled(store, items, "program", handover.programs)


def _scaled(store: Store, items: Sequence[Worker], kind: str, names: Iterable[str]) -> list[Scaled]:
    """Return those of these pools or programs (`kind`).

    While no supervisor runs, none has a slot, and nothing is told.
    """
    if not any(one["role"] == Role.SUPERVISOR for one in items):
        return []
    hosts = {one["host"] for one in items}
    told: list[Scaled] = []
    for name in names:
        slots = [one for one in items if one["pool"] == name]
        leaving = [one for one in slots if one["leaves"]]
        wanted = len(slots) - len(leaving)
        if not wanted or leaving:
            by = next((one["scaled"] for one in leaving if one["scaled"]), None)
            who = by or (None if wanted else scaled_by(store, kind, name, 0, hosts))
            told.append({"kind": kind, "name": name, "wanted": wanted, "scaled": who})
    return told


def _cells_of_scaled(one: Scaled) -> dict[str, object]:
    """Return the name, `0 workers` or the like, and who scaled it, if somebody did."""
    noun = "worker" if one["kind"] == "pool" else "instance"
    return {
        "slot": one["name"],
        "state": f"{one['wanted']} {noun_for(one['wanted'], noun)}",
        "why": f"scaled by {paused_by(one['scaled'])}" if one["scaled"] else None,
    }


def print_workers(
    items: Sequence[Mapping[str, Any]],
    scaled: Sequence[Scaled],
    columns: Columns = _OF_WORKERS,
    *,
    as_json: bool = False,
    names_left_out: bool = True,
) -> None:
    """Print a table, with the hosts only if there are several; `scaled`: numbers of pools."""
    if as_json:
        print_json({"items": items})
        return
    if _are_of_several_hosts(items):
        columns = ("HOST", *columns)
    cells = [*map(_cells, items), *map(_cells_of_scaled, scaled)]
    rows = [[one.get(name) for name in names_of(columns)] for one in cells]
    whole = "orpheus workers SLOT"
    print_table(columns, rows, names_left_out=names_left_out, all_of_one=whole)


def _show(items: Sequence[Worker], slot: str, *, as_json: bool) -> None:
    """Print all that is known of a slot, and nothing is cut."""
    found = [one for one in items if one["slot"] == slot]
    if as_json:
        print_json({"items": found})
        return
    several = _are_of_several_hosts(items)
    for item in found:
        cells = _cells(item) if several else {**_cells(item), "host": None}
        exits = item["recent_exits"]
        ended = {name: _last_exit(one) for name, one in zip(_EXITS, exits, strict=False)}
        said = ("", *ended.values())  # why it ended is not told twice
        fields = {
            **{name: None if value in said else value for name, value in cells.items()},
            "failed lately": item["failed_lately"] or None,
            **ended,
        }
        click.echo("\n" if item is not found[0] else "", nl=False)
        print_whole(fields)
        if exits and exits[0]["evidence"]:
            print_block("evidence of the last exit", exits[0]["evidence"])
        if exits and exits[0]["output"]:
            print_block("output before the last exit", exits[0]["output"])


def _are_of_several_hosts(items: Sequence[Mapping[str, Any]]) -> bool:
    return len({item["host"] for item in items}) > 1


def _cells(item: Mapping[str, Any]) -> dict[str, object]:
    """Return what the columns show, by their names in small letters."""
    job, cpu = item["job"], item["cpu_percent"]
    last_exit = _told_exit(item)
    others = item["jobs_in_progress"] - 1
    why = item["reason"] or (_last_exit(last_exit) if last_exit else "")
    if item["drained"] is not None or item["scaled"] is not None:
        why = _asked(item)
    starts, ends = _left(item)
    beat_s = item["heartbeat_age_s"]
    if item["silent"]:  # its state stays `ready` until it is dead
        why = f"no heartbeat for {duration(beat_s)}" + (f"; {why}" if why else "")
    why = f"degraded: {why}" if item["degraded"] else why
    more = f" (+{others})" if others > 0 else ""
    return {
        "host": item["host"],
        "slot": item["slot"],
        "state": item["state"],
        "pid": item["pid"],
        "job": f"{job.id} {job.type}{more}" if job else None,
        "beat": duration(beat_s),
        "cpu": None if cpu is None else f"{cpu:.1f} %",
        "memory": mebibytes(item["rss_bytes"]),
        "done": item["jobs_done"] if item["pid"] and item["role"] == Role.WORKER else None,
        "up": duration(item["uptime_s"]),
        "restarts": item["restarts"],
        "why": "; ".join(filter(None, (starts, why, ends))),
    }


def _left(item: Mapping[str, Any]) -> tuple[str, str]:
    """Say when a slot is started, or how long its process may still run its job or be unready.

    The start comes first: it tells whether anybody must act, and the end may be cut.
    """
    if not _is_to_come(item["until"]):
        return "", ""
    if item["state"] in (SlotState.BACKOFF, SlotState.FATAL):
        return f"is started {ago(item['until'])}", ""
    if item["state"] == SlotState.STARTING:
        return "", f"is stopped {ago(item['until'])} if it is not ready by then"
    running = min(item["jobs_in_progress"], 1 if item["runs_alone"] else item["places"])
    jobs, run = ("jobs", "they still run") if running > 1 else ("job", "it still runs")
    told = f"releases its {jobs} {ago(item['until'])} if {run} by then"
    return "", told if _releases(item) else ""


def _is_to_come(moment: str | None) -> bool:
    return moment is not None and datetime.fromisoformat(moment) >= datetime.now(UTC)


def _releases(item: Mapping[str, Any]) -> bool:
    """Return whether it ends, and at a known time takes away what it still runs."""
    return bool(item["job"]) and item["state"] not in _NOT_ENDING and _is_to_come(item["until"])


def to_be_released(store: Store, workers: Sequence[Worker]) -> dict[int, str]:
    """Return the jobs of workers that end, and when each is taken away.

    With one place, only its first job runs; others are prefetched.
    """
    found: dict[int, str] = {}
    for one in workers:
        if one["incarnation"] and one["job"] and one["until"] and _releases(one):
            told = f"released {ago(one['until'])} if it still runs by then"
            is_alone = one["places"] < 2
            run = [one["job"].id] if is_alone else store.leases.jobs_of(one["incarnation"])
            found |= dict.fromkeys(run, told)
    return found


def _told_exit(item: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the exit to show: not an old one of a ready slot, none while a process is ending."""
    last_exit: Mapping[str, Any] | None = _last_failure(item) or item["last_exit"]
    if last_exit is None or item["state"] in (SlotState.DRAINING, SlotState.STOPPING):
        return None
    since = datetime.now(UTC) - timedelta(seconds=FAILURES_WITHIN_S)
    is_old = datetime.fromisoformat(last_exit["at"]) < since
    return None if is_old and item["state"] == SlotState.READY else last_exit


def _last_failure(item: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return how it failed, if it did lately: a planned end since does not hide it."""
    failed = (one for one in item["recent_exits"] if one["failed"])
    return next(failed, None) if item["last_failure"] else None


def _asked(item: Mapping[str, Any]) -> str:
    """Say who drained a slot or scaled it away; anything wrong with it comes first."""
    what = "drained" if item["drained"] is not None else "scaled away"
    by = f"{what} by {paused_by(item['drained'] or item['scaled'])}"
    is_as_meant = item["state"] in (SlotState.DRAINING, SlotState.DOWN) and not item["degraded"]
    return by if is_as_meant or not item["why"] else f"{item['why']}; {by}"


def _last_exit(last_exit: Mapping[str, Any]) -> str:
    """Say how a process ended: when and why come first, as a narrow terminal cuts the end."""
    lived, jobs = duration(last_exit["uptime_s"]), last_exit["jobs"]
    ran = f", in job {jobs[0]}" if len(jobs) == 1 else f", in {len(jobs)} jobs" if jobs else ""
    reason, at = last_exit["reason"], ago(last_exit["at"])
    what = f"{at}: {reason}" if sys.stdout.isatty() else f"{reason} at {at}"
    return f"{what}, after {lived}{ran}"
