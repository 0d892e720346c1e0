"""`orpheus` without a command: become the supervisor."""

import os
from pathlib import Path

from orpheus.shared.errors import ExitCode
from orpheus.shared.imports import without_garbage
from orpheus.supervisor.cli.given import errors_as_called
from orpheus.supervisor.linux.signals import Signals


def start(config: Path | None, sets: tuple[str, ...]) -> int:
    """Start the API and every worker, and return the exit code once all have ended."""
    signals = Signals()
    try:
        with without_garbage():  # imported only now: a signal meanwhile is handled already
            from orpheus.config.load import load_settings  # noqa: PLC0415
            from orpheus.supervisor.run import run_supervisor  # noqa: PLC0415

        with errors_as_called():
            return run_supervisor(lambda: load_settings(config, sets, os.environ), signals, sets)
    except KeyboardInterrupt:
        return ExitCode.OK
