"""A process that adopts what its children leave behind, and tells in JSON what it saw."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil

from orpheus.supervisor.linux.adoption import (
    become_subreaper,
    child_pids,
    kill_adopted,
    reap_adopted,
)

SLEEP = "env -i setsid sleep 1000"


def until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 20
    while not condition():
        if time.monotonic() > give_up_at:
            sys.exit("waited too long")
        time.sleep(0.005)


def leave_behind(count: int, command: str = SLEEP) -> set[int]:
    """Have a child start processes in the background and end; their pids, now our children."""
    before = child_pids()
    subprocess.run(["sh", "-c", f"{command} >/dev/null 2>&1 & " * count], check=True)
    until(lambda: len(child_pids() - before) == count)
    return child_pids() - before


def zombies() -> list[int]:
    return [pid for pid in child_pids() if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE]


def end(pids: set[int]) -> None:
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
            os.waitid(os.P_PID, pid, os.WEXITED)


def case_kill_adopted() -> dict[str, object]:
    """Three that sleep, and one that has a child in another session again."""
    with subprocess.Popen(["sleep", "1000"]) as own:
        escaped = leave_behind(3)
        parent = leave_behind(1, "env -i setsid sh -c 'setsid sleep 1000; true'").pop()
        until(lambda: len(psutil.Process(parent).children()) == 1)
        escaped |= {parent, psutil.Process(parent).children()[0].pid}
        killed = kill_adopted({own.pid})
        left = child_pids() - {own.pid}
        own_runs, again = own.poll() is None, kill_adopted({own.pid})
        own.kill()
    return {
        "escaped": sorted(escaped),
        "killed": killed,
        "left": sorted(left),
        "own_runs": own_runs,
        "again": again,
    }


def case_inherited() -> dict[str, object]:
    """What was our child before."""
    with subprocess.Popen(["sleep", "1000"]) as before:
        inherited = child_pids()
        killed = kill_adopted(inherited)
        before.kill()
    return {"inherited": sorted(inherited), "killed": killed}


def case_reap_adopted() -> dict[str, object]:
    """A child of ours that has ended, and foreign processes that end before and after it."""
    left = leave_behind(3, "env -i setsid true")
    until(lambda: set(zombies()) == left)
    with subprocess.Popen(["sh", "-c", "exit 7"]) as own:
        until(lambda: own.pid in zombies())
        more = leave_behind(3, "env -i setsid true")
        until(lambda: set(zombies()) == left | {own.pid} | more)
        reap_adopted({own.pid})
        own_code = own.wait(5)  # its handle takes it, then the rest is reaped in the next turn
    reap_adopted(())
    return {"zombies_left": len(zombies()), "own_code": own_code}


def case_foreign() -> dict[str, object]:
    """As PID 1 others' processes are handed to us, too."""
    adopted = leave_behind(2)
    killed = kill_adopted(())
    living = [pid for pid in adopted if pid not in zombies()]
    end(adopted)
    return {"adopted": living, "killed": killed}


if __name__ == "__main__":
    become_subreaper()
    told = globals()[f"case_{sys.argv[1]}"]()
    sys.stdout.write(json.dumps({"pid": os.getpid(), **told}))
