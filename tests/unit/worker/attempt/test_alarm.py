"""The timer of an alarm does not outlive its process's handler."""

import subprocess
import sys

ENDS_WITH_A_DISARMED_ALARM = """
import atexit, signal, time
from orpheus.worker.attempt.alarm import Alarm

atexit.register(lambda: print(signal.getitimer(signal.ITIMER_REAL)[0]))  # runs last
alarm = Alarm()
alarm.arm(time.monotonic(), 60)
alarm.disarm()
assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
"""


def test_a_timer_that_was_disarmed_does_not_kill_a_worker_that_exits() -> None:
    """Python gives SIGALRM its default action back while it exits: to kill the process."""
    run = subprocess.run(
        [sys.executable, "-c", ENDS_WITH_A_DISARMED_ALARM],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "0.0\n", "")
