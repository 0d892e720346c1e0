"""What the supervisor observes of a real process."""

import subprocess
from types import SimpleNamespace
from typing import cast

from orpheus.supervisor.linux.process_handle import ProcessHandle
from orpheus.supervisor.linux.sampling import Sampler, sample
from orpheus.supervisor.loop.observe import Observer
from orpheus.supervisor.policy.slot import OsStatus, Process, Rules
from orpheus.supervisor.recorder import Recorder
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
        sampler = SimpleNamespace(latest={"incarnation": last}, holder=None)
        recorder = SimpleNamespace(row_beats={}, can_write=lambda: True)
        observer = Observer(cast("Sampler", sampler), cast("Recorder", recorder))
        process, rules = Process("incarnation", 0.0, ready_s=0.0), Rules()
        seen = [
            observer.observe(
                cast("ProcessHandle", handle), process, rules, now_s, serves=True
            ).os_status
            for now_s in (0.0, rules.beat_timeout_s)
        ]
        child.kill()
    assert seen == [last.os_status, OsStatus.STOPPED]
