"""The simple built-in job types, of which the README and the acceptance tests speak."""

import time
from typing import Annotated

from orpheus import Context, PermanentError, job
from orpheus.shared.job_types.plain import Bounds

_LARGEST_N = 4_000_000_000
"""Its sum is the largest below 2^63, which every JSON reader and the database can hold."""
_LONGEST_S = 86_400
_STEP_S = 0.1
_MOST_FAILURES = 1_000


@job
def sum_range(_: Context, n: Annotated[int, Bounds(ge=0, le=_LARGEST_N)]) -> dict[str, int]:
    """Add up the numbers from 1 to n."""
    return {"sum": n * (n + 1) // 2}


@job
def wordcount(_: Context, text: str) -> dict[str, int]:
    """Count the words of a text, as white space separates them."""
    return {"count": len(text.split())}


@job
def sleep(ctx: Context, seconds: Annotated[float, Bounds(ge=0, le=_LONGEST_S)]) -> dict[str, float]:
    """Sleep for so many seconds, showing progress; stops soon after a cancel."""
    started = time.monotonic()
    while (left_s := seconds - (time.monotonic() - started)) > 0:
        ctx.check_cancelled()
        ctx.progress(1 - left_s / seconds, f"{left_s:.0f} s left")
        time.sleep(min(_STEP_S, left_s))
    ctx.progress(1.0, "slept")
    return {"slept": seconds}


@job
def flaky(
    ctx: Context,
    failures: Annotated[int, Bounds(ge=0, le=_MOST_FAILURES)],
    permanent: bool = False,
) -> dict[str, int]:
    """Fail the first attempts, for good if `permanent`, then succeed."""
    if ctx.attempt <= failures:
        message = f"attempt {ctx.attempt} of {failures} that are to fail"
        raise PermanentError(message) if permanent else RuntimeError(message)
    return {"attempts": ctx.attempt}
