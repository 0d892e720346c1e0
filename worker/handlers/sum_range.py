"""`sum_range {n}`: the sum of 1 to n."""

from typing import Annotated

from orpheus import Context, job
from orpheus.shared.job_types.plain import Bounds

_LARGEST_N = 4_000_000_000
"""Its sum is the largest below 2^63, which every JSON reader and the database can hold."""


@job
def sum_range(_: Context, n: Annotated[int, Bounds(ge=0, le=_LARGEST_N)]) -> dict[str, int]:
    """Add up the numbers from 1 to n."""
    return {"sum": n * (n + 1) // 2}
