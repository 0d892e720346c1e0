"""What the tests of a job author use: one attempt, or jobs in a store of their own. No program.

Attempts are run by the worker's own code, on the worker's own store: only the clock, the processes
and the threads are left out.
"""

from orpheus.testing.harness import Harness
from orpheus.testing.single import Ran, run

__all__ = ["Harness", "Ran", "run"]
