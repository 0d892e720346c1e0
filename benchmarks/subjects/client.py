"""The client of one system, in a process of its own: `python -m benchmarks.subjects.client NAME`.

It reads a command a line and answers each with a line of JSON. So no library of a peer is loaded
into the process that measures, and every system's client starts and stops in the same way.
"""

import json
import os
import random
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import effects
from benchmarks.effects import Effects

GAP_S = (0.01, 0.05)


class Client:
    """What the measuring process may ask for, by name."""

    def __init__(self, subject: Any, log: Effects) -> None:
        self._subject = subject
        self._log = log

    def workers(self) -> list[list[str]]:
        """Return the commands that start the workers."""
        return list(self._subject.WORKERS)

    def prepare(self) -> None:
        self._subject.prepare()

    def many(self, first: int, count: int) -> float:
        """Enqueue these jobs in the fastest way. Returns how long it took, in seconds."""
        return _seconds(lambda: self._subject.enqueue_many(first, count))

    def each(self, first: int, count: int) -> float:
        """Enqueue these jobs one by one. Returns how long it took, in seconds."""

        def one_by_one() -> None:
            for n in range(first, first + count):
                self._subject.enqueue_one(n)

        return _seconds(one_by_one)

    def left(self) -> int:
        return int(self._subject.left())

    def pick_up(self, first: int, count: int, limit_s: float) -> list[float]:
        """Enqueue a job, wait until it has run, and so on.

        Returns how long each took from the moment it was stored to its handler's first line, in
        seconds; fewer than `count` if `limit_s` is over.
        """
        took_s = []
        until = time.monotonic() + limit_s
        for n in range(first, first + count):
            if time.monotonic() > until:
                break
            self._subject.enqueue_one(n)
            stored_s = time.monotonic()
            while not self._log.seen(n, 1):
                time.sleep(0.005)
            took_s.append(max(0.0, self._log.time_of(n) - stored_s))
            time.sleep(random.uniform(*GAP_S))
        return took_s


def _seconds(work: Callable[[], None]) -> float:
    began_s = time.monotonic()
    work()
    return time.monotonic() - began_s


def main(name: str) -> None:
    log = Effects(Path(os.environ[effects.FOLDER]), int(os.environ[effects.JOBS]))
    client = Client(import_module(f"benchmarks.subjects.{name}"), log)
    for line in sys.stdin:
        command, *arguments = json.loads(line)
        print(json.dumps(getattr(client, command)(*arguments)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
