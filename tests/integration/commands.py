"""Commands of the command line in this process: a process of its own costs half a second."""

import subprocess

import pytest

from orpheus.supervisor.__main__ import run


def command(capsys: pytest.CaptureFixture[str], *argv: str) -> subprocess.CompletedProcess[str]:
    """What `orpheus …` answers."""
    capsys.readouterr()
    code = run(argv)
    out, err = capsys.readouterr()
    return subprocess.CompletedProcess(argv, code, out, err)
