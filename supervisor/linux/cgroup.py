"""Counts the processes of our own cgroup that the kernel has killed because memory ran out.

A SIGKILL does not tell who sent it. If this count has just grown, the kernel did; where the count
cannot be read, that can only be guessed. The kernel also kills processes that are not our children
(what a job has started, for example): such a kill must not explain a SIGKILL of the next day.
"""

import functools
from collections import deque
from pathlib import Path, PurePosixPath

_V2_FILE, _V1_FILE = "memory.events", "memory.oom_control"
_LOOK_INTERVAL_S = 2.0
_REMEMBERED_S = 10.0
"""How long after the kernel's kill was noticed the exit may be seen."""


class OutOfMemoryKills:
    """Attributes the kernel's kills to the children that died of SIGKILL. Main thread only."""

    def __init__(self) -> None:
        self._count = oom_kills()
        self._looked_s = float("-inf")
        self._noticed_s: deque[float] = deque()
        """When each kill was noticed that is not attributed to an exit yet, the oldest first."""

    def look(self, now_s: float) -> None:
        """Notice new kills, at most once in 2 s. Call it in every turn."""
        if now_s - self._looked_s >= _LOOK_INTERVAL_S:
            self._look(now_s)

    def take_one(self, now_s: float) -> bool | None:
        """Return whether the kernel has just killed once more than was attributed so far.

        Call this right after an exit by SIGKILL. None: the kernel does not tell.
        """
        self._look(now_s)
        if self._count is None:
            return None
        if not self._noticed_s:
            return False
        self._noticed_s.popleft()
        return True

    def _look(self, now_s: float) -> None:
        before, self._count, self._looked_s = self._count, oom_kills(), now_s
        if before is not None and self._count is not None:
            self._noticed_s += [now_s] * (self._count - before)
        while self._noticed_s and now_s - self._noticed_s[0] > _REMEMBERED_S:
            self._noticed_s.popleft()


def oom_kills(root: Path = Path("/")) -> int | None:
    """Return the count so far; None if it cannot be read (no memory cgroup, or the root one).

    `root` is where /proc and /sys are found. The cgroup is the one we were in at the first call.
    """
    try:
        file = _counter_file(root)
        return None if file is None else parse_count(file.read_text())
    except (OSError, ValueError):
        return None


def parse_count(text: str) -> int | None:
    """Return the value of `oom_kill` in memory.events (v2) or memory.oom_control (v1)."""
    for line in text.splitlines():
        match line.split():
            case ["oom_kill", count]:
                return int(count)
    return None


def memory_cgroup(cgroups: str) -> tuple[str, bool] | None:
    """Return the path of the memory cgroup in /proc/self/cgroup, and whether it is of v2."""
    unified = None
    for line in cgroups.splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return path, False
        if not controllers:
            unified = path
    return None if unified is None else (unified, True)


def cgroup_folder(mounts: str, path: str, *, v2: bool) -> PurePosixPath | None:
    """Return the folder of a cgroup's files by /proc/self/mountinfo; None if it is not mounted.

    A container often sees only its own part of the tree: the mount's root is removed from `path`.
    """
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        _, _, _, mount_root, mount_point, *_ = before.split()
        kind, _, options = after.split()[:3]
        right_one = kind == "cgroup2" if v2 else "memory" in options.split(",")
        if right_one and PurePosixPath(path).is_relative_to(mount_root):
            return PurePosixPath(mount_point) / PurePosixPath(path).relative_to(mount_root)
    return None


@functools.cache
def _counter_file(root: Path) -> Path | None:
    found = memory_cgroup((root / "proc/self/cgroup").read_text())
    if found is None:
        return None
    path, v2 = found
    folder = cgroup_folder((root / "proc/self/mountinfo").read_text(), path, v2=v2)
    if folder is None:
        return None
    return root / folder.relative_to("/") / (_V2_FILE if v2 else _V1_FILE)
