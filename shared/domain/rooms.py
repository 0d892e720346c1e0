"""The limits of a queue, or of a key, as they stand. Pure."""

import msgspec

from orpheus.shared.domain.rates import NO_LIMITS_PER_KEY, KeyRules, Rate


class Room(msgspec.Struct, frozen=True):
    """The limits of a queue, or of a key, as they stand. 0 and None: no limit.

    `tokens`: those in the bucket of the rate; of a whole one a job may start now. `opens_ms`: when
    the rate lets the next one start.
    """

    max_running: int = 0
    running: int = 0
    rate: Rate | None = None
    tokens: float = 0
    opens_ms: int | None = None
    paused: bool = False
    per_key: KeyRules = NO_LIMITS_PER_KEY
    """The limits of each key of the queue."""

    @property
    def is_full(self) -> bool:
        """Whether as many of its jobs run as may at once."""
        return 0 < self.max_running <= self.running

    @property
    def is_spent(self) -> bool:
        """Whether its rate lets no job start now."""
        return self.rate is not None and self.tokens < 1

    @property
    def left(self) -> int | None:
        """How many jobs may start now; None: any number."""
        if self.paused:
            return 0
        limits = [max(0, self.max_running - self.running)] if self.max_running else []
        if self.rate is not None:
            limits.append(int(self.tokens))
        return min(limits, default=None)


FREE = Room()
"""The room of a queue or a key without limits."""
