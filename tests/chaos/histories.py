"""The histories that a chaos run keeps, each without the help of the others.

The client's log of requests and answers (as the simulation's, with every answer), the effect log
that handlers append to, the events that a subscriber was sent, and a look at the processes. Times
are of the monotonic clock, which all processes share.
"""

import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import apsw
import psutil

from orpheus.shared.process.child_start import INCARNATION_VARIABLE
from tests.machine import processes_with, zombies_of
from tests.simulation import histories
from tests.simulation.histories import Fold, Request
from tests.simulation.world import SimulatedClock, Tables

MARK = "UNDER_TEST"

__all__ = ["Request"]


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` None: none came (a time-out, a broken connection)."""

    path: str
    status: int | None
    at_ns: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Cancel:
    """A cancel that was answered 200: the job ended there and then."""

    job_id: int
    at_ns: int


@dataclass(slots=True)
class ClientLog(histories.ClientLog):
    """Every request and every answer, in the order in which they came."""

    answers: list[Answer] = field(default_factory=list)
    cancels: list[Cancel] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Several clients write in it."""


@dataclass(slots=True)
class Run:
    """A handler's code, from its first line to its last; `end_ns` None: it never got there."""

    job_id: int
    attempt: int
    pid: int
    incarnation: str
    begin_ns: int
    end_ns: int | None = None


def read_effects(file: Path, *, forgets: bool = False) -> list[Run]:
    """The runs that the effect log tells of, in the order in which they began.

    `forgets`: the database may have lost an attempt, and so its number may be given again.
    """
    runs: list[Run] = []
    newest: dict[tuple[int, int, int], Run] = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        told = json.loads(line)
        key = (told["job"], told["attempt"], told["pid"])
        if told["what"] == "begin":
            is_new = key not in newest or (forgets and newest[key].end_ns is not None)
            histories.check(is_new, "I3 an attempt was begun twice", told)
            newest[key] = Run(*key, told["incarnation"], told["at_ns"])
            runs.append(newest[key])
        else:
            newest[key].end_ns = told["at_ns"]
    return runs


def fold_events(events: list[tuple[Any, ...]], tables: Tables, *, clock_error_ms: int = 0) -> Fold:
    """The events (seq, at_ms, kind, job_id, body), each checked as it is folded."""
    ended = tables.look(
        "SELECT job_id, number, finished_at_ms FROM attempts WHERE finished_at_ms IS NOT NULL"
    )
    fold = Fold(
        SimulatedClock(),
        ended_ms={(job_id, n): at_ms for job_id, n, at_ms in ended},
        clock_error_ms=clock_error_ms,
    )
    for event in events:
        fold.take(*event)
    return fold


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the run as the kernel shows it."""

    pid: int
    parent: int
    incarnation: str
    status: str
    command: str
    fds: int


def processes_of(mark: str) -> list[psutil.Process]:
    """Every living process that was started, directly or not, with this mark in its environment."""
    return processes_with(MARK, mark)


def look_at_processes(mark: str, supervisor_pid: int) -> list[Process]:
    """What lives, and the zombies that the supervisor has not reaped."""
    found = [_process(one) for one in processes_of(mark)]
    zombies = [
        Process(one.pid, supervisor_pid, "", psutil.STATUS_ZOMBIE, "", 0)
        for one in zombies_of(supervisor_pid)
    ]
    return [one for one in found if one is not None] + zombies


def _process(process: psutil.Process) -> Process | None:
    try:
        return Process(
            process.pid,
            process.ppid(),
            process.environ().get(INCARNATION_VARIABLE, ""),
            process.status(),
            " ".join(process.cmdline()),
            process.num_fds(),
        )
    except psutil.Error:  # it has just ended
        return None


class Look:
    """A database, read past the store, by a connection that is closed at the end of a `with`."""

    def __init__(self, database: Path) -> None:
        self._connection = apsw.Connection(str(database))
        self._connection.set_busy_timeout(5_000)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def look(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query, as committed."""
        return self._connection.execute(sql, values).fetchall()


@dataclass(slots=True)
class Evidence:
    """All that is known of a run once it has healed and drained."""

    tables: Tables
    events: list[tuple[Any, ...]]
    clients: ClientLog
    runs: list[Run]
    seen_seqs: list[int]
    """The events that a subscriber was sent, across its reconnects."""
    processes: list[Process]
    expected: dict[str, tuple[int, str]]
    """Slot -> pid and incarnation of what should live, the supervisor apart."""
    supervisor_pid: int
    supervisor_fds: int
    """How many it had when it was ready for the first time."""
    log: str
    secret: str
    wal_bytes: int
    drained_s: float
    drain_bound_s: float
