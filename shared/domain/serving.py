"""Which queues the pools of a configuration serve."""

from collections.abc import Collection

EVERY_QUEUE = "*"
"""Among the queues of a pool, it stands for all."""


def serves(queues: Collection[str], queue: str) -> bool:
    """Return whether a pool of these `queues` leases jobs of `queue`."""
    return EVERY_QUEUE in queues or queue in queues
