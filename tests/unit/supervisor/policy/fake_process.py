"""A process in a walk through a fleet: what is seen of it, and what it was told."""

from dataclasses import dataclass, field

from msgspec.structs import replace

from orpheus.supervisor.policy.slot import Exit, Observation, OsStatus, ProcessCommand


@dataclass
class FakeProcess:
    name: str
    seen: Observation
    signals: list[ProcessCommand] = field(default_factory=list)
    told: int = 0
    """How many of them came before the fleet was told to stop."""
    is_stuck: bool = False


def behave(process: FakeProcess) -> None:
    process.seen = replace(
        process.seen,
        ready=True,
        beat=(process.seen.beat or 0) + 1,
        loop=(process.seen.loop or 0) + 1,
        job=None,
        os_status=OsStatus.RUNNING,
        rss_bytes=50,
        lock_held_s=0.0,
        unhealthy="",
    )


def obey(process: FakeProcess) -> None:
    """End in order if it was told to, or as it must."""
    if not process.signals:
        return
    deadly = {ProcessCommand.ABORT: Exit(signal=6), ProcessCommand.KILL: Exit(signal=9)}
    for command in (
        ProcessCommand.KILL,
        ProcessCommand.ABORT,
        ProcessCommand.TERMINATE,
        ProcessCommand.DRAIN,
    ):
        if command in process.signals:
            process.seen = replace(process.seen, exit=deadly.get(command, Exit(code=0)))
            return
