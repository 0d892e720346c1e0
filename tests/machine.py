"""What a test must know of the machine it runs on."""

import os

PATIENCE_S = 60.0
"""How long a test waits before it fails. On a busy machine it must be far more than is needed."""


def slowness() -> float:
    """Return how many times longer things take now: the processes that share a core; at least 1.

    A bound that is a promise of the product is multiplied by this.
    """
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
