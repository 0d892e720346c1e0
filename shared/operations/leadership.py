"""Whether this process is the leader, which does what only one process of all hosts may do."""

import time

from orpheus.shared.storage import Store

_TTL_S = 9.0
_RENEW_EVERY_S = 3.0
"""So a leader may miss two renewals, and ten seconds after its death another process leads."""
_NEVER = float("-inf")


class Leadership:
    """Asks for the leadership, renews it and ends it. A slow leader may act once too often."""

    def __init__(self, host: str, incarnation: str) -> None:
        self._host = host
        self._incarnation = incarnation
        self._until_s = _NEVER
        """When its time is over, counted from before it was asked for (time.monotonic)."""
        self._ask_at_s = _NEVER

    def holds(self, store: Store) -> bool:
        """Return whether this process leads now."""
        now_s = time.monotonic()
        if not self.led() or now_s >= self._ask_at_s:
            self._until_s = _NEVER  # also if an error is raised
            ttl_ms = round(_TTL_S * 1000)
            if store.leader.lead(self._host, self._incarnation, ttl_ms):
                self._until_s = now_s + _TTL_S
            self._ask_at_s = now_s + _RENEW_EVERY_S
        return self._until_s > now_s

    def led(self) -> bool:
        """Return whether this process led when it last asked, and its time is not over since.

        Any thread may call it.
        """
        return time.monotonic() < self._until_s

    def resign(self, store: Store) -> None:
        """Let another process lead at once."""
        if self.led():
            self._until_s = _NEVER
            store.leader.resign(self._incarnation)
