"""Builds the distributions, and installs the wheel beside an application as a user would."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SUPERVISOR_OF_PYPI = "supervisor==4.3.0"
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


def uv(*arguments: object, cwd: Path = ROOT) -> str:
    """Run uv: first with what it has in its cache, and from the network only if that fails."""
    program = os.environ.get("UV") or shutil.which("uv") or ROOT / ".uv" / "bin" / "uv"
    command = [str(program), *map(str, arguments)]
    for more in (["--offline"], []):
        run = subprocess.run(
            [*command, *more], cwd=cwd, capture_output=True, text=True, check=False
        )
        if run.returncode == 0:
            return run.stdout
    pytest.fail(f"{' '.join(command)}\n{run.stderr}")


def build(source: Path, folder: Path) -> Path:
    """Build the sdist of `source`, and of that the wheel; return the wheel.

    docs/deploy.md builds the wheel alone, in the same way.
    """
    lock = ROOT / "docs" / "deploy" / "requirements-build.lock"
    locked = ("--build-constraints", lock, "--require-hashes")
    uv("build", *locked, "--out-dir", folder, source)
    [built] = folder.glob("*.whl")
    return built


@dataclass(frozen=True)
class Installed:
    """A small application with Orpheus and PyPI's supervisor in an environment of its own."""

    folder: Path
    environment: Path

    @property
    def python(self) -> Path:
        return self.environment / "bin" / "python"

    @property
    def orpheus(self) -> Path:
        return self.environment / "bin" / "orpheus"

    @property
    def site_packages(self) -> Path:
        [found] = self.environment.glob("lib/python*/site-packages")
        return found

    def mypy(self, *options: object) -> "subprocess.CompletedProcess[str]":
        """Run mypy strictly in the application's folder, against the wheel and not this checkout.

        What Orpheus imports is checked once for all runs, which takes mypy ten times as long as an
        application.
        """
        cache = self.environment / "mypy"
        against = ("--strict", "--python-executable", self.python, "--cache-dir", cache)
        return self.run(sys.executable, "-m", "mypy", *against, *options)

    def pyright(self, *files: object) -> "subprocess.CompletedProcess[str]":
        """Run pyright strictly, in the same way."""
        (self.folder / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
        program = Path(sys.executable).with_name("basedpyright")
        return self.run(program, "--pythonpath", self.python, *files)

    def run(self, *command: object) -> "subprocess.CompletedProcess[str]":
        """Run a command in the application's folder, without anything of this checkout."""
        return subprocess.run(
            [str(part) for part in command],
            cwd=self.folder,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


@contextmanager
def serving(
    application: Installed,
    command: list[Path | str],
    log: Path,
    wait_for: Callable[..., Any],
    ends_with: int = 0,
) -> Iterator[str]:
    """Run a server in the application's folder; yield its address, then end it in order.

    `ends_with` is the exit code that it then has.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=application.folder,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:

        def address() -> str | None:
            text = log.read_text(encoding="utf-8")
            assert process.poll() is None, text
            found = _ADDRESS.search(text)
            return found and found[0]

        yield wait_for(address, "the address in the log")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == ends_with, log.read_text(encoding="utf-8")
        assert "Traceback" not in log.read_text(encoding="utf-8")
    finally:
        process.kill()
        process.wait()


def clean_environment() -> dict[str, str]:
    """Return the environment without what would lead to this checkout or its settings."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("ORPHEUS_") and name not in ("PYTHONPATH", "VIRTUAL_ENV")
    }
