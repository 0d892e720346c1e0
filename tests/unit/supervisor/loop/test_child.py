"""What a handle does with its process."""

import os
import subprocess
from pathlib import Path

from orpheus.shared.process.channel import Channel
from orpheus.supervisor.loop.child import ChildHandle


def test_a_process_is_reaped_though_its_files_cannot_be_deleted(tmp_path: Path) -> None:
    """The folder may be read-only by now; the exit must become known all the same."""
    undeletable, stacks = tmp_path / "crash", tmp_path / "stacks"
    undeletable.mkdir()
    stacks.touch()
    ours, theirs = Channel.pair()
    theirs.close()
    process = subprocess.Popen(["true"], start_new_session=True)
    ChildHandle(
        incarnation="life-1",
        pid=process.pid,
        started_at_ms=0,
        pidfd=os.pidfd_open(process.pid),
        channel=ours,
        _process=process,
        _cell_file=tmp_path / "cell",
        _crash_file=undeletable,
        _stack_file=stacks,
    ).reap()
    assert process.returncode is not None
    assert not stacks.exists()
