"""Orpheus as a user starts it: the supervisor with the API and two workers.

On PostgreSQL, the setting `hosts=N` makes it as many hosts, of which the first has the API.
`type=NAME` submits jobs of another type.
"""

import functools
import os
import sys

from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import Store, open_store

FOLDER = os.environ["BENCHMARK_FOLDER"]
URL = os.environ.get("BENCHMARK_SERVER") or f"sqlite:///{FOLDER}/data/orpheus.db"
VARIANT = dict(
    setting.split("=", 1) for setting in os.environ.get("BENCHMARK_SETTINGS", "").split()
)
HOSTS = int(VARIANT.pop("hosts", "1"))
TYPE = VARIANT.pop("type", "effect")
SETTINGS = {
    "api.port": "0",
    "pools.default.workers": "2",
    "jobs.modules": "['benchmarks.handlers']",
    "database.url": URL,
    **VARIANT,
}


def _host(n: int) -> list[str]:
    """Return the command of a host."""
    settings, program = SETTINGS, ["orpheus.supervisor"]
    if HOSTS > 1:
        program = ["tests.named_host", f"host-{n}"]
        own = {"database.state_dir": f"{FOLDER}/host-{n}", "api.enabled": str(n == 0).lower()}
        settings = {**SETTINGS, **own}
    sets = [f"--set={name}={value}" for name, value in settings.items()]
    return [sys.executable, "-m", *program, *sets]


WORKERS = [_host(n) for n in range(HOSTS)]


@functools.cache
def _store() -> Store:
    return open_store(URL, create=True, pools={"default": ("*",)})


def prepare() -> None:
    _store()


def enqueue_one(n: int) -> None:
    _store().jobs.submit(_new(n))


def enqueue_many(first: int, count: int) -> None:
    _store().jobs.submit_many([_new(n) for n in range(first, first + count)])


def left() -> int:
    counts = _store().stats.counts()
    return counts[Status.PENDING] + counts[Status.IN_PROGRESS]


def _new(n: int) -> NewJob:
    return NewJob(TYPE, payload=f'{{"n":{n}}}')
