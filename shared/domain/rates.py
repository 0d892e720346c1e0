"""A token bucket: how many jobs a queue may start now, and when it may start the next.

Pure. The bucket holds at most `burst` tokens, one a job, and fills at the rate (Turner, "New
directions in communications", 1986). In t seconds at most rate × t + burst jobs start: with a burst
of 1, "10/s" starts no more than 10 in any second.

For a queue, the tokens and when they were counted are stored. There may be a thousand times as many
keys as queues, and most are idle: for a key, only the time at which its bucket is full again is
stored, so a key whose time has passed needs no row.

The clock of a server may be set back. A bucket that was counted in the future would get no token
until that time comes again, so it counts as full. When jobs of a key are parked until its next
token, nobody looks at its bucket before; so upkeep notices a clock that is set back, and has all
keys with parked jobs looked at.
"""

import math

import msgspec

_PERIODS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_ROUNDING = 1e-6  # a token is whole at the millisecond that `opens_ms` names
SET_BACK_MS = 10_000
"""A clock that is behind by more was set back; by less, two processes may have read it at once."""


class Rate(msgspec.Struct, frozen=True):
    """At most `starts` in `period_s` over a long time, `burst` at once after a pause."""

    starts: int
    period_s: int
    burst: int = 1

    @property
    def per_s(self) -> float:
        """How many tokens come in a second."""
        return self.starts / self.period_s


class KeyRules(msgspec.Struct, frozen=True):
    """The limits of each key of a queue. 0 and None: no limit."""

    max_running: int = 0
    rate: Rate | None = None

    @property
    def most_at_once(self) -> int | None:
        """How many jobs of an idle key may start together; None: all."""
        limits = [self.max_running] if self.max_running else []
        if self.rate is not None:
            limits.append(self.rate.burst)
        return min(limits, default=None)


NO_LIMITS_PER_KEY = KeyRules()


class QueueRules(msgspec.Struct, frozen=True):
    """The configured limits of a queue. 0: no limit."""

    paused: bool = False
    max_running: int = 0
    rate: Rate | None = None
    per_key: KeyRules = NO_LIMITS_PER_KEY


def tokens_now(rate: Rate, tokens: float, elapsed_ms: int) -> float:
    """Return the tokens in the bucket `elapsed_ms` after it held `tokens`."""
    if elapsed_ms < -SET_BACK_MS:
        return rate.burst
    return min(rate.burst, tokens + rate.per_s * max(0, elapsed_ms) / 1000)


def wait_for_one_ms(rate: Rate, tokens: float) -> int:
    """Return the milliseconds until the bucket holds a whole token; 0 if it does now."""
    return 0 if tokens >= 1 else int((1 - tokens) / rate.per_s * 1000) + 1


def tokens_of(rate: Rate, full_ms: float, now_ms: int) -> int:
    """Return the whole tokens of a bucket that is full at `full_ms`."""
    missing = max(0.0, _plausible(rate, full_ms, now_ms) - now_ms) * rate.per_s / 1000
    return max(0, int(rate.burst - missing + _ROUNDING))


def full_after(rate: Rate, full_ms: float, now_ms: int, starts: int) -> float:
    """Return when the bucket is full again after `starts` jobs start now."""
    return max(_plausible(rate, full_ms, now_ms), now_ms) + starts * 1000 / rate.per_s


def _plausible(rate: Rate, full_ms: float, now_ms: int) -> float:
    """Return `full_ms`; but now, if even an empty bucket would be full before that."""
    latest_ms = now_ms + rate.burst * 1000 / rate.per_s + SET_BACK_MS
    return full_ms if full_ms <= latest_ms else now_ms


def opens_ms(rate: Rate, full_ms: float) -> int:
    """Return when a bucket without a whole token has one."""
    return math.ceil(full_ms - (rate.burst - 1) * 1000 / rate.per_s - _ROUNDING)


def parse_rate(text: str, burst: int = 1) -> Rate | None:
    """Parse `10/s` or `100/m`; None for empty text. Raises ValueError."""
    if not text:
        return None
    starts, _, unit = text.partition("/")
    if unit not in _PERIODS_S or not starts.isdecimal() or int(starts) == 0:
        raise ValueError(f'{text!r} is not a rate: write "10/s", "100/m", "5/h" or "2/d"')
    return Rate(int(starts), _PERIODS_S[unit], burst)


def rate_text(rate: Rate | None) -> str:
    """Return a rate as the configuration writes it, `10/s` or `100/m`; empty for None."""
    if rate is None:
        return ""
    units = {period_s: unit for unit, period_s in _PERIODS_S.items()}
    unit = units.get(rate.period_s, f"{rate.period_s}s")
    return f"{rate.starts}/{unit}"
