"""Runs the command line in this process, on a real database in a directory of its own."""

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orpheus.shared.domain.jobs import Holder, JobError
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.process.own_record import own_record
from orpheus.shared.storage import Store, TypeRow, open_store
from orpheus.supervisor import __main__ as program
from orpheus.supervisor.linux.signals import HANDLED
from tests.databases import make_database
from tests.slot_rows import slot

URL = "sqlite:///data/orpheus.db"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d"
"""A time as a table in a pipe has it."""
WORKER = Holder("default-1", "incarnation", 7)


class Answer(NamedTuple):
    """What a command returned and printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Orpheus = Callable[..., Answer]


@pytest.fixture
def orpheus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Orpheus]:
    """Runs `orpheus ARGUMENTS…` in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ORPHEUS_CONFIG", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    handlers = {number: signal.getsignal(number) for number in HANDLED}

    def run(*arguments: str) -> Answer:
        code = program.run(arguments)
        return Answer(code, *capsys.readouterr())

    yield run
    signal.set_wakeup_fd(-1)  # a start handles signals
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def store(orpheus: Orpheus) -> Iterator[Store]:
    """The database `orpheus` opens, with two job types."""
    make_database(URL)
    store = open_store(URL)
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 0}, "text": {"type": "string"}},
        "additionalProperties": False,
    }
    store.types.replace(
        [
            TypeRow("count", json.dumps(schema | {"required": ["n"]}), None, None, None, "Counts."),
            TypeRow("words", json.dumps(schema), 5, 30.0, "mail", ""),
        ]
    )
    yield store
    store.close()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets the output be a terminal of so many columns, without colours."""

    def be(columns: int) -> None:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("NO_COLOR", "1")

    return be


@pytest.fixture
def supervised(store: Store) -> Store:
    """A database beside a supervisor with two workers, one of which is fatal."""
    boss = own_record(store.clock, "host-1", Role.SUPERVISOR, "supervisor", "boss", ready=True)
    store.processes.register(boss)
    fatal = slot("default-2", SlotState.FATAL, pid=None, incarnation=None, reason="no module")
    names = ("supervisor", "api", "default-1")
    store.processes.put_slots([*(slot(name, SlotState.READY) for name in names), fatal])
    return store


@pytest.fixture
def finish() -> Callable[..., None]:
    """Runs the next due job of a store, in no time."""

    def run(store: Store, ending: Ending = Ending.SUCCEEDED, error: JobError | None = None) -> None:
        (lease,) = store.leases.lease(WORKER, ("*",), 1, 30_000)
        result = '{"sum":3}' if ending is Ending.SUCCEEDED else None
        store.leases.finish([Finished(lease, ending, result, error)])

    return run


@pytest.fixture
def in_background() -> Callable[[Callable[[Store], None]], threading.Thread]:
    """Starts a thread that does something on a store of its own while a command waits."""

    def start(work: Callable[[Store], None]) -> threading.Thread:
        def run() -> None:
            store = open_store(URL)
            try:
                work(store)
            finally:
                store.close()

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    return start
