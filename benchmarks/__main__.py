"""Measure Orpheus and its peers in turn, in one run, and print the figures with their ratios."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from benchmarks import (
    batch,
    drain,
    functions,
    hosts,
    idle,
    machine,
    pickup,
    pools,
    post,
    publish,
    recovery,
    scale,
    size,
    steady,
    stream,
)
from benchmarks.catalog import ENTRIES, FUNCTIONS, PEERS
from benchmarks.results import Results
from benchmarks.run import Run

MEASURES: dict[str, Callable[[Run], None]] = {
    "drain": drain.measure,
    "hosts": hosts.measure,
    "functions": functions.measure,
    "pickup": pickup.measure,
    "idle": idle.measure,
    "post": post.measure,
    "batch": batch.measure,
    "recovery": recovery.measure,
    "size": size.measure,
    "pools": pools.measure,
    "scale": scale.measure,
    "stream": stream.measure,
    "steady": steady.measure,
}
FULL = (tuple(name for name in MEASURES if name != "steady"), PEERS, 5, 1.0)
QUICK = (("drain",), ("huey",), 1, 0.1)
"""Which measures, with which peers, how many rounds, how much work."""


def chosen(known: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    """Return what reads a list with commas of such names; `none` for none."""

    def read(text: str) -> tuple[str, ...]:
        found = tuple(name for name in text.split(",") if name != "none")
        if unknown := sorted(set(found) - set(known)):
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)} is none of {', '.join(known)}")
        return found

    return read


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add(
        "--only",
        type=chosen(tuple(MEASURES)),
        metavar="MEASURES",
        help=f"some of {', '.join(MEASURES)}",
    )
    add("--peers", type=chosen(PEERS), help=f"some of {', '.join(PEERS)}, or none")
    add("--rounds", type=int, help="of each measure; 5")
    add("--size", type=float, help="how much work; 1 is the full run")
    add("--quick", action="store_true", help="one round of a tenth of a drain, with Huey only")
    add("--json", type=Path, metavar="FILE", help="write the results here")
    add("--results", type=Path, metavar="FILE", help="measure nothing: show the results of a file")
    add("--publish", action="store_true", help="write the README's table, the page and the chart")
    asked = parser.parse_args()
    only, peers, rounds, size = QUICK if asked.quick else FULL
    asked.only = only if asked.only is None else asked.only
    asked.peers = peers if asked.peers is None else asked.peers
    asked.rounds = asked.rounds or rounds
    asked.size = asked.size or size
    return asked


def measured(asked: argparse.Namespace) -> Results:
    """Measure what is asked for."""
    entries = tuple(e for e in ENTRIES if e.name not in PEERS or e.name in asked.peers)
    about = {**machine.describe(), "rounds": str(asked.rounds)}
    versions = machine.versions(entries + FUNCTIONS * ("functions" in asked.only))
    results = Results(about, versions)
    run = Run(entries, asked.rounds, asked.size, results)
    for name in asked.only:
        MEASURES[name](run)
        if asked.json:
            results.save(asked.json)  # what has been measured is kept if a later measure fails
    return results


def main() -> None:
    asked = options()
    # Without compiled modules, each start of a process would be measured with their compilation.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    results = Results.load(asked.results) if asked.results else measured(asked)
    if asked.publish:
        publish.publish(results)
    print(publish.report(results))


if __name__ == "__main__":
    main()
