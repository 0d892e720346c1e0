"""What a job author imports: `from shared import Context, PermanentError, Snooze, job`."""

from shared.job_types import Context, PermanentError, Snooze, job

__all__ = ["Context", "PermanentError", "Snooze", "job"]
