"""`orpheus` without a command: become the supervisor."""

import os
import signal
from pathlib import Path

from orpheus.shared.errors import ExitCode
from orpheus.shared.imports import without_garbage

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def start(config: Path | None, sets: tuple[str, ...]) -> int:
    """Start the API and every worker, and return the exit code once all have ended."""
    for number in _STOP_SIGNALS:
        signal.signal(number, _end_start)
    try:
        with without_garbage():  # imported only now: a signal meanwhile ends the start in order
            from orpheus.config.load import load_settings  # noqa: PLC0415
            from orpheus.supervisor.run import run_supervisor  # noqa: PLC0415

        return run_supervisor(lambda: load_settings(config, sets, os.environ), sets)
    except KeyboardInterrupt:
        return ExitCode.OK


def _end_start(*_: object) -> None:
    """End a start: until the supervisor handles these signals itself, there is nothing to finish.

    More of them must not interrupt what ends the process that imports the job modules.
    """
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
