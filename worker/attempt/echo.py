"""Writes what attempts do and log into the log of their worker (`jobs.watch`): for development."""

import time
from functools import partial
from typing import NoReturn

from orpheus.shared.domain.hidden import masked
from orpheus.shared.domain.jobs import Lease
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.job_types.context import PermanentError
from orpheus.shared.logs import get_logger
from orpheus.shared.text import with_fields
from orpheus.worker.attempt.context import RunningAttempt

_LONGEST_RESULT = 200

log = get_logger()


def no_terminal(*_: object, **__: object) -> NoReturn:
    """Refuse a `breakpoint()`: the debugger would find the end of its input, and say nothing."""
    raise PermanentError("breakpoint() needs the terminal: run `orpheus dev --debug`")


class JobEcho:
    """Tells of attempts, from their begin to their end."""

    def begin(self, attempt: RunningAttempt) -> None:
        """Tell that it begins, and from now on what it logs."""
        lease = attempt.lease
        attempt.echo = partial(_write, lease)
        again = f", attempt {lease.attempt}" if lease.attempt > 1 else ""
        _write(lease, "info", f"started{again}")

    def end(self, attempt: RunningAttempt, finished: Finished) -> None:
        """Tell how it ended."""
        lease, error = finished.lease, finished.error
        took_s = (attempt.ended_at_s or time.monotonic()) - attempt.started_at_s
        took = f"{took_s:.2f} s" if took_s >= 1 else f"{took_s * 1000:.0f} ms"
        ending = finished.ending.value.replace("_", " ")
        if finished.ending is Ending.SUCCEEDED:
            result = masked(finished.result or "null", attempt.rules.result)
            cut = f"{result[:_LONGEST_RESULT]}…" if len(result) > _LONGEST_RESULT else result
            _write(lease, "info", f"done in {took}: {cut}")
        elif error is None:
            _write(lease, "info", f"{ending} after {took}")
        else:
            why = f"{error.type}: {error.message}"
            _write(lease, "error", f"{ending} after {took}: {why}", trace=error.traceback)


def _write(
    lease: Lease, level: str, line: str, fields: str = "{}", trace: str | None = None
) -> None:
    line, _, rows = line.partition("\n")  # such as the traceback of logging.exception
    trace = trace or rows
    more = {"exception": trace} if trace else {}
    getattr(log, level)(with_fields(line, fields), said_by=f"{lease.type}#{lease.job_id}", **more)
