"""What the main loop does in a turn, without any child."""

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any, cast

import pytest

from orpheus.shared.domain.processes import SlotRecord
from orpheus.shared.process.state_files import StateFiles
from orpheus.supervisor.loop.act import Children
from orpheus.supervisor.loop.loop import Loop
from orpheus.supervisor.plan.plan import Plan
from orpheus.supervisor.policy.slot import Rules


@pytest.fixture
def told() -> list[str]:
    """What the service manager and the terminal are told."""
    return []


@pytest.fixture
def published() -> list[SlotRecord]:
    """Every record of a slot that the loop has published."""
    return []


@pytest.fixture
def loop(tmp_path: Path, told: list[str], published: list[SlotRecord]) -> Iterator[Loop]:
    """A loop without slots: all of them are ready in its first turn."""
    nothing = SimpleNamespace(
        record=lambda *_: None, publish=published.extend, turns=0, watch=lambda _: None, latest={},
        holder=None, slot="supervisor", pid=1, host="host-1", role="supervisor", incarnation="me",
        started_at_ms=0, unfreed=set, wall_ms=lambda: 7_000,
    )  # fmt: skip
    notifier = SimpleNamespace(
        ready=lambda _: told.append("READY"),
        status=lambda _: None,
        stopping=lambda: told.append("STOPPING"),
    )
    files = StateFiles("orpheus.db", str(tmp_path / "orpheus.db"), tmp_path / "lock")
    children = Children(files, cast("Any", nothing))
    describing = Lock()
    describing.acquire()  # so that it reaps no child of another test
    yield Loop(
        children,
        Plan({}, {None: Rules()}, 5.0, exit_on_fatal=False),
        myself=cast("Any", nothing),
        clock=cast("Any", nothing),
        sampler=cast("Any", nothing),
        notifier=cast("Any", notifier),
        describing=describing,
        on_settled=lambda _: told.append("running"),
    )
    os.close(children.bell_fd)


def test_the_start_is_announced_once(loop: Loop, told: list[str]) -> None:
    loop._turn(1.0)
    loop._turn(2.0)
    assert sorted(told) == ["READY", "running"]


def test_a_start_that_is_stopped_is_not_announced(loop: Loop, told: list[str]) -> None:
    loop.stop("SIGTERM")
    loop._turn(1.0)
    assert told == ["STOPPING"]


def test_a_stop_tells_why_and_until_when_at_the_latest(
    loop: Loop, published: list[SlotRecord]
) -> None:
    """The first signal says why; a second one gives less time."""
    for why, within_s in (("SIGTERM", 5.0), ("SIGINT", 4.0)):
        loop.stop(why)
        loop._turn(1.0)
        own = published[-1]
        assert own.reason == "SIGTERM"
        until_ms = 7_000 + round(1000 * (within_s + Rules().kill_wait_s))
        assert own.until_ms == until_ms
    loop._rebase(60.0)
    loop._turn(2.0)
    assert published[-1].until_ms == until_ms + 60_000, "it did not run meanwhile"
