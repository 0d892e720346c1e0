"""Whether a write can begin is found out once a second, unless it could not."""

from typing import Any, cast

import pytest

from orpheus.api.database.write_probe import WriteProbe
from orpheus.shared.errors import DatabaseFull
from orpheus.shared.storage import Store


class FakeStore:
    """Counts how often a write was begun."""

    def __init__(self) -> None:
        self.answer: bool | Exception = True
        self.asked = 0

    def writable(self) -> bool:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_only_a_success_is_remembered_and_only_for_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now_s[0])
    fake, probe = FakeStore(), WriteProbe()
    store = cast("Store", cast("Any", fake))

    fake.answer = False
    assert "write lock" in (probe.trouble(store) or "")
    fake.answer = DatabaseFull("no space is left")
    assert probe.trouble(store) == "no space is left"
    fake.answer = True
    assert probe.trouble(store) is None
    assert fake.asked == 3

    fake.answer = False
    now_s[0] += 0.9
    assert (probe.trouble(store), fake.asked) == (None, 3)
    now_s[0] += 0.2
    assert "write lock" in (probe.trouble(store) or "")
