"""How programs end: each way has its state, its reason and its evidence, and leaves nothing."""

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tests.integration.programs.conftest import Programs, program, shell
from tests.machine import slowness, wait_until

Start = Callable[..., Programs]
QUICK = "[supervisor]\nrestart_backoff_max = '100ms'\ncrash_loop_failures = 3\n"
IMPATIENT = "[supervisor]\nstart_timeout = '8s'\n"
DEAF = "trap '' TERM; echo up; while :; do sleep 0.2; done"
FLOODS = """
import os, time
line = (b"x" * 99 + b"\\n") * 10_000
while not os.path.exists("{}"):
    os.write(1, line)
time.sleep(600)
"""
COUNTS = "i=0; while :; do i=$((i + 1)); echo $i; sleep 0.1; done"


def test_each_end_has_its_state_and_its_reason(programs: Start, tmp_path: Path) -> None:
    daemon = shell("sleep 600 & exit 0")
    running = programs(
        [
            QUICK,
            program("dies", *shell("echo why not >&2; exit 7"), ready={"line": "never"}),
            program("daemon", *daemon),
            program("done", *shell("exit 0"), restart="on-failure"),
            program("once", *shell("exit 9"), restart="never"),
            program("missing", str(tmp_path / "nothing-here")),
            program("nowhere", "true", cwd=str(tmp_path / "no-folder")),
            program("waits", "sleep", "600", after=["dies"]),
        ]
    )
    dies = running.until("dies-1", "fatal")
    assert dies["reason"] == "exit code 7 (3 failures within 180 s)"
    assert dies["last_exit"]["evidence"] == "why not"
    background = running.until("daemon-1", "fatal")
    assert "exited with code 0 (a program must stay in the foreground)" in background["reason"]
    done = running.until("done-1", "down")
    assert (done["degraded"], done["restarts"], done["ended"]) == (False, 0, True)
    assert 'restart = "on-failure" keeps it down' in done["reason"]
    once = running.until("once-1", "down")
    assert (once["degraded"], once["restarts"], once["ended"]) == (True, 0, False)
    assert once["reason"].startswith('exit code 9; restart = "never"')
    missing = running.until("missing-1", "fatal")
    assert "cannot run" in missing["last_exit"]["evidence"]
    assert "No such file or directory" in missing["last_exit"]["evidence"]
    nowhere = running.until("nowhere-1", "fatal")["last_exit"]["evidence"]
    assert "cannot change to" in nowhere and "no-folder" in nowhere
    waits = running.slot("waits-1")
    assert (waits["state"], waits["reason"]) == ("down", "waits for dies-1")

    running.ask("/workers/once-1/restart")
    wait_until(lambda: running.slot("once-1")["restarts"] == 1, "another try")
    assert running.system.stop() == 0


def one_that_is_not_ready_in_time_says_what_its_check_found(running: Programs) -> None:
    found = "(http://127.0.0.1:1/health?…: connection refused)"

    def is_told() -> bool:
        slot = running.system.workers().get("web-1", {"reason": "", "until": None})
        return slot["reason"] == f"not ready yet {found}" and slot["until"] is not None

    wait_until(is_told, "the check to be told")
    ended = wait_until(lambda: running.slot("web-1")["last_exit"], "its end")
    assert ended["reason"] == f"not ready within 8 s {found}; killed by SIGTERM"


def _words(file: Path) -> list[str]:
    return file.read_text().split() if file.exists() else []


def output_goes_on_after_the_process_that_keeps_it_has_died(running: Programs) -> None:
    pid = running.slot("count-1")["pid"]
    supervisor = psutil.Process(running.system.process.pid)
    running.until_printed("count-1", "3")
    [keeper] = [one for one in supervisor.children() if "output_process" in str(one.cmdline())]
    keeper.kill()
    running.until_printed("count-1", str(len(running.printed("count-1")) + 10))
    lines = running.lines("count-1", "?limit=1000")
    [begun, begun_again] = [one for one in lines if one["stream"] == "orpheus"]
    assert begun["line"] == f"process {pid} started"
    assert "lines may be missing" in begun_again["line"]
    before = [int(one["line"]) for one in lines if begun["id"] < one["id"] < begun_again["id"]]
    after = [int(one["line"]) for one in lines if one["id"] > begun_again["id"]]
    assert before == list(range(1, before[-1] + 1))
    # What it had read from the pipe and not written is lost with it.
    assert after == list(range(after[0], after[-1] + 1)) and after[0] > before[-1]
    assert running.slot("count-1")["pid"] == pid


def test_what_a_program_waits_for_is_told_its_output_survives_and_nothing_outlives_it(
    programs: Start, tmp_path: Path
) -> None:
    pids, note = tmp_path / "pids", tmp_path / "note"
    leaves = f"sleep 600 & echo $! >> {pids}; setsid sleep 601 & echo $! >> {pids}; wait"
    by_int = f"trap 'echo bye > {note}; exit 3' INT; echo up; while :; do sleep 0.4; done"
    asks = {"http": "http://127.0.0.1:1/health?key=secret"}
    running = programs(
        [
            IMPATIENT,
            program("web", "sleep", "600", ready=asks),
            program("parent", *shell(leaves)),
            program("p", *shell(by_int), ready={"line": "up"}, stop_signal="INT"),
            program("count", *shell(COUNTS)),
        ]
    )
    one_that_is_not_ready_in_time_says_what_its_check_found(running)
    output_goes_on_after_the_process_that_keeps_it_has_died(running)
    first = [
        int(pid) for pid in wait_until(lambda: len(_words(pids)) == 2 and _words(pids), "them")
    ]
    assert all(map(psutil.pid_exists, first))
    old = running.kill("parent-1")
    running.until("parent-1", "ready", not_pid=old)
    wait_until(lambda: not any(map(psutil.pid_exists, first)), "its family to be gone")
    running.until("p-1", "ready")
    assert running.system.stop() == 0
    assert note.read_text() == "bye\n"


def test_one_that_ignores_its_stop_signal_is_killed_and_none_outlives_a_killed_supervisor(
    programs: Start,
) -> None:
    scripts = {"obeys": "echo up; exec sleep 600", "deaf": DEAF}
    up: dict[str, Any] = {"ready": {"line": "up"}, "stop_timeout": "500ms"}
    running = programs([program(name, *shell(script), **up) for name, script in scripts.items()])
    pids = {}
    for name in scripts:
        old = running.slot(f"{name}-1")["pid"]
        running.ask(f"/workers/{name}-1/restart")
        again = running.until(f"{name}-1", "ready", not_pid=old)
        pids[name] = again["pid"]
        if name == "deaf":
            assert again["last_exit"]["reason"] == "not stopped within 0.5 s; killed"
    running.system.process.kill()
    running.system.process.wait()
    obeys = pids.pop("obeys")
    wait_until(lambda: not psutil.pid_exists(obeys), "it to be asked to stop by the kernel")
    running.system.process = running.system._start()
    left = list(pids.values())
    wait_until(lambda: not any(map(psutil.pid_exists, left)), "the other to be swept by the next")
    wait_until(lambda: running.system.log().count("Orpheus is running") == 2, "the next start")
    assert running.system.process.poll() is None
    running.system.process.terminate()
    assert running.system.process.wait(60) == 4


def test_a_flood_of_output_costs_nobody_else_anything(programs: Start, tmp_path: Path) -> None:
    enough = tmp_path / "enough"
    flood = FLOODS.format(enough)
    running = programs(
        [
            program("flood", sys.executable, "-c", flood, log_size="300KB", log_files=3),
            program("calm", "sleep", "600"),
        ]
    )
    folder = running.system.database.with_name("orpheus.db-programs") / "flood-1"
    # What was written since is three times what the files may hold.
    [first] = wait_until(lambda: running.lines("flood-1", "?limit=1"), "its first lines")

    def newest() -> int:
        return max((one["id"] for one in running.lines("flood-1", "?limit=1")), default=0)

    wait_until(lambda: newest() > first["id"] + 3_600_000, "the flood")

    def sizes_of_files() -> list[int]:
        with contextlib.suppress(FileNotFoundError):  # it was renamed meanwhile
            return [file.stat().st_size for file in folder.glob("*.log")]
        return []

    sizes = wait_until(sizes_of_files, "a look between two renamings")
    assert len(sizes) <= 4 and max(sizes) <= 300_000
    assert running.system.client.get("/readyz").status_code == 200
    calm = running.kill("calm-1")
    running.until("calm-1", "ready", not_pid=calm)
    gauges = running.system.client.get("/metrics").text
    [lag] = [line for line in gauges.splitlines() if line.startswith("orpheus_supervisor_loop_lag")]
    assert float(lag.split()[-1]) < 5 * slowness()
    wait_until(lambda: "x" * 99 in running.printed("flood-1"), "a whole line")
    enough.touch()
    assert running.system.stop() == 0
