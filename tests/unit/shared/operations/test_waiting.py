"""A program that starts waits for the server of its database."""

from unittest.mock import MagicMock

import pytest

from orpheus.shared.errors import DatabaseAway, DatabaseUnusable
from orpheus.shared.operations import waiting
from orpheus.shared.operations.waiting import once_it_answers


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    monkeypatch.setattr(waiting, "_RETRY_S", 0.0)
    log = MagicMock()
    monkeypatch.setattr(waiting, "log", log)
    return log


def test_it_is_called_until_it_answers_and_why_it_waits_is_told_once(log: MagicMock) -> None:
    call = MagicMock(side_effect=[DatabaseAway("gone"), DatabaseAway("gone"), 7])
    assert once_it_answers(call) == 7
    assert [one.kwargs["reason"] for one in log.warning.call_args_list] == ["gone"]


def test_what_will_not_pass_is_raised(log: MagicMock) -> None:
    with pytest.raises(DatabaseUnusable):
        once_it_answers(MagicMock(side_effect=DatabaseUnusable("wrong password")))
    assert not log.warning.called
