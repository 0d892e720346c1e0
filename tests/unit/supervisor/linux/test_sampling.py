"""An unforeseen error costs the sampler one value."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.supervisor.linux import sampling
from orpheus.supervisor.linux.sampling import Sampler


class Failing:
    """Fails as nobody foresaw in the first calls."""

    def __init__(self, call: Callable[..., Any], failures: int) -> None:
        self._call = call
        self._failures = failures

    def __call__(self, *values: Any) -> Any:
        self._failures -= 1
        if self._failures >= 0:
            raise RuntimeError("nobody foresaw this")
        return self._call(*values)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    events: list[str] = []
    monkeypatch.setattr(sampling.log, "exception", lambda event, **_: events.append(event))
    return events


def test_it_goes_on_after_errors(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    logged: list[str],
    wait_for: Callable[..., Any],
) -> None:
    monkeypatch.setattr(sampling, "sample", Failing(sampling.sample, 3))
    sampler = Sampler(tmp_path / "orpheus.db", interval_s=0.01)
    sampler.watch({"incarnation": os.getpid()})
    sampler.start()
    try:
        wait_for(lambda: "incarnation" in sampler.latest, "a sample")
    finally:
        sampler.stop()
    assert sampler.latest["incarnation"].rss_bytes > 0
    assert logged == ["sampling_failed"] * 3
