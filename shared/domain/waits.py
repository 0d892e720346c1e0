"""What waiting means: a job waits for a worker from when it may run until it starts.

It may run once it is submitted, due (`run_at`) and free (`freed_at`), whichever is latest: one that
was due more than a second before it was submitted is freed by its submission. While it is blocked,
delayed, backing off, running or held back by a quarantine it waits for no worker: with more of them
it starts no earlier.
"""


def waits_since_ms(run_at_ms: int, freed_at_ms: int | None) -> int:
    """Return since when a job waits for a worker."""
    return run_at_ms if freed_at_ms is None else max(run_at_ms, freed_at_ms)
