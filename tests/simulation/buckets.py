"""The rates of queues and keys, replayed from what started."""

from dataclasses import dataclass

from orpheus.shared.domain.rates import Rate, tokens_now
from tests.simulation.engine import Violation
from tests.simulation.world import SimulatedClock

OfBucket = tuple[str, str | None]
"""A queue and None, or a queue and a key."""


@dataclass(slots=True)
class Bucket:
    """The rate of a queue or of a key."""

    rate: Rate
    tokens: float
    at_mono_ms: int
    boot_id: str

    def take(self, clock: SimulatedClock, of: OfBucket) -> None:
        """A job starts now."""
        now_ms = clock.monotonic_ms()
        held = tokens_now(self.rate, self.tokens, now_ms - self.at_mono_ms)
        if self.boot_id != clock.boot_id:
            held = self.rate.burst
        if held <= 0.999:
            whose = "queue" if of[1] is None else "key"
            raise Violation(f"more starts than a {whose}'s rate allows: {of}, {held}")
        self.tokens, self.at_mono_ms, self.boot_id = held - 1, now_ms, clock.boot_id

    def refund(self) -> None:
        """A job that had not been entered was released."""
        self.tokens = min(self.rate.burst, self.tokens + 1)
