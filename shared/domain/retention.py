"""How long ended jobs and events are kept."""

import msgspec


class RetentionRules(msgspec.Struct, frozen=True):
    """How long a job is kept after its end, in seconds for each status, and how many events."""

    done_s: float = 7 * 86_400
    failed_s: float = 30 * 86_400
    cancelled_s: float = 7 * 86_400
    events: int = 1_000_000
    """The number of events to keep, the newest ones."""
