"""Work that someone must do now and then, whoever runs: idempotent steps on the store.

The supervisor does them each second; without one, each lone worker does at its safety poll.
"""

from shared.storage import Store


def reclaim(store: Store) -> list[int]:
    """Take back leases that expired unseen; the ids of their jobs."""
    return store.leases.reclaim_expired()
