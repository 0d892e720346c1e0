"""How long to wait before the next attempt: exponential backoff with jitter.

Pure: the caller passes the random number. Jitter spreads the retries of jobs that failed
together (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015); here it is
narrow, so that each wait stays longer than the one before.
"""

import msgspec
from msgspec.structs import asdict, replace

_LARGEST_EXPONENT = 1_000  # above it, any factor over 1 exceeds every maximum


class BackoffRules(msgspec.Struct, frozen=True):
    """wait = min(max_s, base_s * factor^(failures - 1)) * U(1 - jitter, 1 + jitter)."""

    base_s: float = 1.0
    factor: float = 2.0
    max_s: float = 600.0
    jitter: float = 0.1


class BackoffOfType(msgspec.Struct, frozen=True):
    """What a job type says of its own backoff; None: as [jobs] says."""

    base_s: float | None = None
    factor: float | None = None
    max_s: float | None = None
    jitter: float | None = None

    def over(self, rules: BackoffRules) -> BackoffRules:
        """Return `rules` with what this says in their place."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        return replace(rules, **given)


def backoff_delay_ms(failures: int, rules: BackoffRules, uniform: float) -> int:
    """Return the milliseconds to wait after the `failures`-th failure (counted from 1).

    `uniform` is a random number in [0, 1): 0 gives the shortest wait, 1 the longest.
    """
    exponent = min(failures - 1, _LARGEST_EXPONENT)
    try:
        wait_s = min(rules.max_s, rules.base_s * rules.factor**exponent)
    except OverflowError:
        wait_s = rules.max_s
    spread = 1 - rules.jitter + 2 * rules.jitter * uniform
    return round(wait_s * spread * 1000)
