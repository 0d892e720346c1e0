"""How much of a program's output is printed."""

from typing import Any

import pytest

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.processes import Role
from orpheus.shared.process.own_record import own_record
from orpheus.shared.process.program_logs import LogFiles
from orpheus.shared.storage import Store
from orpheus.supervisor.cli import logs, program_output
from orpheus.supervisor.cli.program_output import print_output


@pytest.mark.parametrize(("count", "first"), [(0, 30), (1, 29), (7, 23), (25, 5), (99, 0)])
def test_the_newest_lines_are_printed_also_if_they_take_several_reads(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    count: int,
    first: int,
) -> None:
    monkeypatch.setattr(program_output, "_LINES_AT_ONCE", 10)
    log = LogFiles(store.state.program_log("web-1"), 10_000, 3)
    for number in range(30):
        log.write(f"2026-01-01T00:00:00.000Z stdout line {number}\n".encode())
    log.close()
    print_output(store, "web-1", None, count, None, as_json=False)
    printed = [line.split()[-1] for line in capsys.readouterr().out.splitlines()]
    assert printed == [str(number) for number in range(first, 30)]


def test_colours_are_left_out_and_no_other_escape_gets_through(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    log = LogFiles(store.state.program_log("web-1"), 10_000, 3)
    log.write(b"2026-01-01T00:00:00.000Z stdout \x1b[1;32mINFO\x1b[0m up \x1b[2J\x1b[\x1b[0m31m\n")
    log.close()
    print_output(store, "web-1", None, None, None, as_json=False)
    assert capsys.readouterr().out.endswith(r"INFO up \x1b[2J\x1b[31m" + "\n")
    print_output(store, "web-1", None, None, None, as_json=True)
    assert r"\u001b[1;32mINFO" in capsys.readouterr().out


def test_whoever_follows_what_nothing_can_add_to_is_told_that_nothing_runs(
    orpheus: Any, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(program_output, "wait", interrupt)
    monkeypatch.setattr(logs, "wait_for_change", interrupt)
    log = LogFiles(store.state.program_log("web-1"), 10_000, 3)
    log.write(b"2026-01-01T00:00:00.000Z stdout up\n")
    log.close()
    store.jobs.submit(NewJob("count", "{}"))
    nothing = "nothing runs; `orpheus` starts it\n"
    assert orpheus("logs", "web-1", "-f").err == nothing
    assert orpheus("logs", "1", "-f").err == f"job 1 (pending) has written nothing yet\n{nothing}"
    assert orpheus("logs", "web-1").err == ""
    boss = own_record(store.clock, "host-1", Role.SUPERVISOR, "supervisor", "boss", ready=True)
    store.processes.register(boss)
    assert orpheus("logs", "web-1", "-f").err == ""

    monkeypatch.setattr(logs, "_LOOK_EVERY_S", 0)
    for followed in ("web-1", "1"):
        steps = iter([lambda: store.processes.forget("boss"), lambda: None, interrupt])
        monkeypatch.setattr(program_output, "wait", lambda *_, steps=steps: next(steps)())
        monkeypatch.setattr(logs, "wait_for_change", lambda *_, steps=steps: next(steps)())
        told = orpheus("logs", followed, "-f").err
        assert told.count(nothing) == 1, "it ended meanwhile"
        store.processes.register(boss)
