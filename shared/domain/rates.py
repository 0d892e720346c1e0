"""A token bucket: how many jobs a queue may start now, and when it may start the next.

Pure. The bucket holds at most `burst` tokens, one a job, and fills at `per_s`. The bucket with a
burst of one period (10 for "10/s", 100 for "100/m") lets at most twice the rate through in any one
period and exactly the rate over a long time (Turner, "New directions in communications", 1986).
"""

from dataclasses import dataclass

_PERIODS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `per_s` starts a second over a long time, `burst` at once."""

    per_s: float
    burst: float


@dataclass(frozen=True, slots=True)
class QueueRules:
    """The configured limits of a queue. 0: no limit."""

    paused: bool = False
    max_running: int = 0
    rate: Rate | None = None


def tokens_now(rate: Rate, tokens: float, elapsed_ms: int) -> float:
    """Return the tokens in the bucket `elapsed_ms` after it held `tokens`."""
    return min(rate.burst, tokens + rate.per_s * max(0, elapsed_ms) / 1000)


def wait_for_one_ms(rate: Rate, tokens: float) -> int:
    """Return the milliseconds until the bucket holds a whole token; 0 if it does now."""
    return 0 if tokens >= 1 else int((1 - tokens) / rate.per_s * 1000) + 1


def parse_rate(text: str) -> Rate | None:
    """Parse `10/s` or `100/m`; None for empty text. Raises ValueError."""
    if not text:
        return None
    starts, _, unit = text.partition("/")
    if unit not in _PERIODS_S or not starts.isdecimal() or int(starts) == 0:
        raise ValueError(f'{text!r} is no rate: write "10/s", "100/m", "5/h" or "2/d"')
    return Rate(int(starts) / _PERIODS_S[unit], int(starts))


def rate_text(rate: Rate | None) -> str:
    """Return a rate as the configuration writes it, `10/s` or `100/m`; empty for None."""
    if rate is None:
        return ""
    period_s = rate.burst / rate.per_s
    unit = min(_PERIODS_S, key=lambda name: abs(_PERIODS_S[name] - period_s))
    return f"{rate.burst:.0f}/{unit}"
