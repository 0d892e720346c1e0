"""Commands of the command line in this process, and programs in processes of their own."""

import os
import subprocess
import sys

import pytest

from orpheus.supervisor.__main__ import run
from tests.conftest import ROOT


def program(name: str, *settings: str) -> "subprocess.Popen[str]":
    """Start `python -m NAME` with these settings."""
    return subprocess.Popen(
        [sys.executable, "-m", name, *(part for one in settings for part in ("--set", one))],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("ORPHEUS_")},
    )


def command(capsys: pytest.CaptureFixture[str], *argv: str) -> subprocess.CompletedProcess[str]:
    """What `orpheus …` answers. A process of its own would cost half a second."""
    capsys.readouterr()
    code = run(argv)
    out, err = capsys.readouterr()
    return subprocess.CompletedProcess(argv, code, out, err)
