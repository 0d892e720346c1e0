"""What waiting means: a job waits for a worker from when it may run until it starts.

It may run once it is due (`run_at`) and no longer blocked, whichever is later. A job that is
blocked, delayed or backing off waits for something else: with more workers it starts no earlier.
"""


def waits_since_ms(run_at_ms: int, unblocked_at_ms: int | None) -> int:
    """Return since when a job waits for a worker."""
    return run_at_ms if unblocked_at_ms is None else max(run_at_ms, unblocked_at_ms)
