"""A real web server as a program: ready, killed, hung, drained, restarted, scaled, read."""

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from orpheus.supervisor.__main__ import run
from tests.integration.programs.conftest import Programs, free_port, program, shell
from tests.machine import wait_until

Start = Callable[..., Programs]
GROWS_ONCE = """
import pathlib, time
grow = pathlib.Path("{}") / "grow"
while not grow.exists():
    time.sleep(0.2)
grow.unlink()
x = bytearray(300_000_000)
time.sleep(600)
"""


def noted(notes: Path, name: str) -> tuple[str, ...]:
    """A program that notes when it starts, and when it ends."""
    end = f"trap 'kill $!; sleep 0.3; echo -{name} >> {notes}; exit' TERM"
    return shell(f"{end}; sleep 0.3; echo +{name} >> {notes}; echo up; sleep 600 & wait")


def test_programs_start_in_their_order_are_kept_alive_and_read_and_stop_in_reverse(
    programs: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes, port, up = tmp_path / "notes", free_port(), {"line": "up"}
    url = f"http://127.0.0.1:{port}/"
    serve = (sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", str(port))
    alive = {"http": url, "every": "200ms", "failures": 2}
    says = shell('printf "one\\ntwo\\n"; echo bad >&2; printf rest; exec sleep 600')
    says_more: dict[str, Any] = {"ready": {"line": "^two$"}, "instances": 2, "stop_timeout": "7s"}
    running = programs(
        [
            program("first", *noted(notes, "first"), ready=up, after=["second", "beside"]),
            program("second", *noted(notes, "second"), ready=up, after=["last"]),
            program("beside", *noted(notes, "beside"), ready=up, after=["last"]),
            program("last", *noted(notes, "last"), ready=up),
            program("web", *serve, ready={"http": url}, alive=alive),
            program("late", "sleep", "600", after=["web"]),
            program("p", *says, **says_more),
            program("big", sys.executable, "-c", GROWS_ONCE.format(tmp_path), max_memory_mb=150),
        ]
    )
    started = notes.read_text().split()
    assert (started[0], started[-1], len(started)) == ("+last", "+first", 4)
    a_web_server_is_kept_alive(running)
    output_is_read_over_http_and_on_the_command_line(running, capsys)
    a_program_that_grows_is_restarted(running, tmp_path)
    assert running.system.stop() == 0
    stopped = notes.read_text().split()[4:]
    assert (stopped[0], stopped[-1], len(stopped)) == ("-first", "-last", 4)


def a_web_server_is_kept_alive(running: Programs) -> None:
    first = running.slot("web-1")
    assert (first["role"], first["pool"], first["state"]) == ("program", "web", "ready")
    assert running.system.get("/readyz")["checks"]["programs"]["status"] == "ok"
    late = running.slot("late-1")
    assert late["uptime_s"] <= first["uptime_s"]

    running.kill("web-1")
    second = running.until("web-1", "ready", not_pid=first["pid"])
    assert second["last_exit"]["signal"] == "SIGKILL"
    assert running.slot("late-1")["pid"] == late["pid"]

    running.kill("web-1", signal.SIGSTOP)
    third = running.until("web-1", "ready", not_pid=second["pid"])
    reason = third["last_exit"]["reason"]
    assert reason.startswith("2 checks in a row failed (alive): no answer within 1 s")

    running.ask("/workers/web-1/drain")
    assert running.until("web-1", "down")["reason"] == "drained by api:127.0.0.1"
    running.ask("/workers/web-1/restart")
    running.until("web-1", "ready")
    assert running.system.client.get("/workers/web-1/stack").status_code == 409


def output_is_read_over_http_and_on_the_command_line(
    running: Programs, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = {one["name"]: one for one in running.system.get("/workers?pools=true")["programs"]}
    assert (shown["p"]["workers"], shown["p"]["finishes_within_s"]) == (2, 7.0)
    running.until_printed("p-1", "bad")
    lines = running.lines("p-1")
    assert sorted((one["stream"], one["line"]) for one in lines if one["stream"] != "orpheus") == [
        ("stderr", "bad"), ("stdout", "one"), ("stdout", "two"),
    ]  # fmt: skip
    ids = [one["id"] for one in lines]
    assert ids == sorted(set(ids))
    assert running.lines("p-1", f"?after={ids[1]}") == lines[2:]
    assert running.lines("p-1", "?limit=1") == lines[-1:]
    assert running.lines("p-1", f"?after={ids[-1]}") == []

    url = f"database.url=sqlite:///{running.system.database}"
    assert run(["logs", "p-1", "--json", "--set", url]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == lines

    assert run(["programs", "--set", url]) == 0
    slots = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert slots[0] == "SLOT"
    assert [one for one in slots if one.startswith("p-")] == ["p-1", "p-2"]
    assert running.system.client.get("/programs/p-3/logs").status_code == 404
    assert running.system.client.get("/programs/default-1/logs").status_code == 409


def test_a_save_touches_only_the_programs_that_it_names(programs: Start, tmp_path: Path) -> None:
    variables = tmp_path / "env"
    variables.write_text("FROM_FILE=1\nOWN=that of the file\n")
    script = 'echo "$FROM_FILE $OWN $PROGRAM_SLOT $1"; exec sleep 600'

    def entries(own: str, stop: str = "5s", **of_c: Any) -> str:
        return "".join(
            [
                "[pools.default]\nworkers = 1\n",
                program("a", *shell(script), "x", "{instance}", env={"OWN": own},
                        env_file=str(variables), instances=2),
                program("b", "sleep", "600", stop_timeout=stop),
                program("c", *shell("exit 0"), restart="never", **of_c),
            ]
        )  # fmt: skip

    running = programs([])
    running.save(entries("first"))
    wait_until(lambda: {"a-1", "a-2", "b-1"} <= running.ready(), "the programs")
    running.until("c-1", "down")
    assert running.until_printed("a-2", "1 first a-2 2") == ["1 first a-2 2"]
    before = running.pids()

    running.save(entries("second", stop="6s", env={"CHANGED": "1"}))
    wait_until(lambda: "1 second a-2 2" in running.printed("a-2"), "the new variable")
    wait_until(lambda: {"a-1", "a-2", "b-1"} <= running.ready(), "the programs")
    after = running.pids()
    assert {name for name in before if before[name] != after[name]} == {"a-1", "a-2"}
    wait_until(lambda: running.slot("c-1")["restarts"] == 1, "c, whose settings have changed")

    variables.write_text("FROM_FILE=2\n")
    running.signal(signal.SIGHUP)
    wait_until(lambda: "2 second a-1 1" in running.printed("a-1"), "the new file of variables")
    assert running.pids()["b-1"] == before["b-1"]

    running.ask("/pools/a/scale", {"workers": 0})
    wait_until(lambda: not any(name.startswith("a-") for name in running.pids()), "no a")
    running.ask("/pools/a/scale", {"workers": 3})
    running.until("a-3", "ready")
    running.save(program("b", "sleep", "600", stop_timeout="6s", after=["b"]))
    wait_until(lambda: "a circle: 'b' after 'b'" in running.slot("supervisor")["reason"], "the no")
    running.save("[pools.default]\nworkers = 1\n" + program("b", "sleep", "600"))
    wait_until(lambda: set(running.pids()) == {"api", "supervisor", "default-1", "b-1"}, "the rest")
    assert running.pids()["b-1"] == before["b-1"]
    assert running.system.stop() == 0


def a_program_that_grows_is_restarted(running: Programs, folder: Path) -> None:
    slot = running.until("big-1", "ready")
    (folder / "grow").touch()
    found = running.until("big-1", "ready", not_pid=slot["pid"])
    assert "MiB" in found["last_exit"]["reason"]
    assert not psutil.pid_exists(slot["pid"])
