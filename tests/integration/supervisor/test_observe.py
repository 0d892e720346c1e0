"""What the supervisor observes of a real process."""

import subprocess
from types import SimpleNamespace
from typing import cast

from orpheus.supervisor.linux.process_handle import ProcessHandle
from orpheus.supervisor.linux.sampling import sample
from orpheus.supervisor.loop.observe import observe
from orpheus.supervisor.policy.slot import Observation, OsStatus
from tests.machine import freeze


def test_a_silent_process_is_seen_stopped_though_its_last_sample_is_older() -> None:
    with subprocess.Popen(["sleep", "600"]) as child:
        last = sample(child.pid)
        freeze(child.pid)
        handle = SimpleNamespace(
            pid=child.pid,
            peek_exit=lambda: None,
            messages=lambda **_: [],
        )
        seen = [
            observe(
                cast("ProcessHandle", handle),
                Observation("incarnation"),
                sample=last,
                row_beat=None,
                supervisor_writes=True,
                holder=None,
                is_silent=is_silent,
                serves=True,
                killed_for_memory=lambda: None,
            ).os_status
            for is_silent in (False, True)
        ]
        child.kill()
    assert seen == [last.os_status, OsStatus.STOPPED]
