"""`orpheus logs`: of a job, and of a program's slot."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.jobs import NewJob, NewLine
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.process.program_logs import LogFiles
from orpheus.shared.storage import Store
from tests.unit.supervisor.cli.conftest import WORKER

Orpheus = Callable[..., Any]
InBackground = Callable[[Callable[[Store], None]], threading.Thread]


def texts(out: str) -> list[str]:
    return [json.loads(line)["line"] for line in out.splitlines()]


def test_a_log_is_printed_and_followed_to_the_end_of_the_job(
    orpheus: Orpheus, store: Store, in_background: InBackground
) -> None:
    store.jobs.submit(NewJob("count"))
    (lease,) = store.leases.lease(WORKER, ("*",), 1, 30_000)
    assert "job 1 has written no log" in orpheus("logs", "1").err
    first = NewLine(0, "info", "\x1b[1mfirst\x1b[0m\x1b[2J", '{"path": "a b"}')
    store.logs.append(1, lease.token, 1, [first])
    assert '#1 info    first\\x1b[2J path="a b"\n' in orpheus("logs", "1").out

    def work(other: Store) -> None:
        other.logs.append(1, lease.token, 1, [NewLine(1, "warning", "second")])
        threading.Event().wait(0.2)
        other.logs.append(1, lease.token, 1, [NewLine(2, "info", "last")])
        other.leases.finish([Finished(lease, Ending.SUCCEEDED, "1")])

    worker = in_background(work)
    out = orpheus("logs", "1", "--follow", "--json").out
    worker.join()
    assert texts(out)[1:] == ["second", "last"]


@pytest.fixture
def program(store: Store) -> LogFiles:
    """The output of a program: 30 lines."""
    log = LogFiles(store.state.program_log("web-1"), 10_000, 3)
    for number in range(29):
        log.write(f"2026-01-01T00:00:00.000Z stdout line {number}\n".encode())
    log.write(b"2026-01-01T00:00:00.000Z stderr \x1b[1;32mINFO\x1b[0m up \x1b[2J\n")
    return log


@pytest.mark.usefixtures("program")
def test_the_newest_lines_of_a_program_are_printed(orpheus: Orpheus) -> None:
    lines = orpheus("logs", "web-1").out.splitlines()
    assert len(lines) == 30
    assert lines[-1].endswith(r" ! INFO up \x1b[2J")
    assert lines[0].endswith("  line 0")
    assert texts(orpheus("logs", "web-1", "--json").out)[28] == "line 28"
    assert "there is no program 'api-9'" in orpheus("logs", "api-9").err


def test_what_a_program_writes_later_is_followed_until_ctrl_c(
    orpheus: Orpheus, program: LogFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = iter([lambda: program.write(b"2026-01-01T00:00:00.000Z stdout later\n"), None])

    def pause(_: float) -> None:
        if (step := next(steps)) is None:
            raise KeyboardInterrupt
        step()

    monkeypatch.setattr("time.sleep", pause)
    code, out, _ = orpheus("logs", "web-1", "-f")
    assert (code, out.count("\n")) == (0, 32)
    assert out.splitlines()[30].endswith("  later")
