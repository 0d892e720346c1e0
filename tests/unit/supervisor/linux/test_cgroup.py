"""Which deaths by SIGKILL the kernel caused, because memory ran out."""

from pathlib import Path

import pytest

from orpheus.supervisor.linux import cgroup
from orpheus.supervisor.linux.cgroup import OutOfMemoryKills, oom_kills


def test_the_count_is_that_of_our_own_cgroup(tmp_path: Path) -> None:
    assert oom_kills(tmp_path) is None, "there is no /proc"
    own, events = tmp_path / "proc/self/cgroup", tmp_path / "sys/fs/cgroup/system.slice/x"
    own.parent.mkdir(parents=True)
    events.mkdir(parents=True)
    own.write_text("4:memory:/jobs\n0::/system.slice/x\n")
    assert oom_kills(tmp_path) is None, "it has no memory controller"
    (events / "memory.events").write_text("low 0\noom 3\n")
    assert oom_kills(tmp_path) is None, "an older kernel does not count"
    (events / "memory.events").write_text("low 0\noom 3\noom_kill 2\n")
    assert oom_kills(tmp_path) == 2


def test_a_kill_is_attributed_to_an_exit_soon_after_it_and_to_none_of_the_next_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kernel may have killed what a job had started: no child of ours ended then."""
    killed = 3
    monkeypatch.setattr(cgroup, "oom_kills", lambda: killed)
    kills = OutOfMemoryKills()
    assert kills.take_one(0.0) is False
    killed = 5
    kills.look(3.0)
    assert [kills.take_one(now_s) for now_s in (4.0, 5.0, 6.0)] == [True, True, False]
    killed = 6
    kills.look(10.0)
    for now_s in (86_000.0, 86_001.0):
        assert kills.take_one(now_s) is False
