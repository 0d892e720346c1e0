"""One run of measures: what is asked for, what has been found, and what could not be measured."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.catalog import Entry
from benchmarks.results import Results
from benchmarks.servers import NotMeasured


@dataclass(frozen=True)
class Run:
    """The options of a run. `size` scales how much each measure does, 1 for the full run."""

    entries: tuple[Entry, ...]
    rounds: int
    size: float
    results: Results

    def number(self, full: int) -> int:
        """Return how many of something to do."""
        return max(50, int(full * self.size))

    def entries_of(self, round: int) -> tuple[Entry, ...]:
        """Return the systems of this round: those that goals name in all, the others in three."""
        return tuple(one for one in self.entries if round < 3 or one.in_every_round)

    @contextmanager
    def trying(self, subject: str, what: str) -> Iterator[None]:
        """Note why a subject cannot be measured, and go on."""
        began_s = time.monotonic()
        try:
            yield
        except NotMeasured as error:
            reason = str(error).partition("\n")[0]
            print(f"{what:10} {subject:14} not measured: {error}", file=sys.stderr)
            self.results.skipped.setdefault(subject, reason)
        else:
            took_s = time.monotonic() - began_s
            print(f"{what:10} {subject:14} {took_s:5.1f} s", file=sys.stderr)
