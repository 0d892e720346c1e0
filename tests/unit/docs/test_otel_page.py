"""docs/otel.md: its settings are settings, and its example for Sentry reports errors."""

import re
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from orpheus import JobSuspended, Snooze
from orpheus.config.settings import Settings

PAGE = (Path(__file__).parents[3] / "docs" / "otel.md").read_text(encoding="utf-8")
(SENTRY,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_its_settings_are_settings() -> None:
    otel, sentry = (
        Settings.model_validate(tomllib.loads(block))
        for block in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    )
    assert otel.otel.enabled
    assert sentry.jobs.around == ("shop.errors:reported",)


@pytest.mark.parametrize("raised", [ValueError("no card"), Snooze(5), JobSuspended("a wait")])
def test_sentry_gets_errors_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, raised: BaseException
) -> None:
    sentry = MagicMock()
    monkeypatch.setitem(sys.modules, "sentry_sdk", sentry)
    names: dict[str, Any] = {}
    exec(compile(SENTRY, "docs/otel.md", "exec"), names)
    scope = sentry.new_scope.return_value.__enter__.return_value
    sentry.new_scope.return_value.__exit__.return_value = False
    ctx = SimpleNamespace(type="charge", job_id=7, attempt=2)
    with pytest.raises(type(raised)), names["reported"](ctx):
        raise raised
    scope.set_tags.assert_called_once_with({"job.type": "charge", "job.id": 7, "attempt": 2})
    reported = [call.args[0] for call in sentry.capture_exception.call_args_list]
    assert reported == ([raised] if isinstance(raised, ValueError) else [])
