"""`orpheus mcp`: what it says instead of starting. tests/api/test_mcp.py has what it does."""

import sys
from pathlib import Path

import pytest

from tests.unit.supervisor.cli.conftest import Orpheus


def test_without_the_package_it_says_how_to_install_it(
    orpheus: Orpheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [*sys.modules]:
        if name.startswith(("mcp.", "orpheus.mcp")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mcp", None)
    answer = orpheus("mcp")
    needs = "orpheus: orpheus mcp needs the package mcp: pip install 'orpheus-jobs[mcp]'\n"
    assert (answer.code, answer.err) == (78, needs)


def test_it_needs_an_address_and_a_sound_token(
    orpheus: Orpheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mcp")
    answer = orpheus("mcp", "--set", "api.port=0")
    assert (answer.code, answer.err) == (
        78,
        "orpheus: api.port is 0 (any free port): give the address with --url\n",
    )
    answer = orpheus("mcp", "--url", "here")
    assert (answer.code, "'here' is no URL" in answer.err) == (2, True)
    Path("token").write_text("t" * 40)
    Path("token").chmod(0o644)
    assert "its owner alone may read" in orpheus("mcp", "--token-file", "token").err
    monkeypatch.setenv("ORPHEUS_TOKEN", "two words")
    assert "ORPHEUS_TOKEN must be" in orpheus("mcp").err
