"""Jobs that were submitted some time ago, without waiting for it."""

from collections.abc import Sequence
from unittest.mock import patch

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.storage import Store


def submit_earlier(store: Store, new: Sequence[NewJob], ago_ms: int) -> None:
    """Submit jobs by a clock that is behind."""
    then_ms = store.clock.wall_ms() - ago_ms
    with patch.object(store.clock, "wall_ms", lambda: then_ms):
        store.jobs.submit_many(new)
