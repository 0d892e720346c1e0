"""What asks a person at a terminal fails in a worker, and the error says what to do instead."""

import builtins
import os
import sys
from functools import partial
from typing import Any, NoReturn

from orpheus.shared.job_types.context import PermanentError


def refuse_questions() -> None:
    """Make `input()` and `breakpoint()` fail, unless this worker was started at a terminal.

    A debugger that `PYTHONBREAKPOINT` names is left alone: it may not need the terminal.
    """
    if sys.stdin is not None and sys.stdin.isatty():
        return
    builtins.input = partial(_refuse, "input()")
    if "PYTHONBREAKPOINT" not in os.environ:
        sys.breakpointhook = partial(_refuse, "breakpoint()")


def _refuse(what: str, *_: Any, **__: Any) -> NoReturn:
    raise PermanentError(
        f"{what} needs a terminal, and a worker has none: call orpheus.testing.run(function, …) "
        "in a script or test"
    )
