"""What is wrong with the system, for jobs that ask."""

from orpheus.shared.explain.answers import trouble_of
from orpheus.shared.storage import Store


def trouble(store: Store, beat_timeout_s: float) -> list[str]:
    """Return a sentence for each concern about the system; not for those about what jobs do."""
    return trouble_of(store, beat_timeout_s)
