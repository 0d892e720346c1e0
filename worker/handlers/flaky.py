"""`flaky {failures, permanent}`: fails its first attempts."""

from typing import Annotated

from orpheus import Context, PermanentError, job
from orpheus.shared.job_types.plain import Bounds

_MOST_FAILURES = 1_000


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
