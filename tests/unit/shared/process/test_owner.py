"""What a user is told who may not use a file."""

import os
from pathlib import Path

import pytest

from orpheus.shared.process.owner import run_as_owner


def test_the_owner_is_named_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "not" / "there"
    assert run_as_owner(path) == ""
    monkeypatch.setattr(os, "geteuid", lambda: 65_533)
    assert run_as_owner(path) == f": run it as its owner: sudo -u {tmp_path.owner()}"
