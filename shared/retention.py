"""What is kept how long: plain data, made from the settings by whoever reads them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetentionRules:
    """How long a job is kept after its end, in seconds by its status, and how many events."""

    done_s: float
    failed_s: float
    cancelled_s: float
    events: int
    """The newest so many."""
