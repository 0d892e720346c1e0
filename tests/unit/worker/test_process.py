"""What a worker says of the system that it runs on, and how it replaces itself."""

import os
import signal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from orpheus.shared.process.channel import EVIDENCE_LENGTH
from orpheus.worker import process


def test_a_worker_that_may_not_open_the_files_of_all_its_places_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(process.log, "warning", lambda _, **fields: told.append(fields))
    for allowed in (8_192, 4_096):
        monkeypatch.setattr(process, "allow_open_files", lambda wanted: min(wanted, allowed))  # noqa: B023 - called at once
        process._allow_files(1_000)
    assert [one["allowed"] for one in told] == [4_096]


def test_the_timer_of_a_job_does_not_outlive_the_process_that_handles_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is kept over exec, and would kill the next process, which has no handler yet."""
    timers: list[tuple[float, float]] = []
    execv = lambda *_: timers.append(signal.getitimer(signal.ITIMER_REAL))  # noqa: E731
    monkeypatch.setattr(os, "execv", execv)
    signal.setitimer(signal.ITIMER_REAL, 100.0)
    try:
        process.restart_alone()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    assert timers == [(0.0, 0.0)]


def test_of_why_a_module_does_not_load_no_more_is_sent_than_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process exits at once: a line for which the channel has no room would be lost."""

    def fail(_: object) -> None:
        raise ImportError("x" * 65_536)

    monkeypatch.setattr(process, "load_job_types", fail)
    sent: list[dict[str, Any]] = []
    settings, control = SimpleNamespace(modules=()), SimpleNamespace(send=sent.append)
    assert process._load_code(cast("Any", settings), cast("Any", control)) is None
    assert [len(one["evidence"]) for one in sent] == [EVIDENCE_LENGTH]
    assert sent[0]["evidence"].endswith("x\n"), "its end says most"
