"""What is kept how long: plain data, made from the settings by whoever reads them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetentionRules:
    """How long a job is kept after its end, in seconds by its status, and how many events."""

    done_s: float = 7 * 86_400
    failed_s: float = 30 * 86_400
    cancelled_s: float = 7 * 86_400
    events: int = 1_000_000
    """The newest so many."""
