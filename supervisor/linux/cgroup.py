"""Counts the processes of our cgroup that the kernel has killed because memory ran out.

A SIGKILL does not tell who sent it. If this count has just grown, the kernel did. The kernel also
kills processes that are not our children (what a job has started, for example): such a kill must
not explain a SIGKILL of the next day.
"""

from collections import deque
from pathlib import Path

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
    """Return the count so far; None without a memory cgroup of version 2 at /sys/fs/cgroup."""
    try:
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::/"):
                events = root / "sys/fs/cgroup" / line.removeprefix("0::/") / "memory.events"
                counts = dict(event.split() for event in events.read_text().splitlines())
                return int(counts["oom_kill"])
    except (OSError, ValueError, KeyError):
        pass
    return None
