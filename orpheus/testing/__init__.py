"""Runs one attempt, or jobs in a store of their own, for the tests of a job author.

Attempts are run by the worker's own code, on the worker's own store. Only the clock, the processes
and the threads are left out. The API and the supervisor are not imported.
"""

from orpheus.testing.harness import Harness
from orpheus.testing.single import Ran, run

__all__ = ["Harness", "Ran", "run"]
