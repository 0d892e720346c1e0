"""The kernel's count of OOM kills, in trees made for the test."""

from itertools import count
from pathlib import Path

import pytest

from orpheus.supervisor.linux import cgroup
from orpheus.supervisor.linux.cgroup import (
    OutOfMemoryKills,
    cgroup_folder,
    memory_cgroup,
    oom_kills,
    parse_count,
)

V2_MOUNTS = """\
24 1 254:0 / / rw,relatime - ext4 /dev/vda rw
31 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate
"""
V1_MOUNTS = """\
34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
V2_EVENTS = "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n"
V1_CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n"


def make_tree(root: Path, cgroups: str, mounts: str, files: dict[str, str]) -> Path:
    own = root / "proc" / "self"
    own.mkdir(parents=True)
    (own / "cgroup").write_text(cgroups)
    (own / "mountinfo").write_text(mounts)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(text)
    return root


def test_the_count_is_read_in_a_unified_hierarchy(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/system.slice/orpheus.service/memory.events": V2_EVENTS}
    root = make_tree(tmp_path, "0::/system.slice/orpheus.service\n", V2_MOUNTS, files)
    assert oom_kills(root) == 2


def test_the_count_is_read_in_a_hierarchy_of_memory_alone(tmp_path: Path) -> None:
    cgroups = "5:cpuset:/other\n4:memory:/jobs\n1:name=systemd:/\n0::/\n"
    files = {"sys/fs/cgroup/memory/jobs/memory.oom_control": V1_CONTROL}
    assert oom_kills(make_tree(tmp_path, cgroups, V1_MOUNTS, files)) == 5


def test_the_count_grows(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/a/memory.events": V2_EVENTS}
    root = make_tree(tmp_path, "0::/a\n", V2_MOUNTS, files)
    assert oom_kills(root) == 2
    (root / "sys/fs/cgroup/a/memory.events").write_text("oom_kill 3\n")
    assert oom_kills(root) == 3


@pytest.mark.parametrize(
    ("cgroups", "mounts"),
    [("0::/\n", V2_MOUNTS), ("0::/a\n", ""), ("", V2_MOUNTS), ("3:cpu:/a\n", V1_MOUNTS)],
    ids=["topmost", "not mounted", "no cgroups", "no memory controller"],
)
def test_without_a_count_the_answer_is_none(tmp_path: Path, cgroups: str, mounts: str) -> None:
    assert oom_kills(make_tree(tmp_path, cgroups, mounts, {})) is None


def test_without_proc_the_answer_is_none(tmp_path: Path) -> None:
    assert oom_kills(tmp_path) is None


def test_an_older_kernel_has_no_count() -> None:
    assert parse_count("oom_kill_disable 0\nunder_oom 0\n") is None


def test_the_memory_hierarchy_comes_before_the_unified_one() -> None:
    assert memory_cgroup("4:cpu,memory:/a\n0::/b\n") == ("/a", False)
    assert memory_cgroup("0::/b\n") == ("/b", True)
    assert memory_cgroup("2:name=systemd:/strange:name\n") is None


def test_a_container_sees_its_part_of_the_tree_as_the_whole() -> None:
    mounts = "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
    assert str(cgroup_folder(mounts, "/docker/abc", v2=False)) == "/sys/fs/cgroup/memory"
    assert str(cgroup_folder(mounts, "/docker/abc/x", v2=False)) == "/sys/fs/cgroup/memory/x"
    assert cgroup_folder(mounts, "/docker/other", v2=False) is None


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


def test_the_count_is_read_every_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = count()
    monkeypatch.setattr(cgroup, "oom_kills", lambda: next(reads))
    kills = OutOfMemoryKills()
    for now_s in (0.0, 0.1, 1.9, 2.0, 2.1):
        kills.look(now_s)
    assert next(reads) == 3, "at its start, and twice since"
