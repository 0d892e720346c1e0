"""`breakpoint()` and `input()` in a worker."""

import builtins
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orpheus import PermanentError
from orpheus.worker.attempt.no_terminal import refuse_questions


@pytest.mark.parametrize("ask", [lambda: input("name? "), breakpoint])
def test_a_job_that_asks_a_person_fails_at_once_and_names_the_way(
    ask: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builtins, "input", input)
    monkeypatch.setattr(sys, "breakpointhook", sys.breakpointhook)
    monkeypatch.delenv("PYTHONBREAKPOINT", raising=False)
    with Path("/dev/null").open() as no_terminal:
        monkeypatch.setattr(sys, "stdin", no_terminal)
        refuse_questions()
        with pytest.raises(PermanentError, match=r"needs a terminal.*orpheus\.testing\.run"):
            ask()
