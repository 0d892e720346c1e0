"""What a worker says of the system that it runs on."""

from typing import Any

import pytest

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
