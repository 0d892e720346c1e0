"""A command that cannot be started because its worker may open no more files."""

import errno
import gc
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.commands import CommandSettings
from orpheus.shared.domain.jobs import Lease
from orpheus.shared.domain.lifecycle import Ending
from orpheus.worker.attempt.command import CommandType
from orpheus.worker.attempt.context import RunningAttempt
from orpheus.worker.attempt.executor import Executor, NoTimeout


@pytest.mark.parametrize(
    ("failing", "ending"),
    [
        ("eventfd", Ending.RELEASED),
        ("pipe", Ending.RELEASED),
        ("pidfd_open", Ending.FAILED),  # it may have done something already
    ],
)
def test_its_job_is_released_if_it_was_not_started_and_nothing_of_it_is_left(
    make_lease: Callable[..., Lease],
    queries: Any,
    monkeypatch: pytest.MonkeyPatch,
    failing: str,
    ending: Ending,
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def start(*args: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(popen(*args, **options))
        return started[-1]

    def fail(*_: Any) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    command = CommandType(CommandSettings("t", ("sleep", "600"), None, None, "", {}, (0,)), 10.0)
    executor = Executor({}, {"t": command}, NoTimeout(), queries)
    gc.collect()
    files = set(Path("/proc/self/fd").iterdir())
    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(os, failing, fail)
    ended = executor.run(RunningAttempt(make_lease(), 0.0))
    assert ended.ending is ending
    assert executor.lacks_files
    assert len(started) == (ending is Ending.FAILED)
    assert set(Path("/proc/self/fd").iterdir()) <= files
    assert not [one.pid for one in started if Path(f"/proc/{one.pid}").exists()]
