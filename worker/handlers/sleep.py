"""`sleep {seconds}`: does nothing for a while, visibly."""

import time
from typing import Annotated

from orpheus import Context, job
from orpheus.shared.job_types.plain import Bounds

_LONGEST_S = 86_400
_STEP_S = 0.1


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
