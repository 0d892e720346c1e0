"""Failpoints: named moments at which a test has a process die, stop, hang or exit.

The moments that lose data when they go wrong, such as those between a commit and the answer that
follows it, last microseconds: random kills hardly ever meet them. So the programs name them, and
a test strikes one by putting a file of that name into a folder. The file's text says what the
process does to itself:

- `kill`: SIGKILL
- `stop`: SIGSTOP, until somebody sends SIGCONT
- `hold`: sleeps for ever, with whatever it holds (inside a transaction, the write lock)
- `exit N`: ends at once with code N

Whoever unlinks the file does it, once. Nothing is armed unless the environment has both
ORPHEUS_TESTING=1 and ORPHEUS_FAILPOINTS=<folder> when the program names itself, which supervised
programs inherit; otherwise a point costs a comparison.
"""

import os
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path

_TESTING = "ORPHEUS_TESTING"
_FOLDER = "ORPHEUS_FAILPOINTS"
_LONG_S = 3_600.0

_folder: Path | None = None
_program = ""


def name_program(name: str, environ: Mapping[str, str] = os.environ) -> None:
    """This process is `name` (`worker`, `api`, `supervisor`), and armed if `environ` says so."""
    global _folder, _program
    _program = name
    folder = environ.get(_FOLDER)
    _folder = Path(folder) if folder and environ.get(_TESTING) == "1" else None


def failpoint(name: str) -> None:
    """The process is at the point `name`. Raises ValueError if the file there says no deed."""
    if _folder is not None:
        _strike(_folder / name)


def program_failpoint(name: str) -> None:
    """As `failpoint`, of a point that each program has under its own name (`worker.<name>`)."""
    if _folder is not None:
        _strike(_folder / f"{_program}.{name}")


def _strike(file: Path) -> None:
    try:
        deed = file.read_text(encoding="ascii").split()
        if not deed:  # created, not written yet
            return
        file.unlink()
    except FileNotFoundError:
        return
    match deed:
        case ["kill"]:
            _signal_this_thread(signal.SIGKILL)
        case ["stop"]:
            _signal_this_thread(signal.SIGSTOP)
        case ["hold"]:
            while True:
                time.sleep(_LONG_S)
        case ["exit", code]:
            os._exit(int(code))
        case _:
            raise ValueError(f"failpoint {file.name}: {' '.join(deed)!r} is no deed")


def _signal_this_thread(number: signal.Signals) -> None:
    """It acts on the whole process, but here before the next instruction, not soon after."""
    signal.pthread_kill(threading.get_ident(), number)
