"""Listens for the commits of other hosts, on one host."""


class Listening:
    """Rings this host's doorbells for them, until `stop`. On SQLite there are none."""

    def stop(self) -> None:
        """Listen no more; returns at once."""
