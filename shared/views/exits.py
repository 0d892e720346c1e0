"""How the processes of a slot ended, as GET /workers shows it."""

from typing_extensions import TypedDict

from orpheus.shared.domain import processes
from orpheus.shared.moments import rfc3339
from orpheus.shared.views.values import Time


class LastExit(TypedDict):
    """How one process of a slot ended."""

    at: Time
    reason: str
    signal: str | None
    code: int | None
    evidence: str | None
    """What is known of why: a stack, a line."""
    uptime_s: float
    """How long the process ran."""
    out_of_memory: bool | None
    """Whether the kernel killed it for memory; null where that cannot be told."""
    failed: bool
    """Whether it counted as a failure: one that was wanted did not, whatever its code."""
    output: str | None
    """The last lines, up to 20, that its jobs wrote; null if there are none."""
    jobs: list[int]
    """The ids of the jobs that it was running, ascending."""


class Failure(TypedDict):
    """When a process of a slot failed, and how."""

    at: Time
    reason: str


def exit_json(one: processes.LastExit) -> LastExit:
    """Return an exit as the API shows it."""
    return {
        "at": rfc3339(one.at_ms),
        "reason": one.reason,
        "signal": one.signal,
        "code": one.code,
        "evidence": one.evidence,
        "uptime_s": round(one.uptime_s, 1),
        "out_of_memory": one.out_of_memory,
        "failed": one.failed,
        "output": one.output,
        "jobs": list(one.jobs),
    }
