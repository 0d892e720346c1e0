"""A child that speaks the control channel and misbehaves as its arguments say."""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from orpheus.shared.process.child_start import ChildStart, enter_child

BEAT_S = 0.05


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("behaviour")
    parser.add_argument("--control-fd", type=int, required=True)
    arguments = parser.parse_args()
    globals()[arguments.behaviour](enter_child(arguments.control_fd))


def well(start: ChildStart, *, beats: float = 1e9, loops: float = 1e9) -> None:
    """Ready, beats, drains when told, exits when stopped or orphaned."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    say_ready(start)
    live(start, beats=beats, loops=loops)


def live(start: ChildStart, *, beats: float = 1e9, loops: float = 1e9) -> None:
    number = 0
    while not start.channel.closed:
        number += 1
        if number <= beats:
            beat(start, number, min(number, int(min(loops, 1e9))))
        if {"do": "drain"} in start.channel.receive():
            sys.exit(0)
        time.sleep(BEAT_S)


def say_ready(start: ChildStart) -> None:
    start.channel.send({"say": "ready"})


def beat(start: ChildStart, number: int, loop: int, job: dict[str, object] | None = None) -> None:
    start.channel.send(
        {
            "say": "beat",
            "beat": number,
            "loop": loop,
            "job": job,
            "jobs_done": 0,
            "database_ok": True,
        }
    )


def crashes_at_start(_: ChildStart) -> None:
    sys.exit(1)


def cannot_be_configured(start: ChildStart) -> None:
    start.channel.send({"say": "failed", "reason": "no module named jobs"})
    sys.exit(78)


def is_slow_to_start(_: ChildStart) -> None:
    time.sleep(1_000)


def stops_beating(start: ChildStart) -> None:
    well(start, beats=3)


def main_loop_hangs(start: ChildStart) -> None:
    well(start, loops=3)


def job_never_ends(start: ChildStart) -> None:
    say_ready(start)
    for number in range(1, 1_000_000):
        deadline_s = 0.3 - number * BEAT_S
        job = {"id": 7, "type": "sleep", "elapsed_s": 1.0, "hard_deadline_in_s": deadline_s}
        beat(start, number, 1, job)
        time.sleep(BEAT_S)


def ignores_term(start: ChildStart) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say_ready(start)
    live(start)


def ignores_everything(start: ChildStart) -> None:
    """As the worst handler would: nothing but SIGKILL ends it, not even its supervisor's death."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGABRT, signal.SIG_IGN)
    say_ready(start)
    live(start)
    time.sleep(1_000)


def gives_up_when_it_is_told_to(start: ChildStart) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say_ready(start)
    for number in range(1, 1_000_000):
        beat(start, number, number)
        for message in start.channel.receive():
            if message["do"] == "stop":
                time.sleep(message["within_s"])
                sys.exit(4)
        time.sleep(BEAT_S)


def leaves_children(start: ChildStart) -> None:
    """One in its own group, one that escaped it; both hold its output open."""
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)"
    subprocess.Popen([sys.executable, "-c", code])
    subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    well(start)


def wants_to_be_replaced(start: ChildStart) -> None:
    say_ready(start)
    beat(start, 1, 1)
    start.channel.send({"say": "recycle", "reason": "enough jobs"})
    live(start)


def grows(start: ChildStart) -> None:
    """To 80 MiB, and no further."""
    grown = bytearray(b"x") * (80 * 2**20)
    well(start)
    del grown


def holds_the_write_lock(start: ChildStart) -> None:
    """The first of all processes begins to write and never commits, but beats on."""
    import apsw

    cells = Path(start.handover["crash_file"]).parent
    connection = apsw.Connection(str(cells).removesuffix("-cells"))
    connection.set_busy_timeout(5_000)
    with contextlib.suppress(FileExistsError):
        (cells / "somebody-held-it").touch(exist_ok=False)
        connection.execute("BEGIN IMMEDIATE")
        sys.stderr.write("holds it\n")
    well(start)


def floods_its_channel(start: ChildStart) -> None:
    """Three threads write without pause; the supervisor's end is never empty."""
    start.channel.send({"say": "ready"})
    line = json.dumps({"say": "beat", "nonsense": "x" * 100}).encode() + b"\n"
    fd = start.channel.fileno()
    os.set_blocking(fd, True)

    def flood() -> None:
        while True:
            os.write(fd, line * 500)

    for _ in range(3):
        threading.Thread(target=flood, daemon=True).start()
    time.sleep(1_000)


def crashes_in_c(start: ChildStart) -> None:
    say_ready(start)
    beat(start, 1, 1)
    os.kill(os.getpid(), signal.SIGSEGV)


if __name__ == "__main__":
    main()
