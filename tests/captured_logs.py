"""What Orpheus logs, for the tests that look at it."""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from structlog.testing import LogCapture

from orpheus.shared import logs


@contextmanager
def capture_logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """As `structlog.testing.capture_logs`, which has only what an application logs."""
    captured, before = LogCapture(), logs.processors.copy()
    logs.processors[:] = [captured]
    try:
        yield captured.entries
    finally:
        logs.processors[:] = before
