"""Failpoints: named points in the code at which a test makes a process die, stop, hang or exit.

A crash between a commit and its answer, for example, could lose data, but that moment lasts
microseconds and random kills hardly ever hit it. So the programs name such points, and a test
triggers one by putting a file of that name into a folder. The file's text says what the process
does to itself:

- `kill`: SIGKILL
- `stop`: SIGSTOP, until somebody sends SIGCONT
- `hold`: sleeps forever, with all that it holds (inside a transaction, the write lock)
- `exit N`: ends at once with code N

Only the process that unlinks the file does it, once. Failpoints are off unless the environment has
both ORPHEUS_TESTING=1 and ORPHEUS_FAILPOINTS=<folder> when the program starts; supervised programs
inherit both. When off, a failpoint costs one comparison.
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
    """Name this program (`worker`, `api`, `supervisor`); `environ` turns failpoints on."""
    global _folder, _program
    _program = name
    folder = environ.get(_FOLDER)
    _folder = Path(folder) if folder and environ.get(_TESTING) == "1" else None


def failpoint(name: str) -> None:
    """Do what the file `name` says, if there is one. Raises ValueError if it says nothing known."""
    if _folder is not None:
        _trigger(_folder / name)


def program_failpoint(name: str) -> None:
    """Do the same for a failpoint that each program has under its own name (`worker.<name>`)."""
    if _folder is not None:
        _trigger(_folder / f"{_program}.{name}")


def _trigger(file: Path) -> None:
    try:
        action = file.read_text(encoding="ascii").split()
        if not action:  # created, not written yet
            return
        file.unlink()
    except FileNotFoundError:
        return
    match action:
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
            raise ValueError(f"failpoint {file.name}: {' '.join(action)!r} is not an action")


def _signal_this_thread(number: signal.Signals) -> None:
    """Signal the whole process; the signal acts before this thread's next instruction."""
    signal.pthread_kill(threading.get_ident(), number)
