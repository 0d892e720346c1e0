"""What hears of the commits of other hosts, on one host."""


class Listening:
    """Rings this host's doorbells for them, until `stop`. This one: there are no others."""

    def stop(self) -> None:
        """Listen no more; returns at once."""
