"""Orpheus as a user starts it: the supervisor with the API and two workers."""

import os
import sys

from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.storage import open_store

URL = f"sqlite:///{os.environ['BENCHMARK_FOLDER']}/data/orpheus.db"
VARIANT = os.environ.get("BENCHMARK_SETTINGS", "").split()
SETTINGS = {
    "api.port": "0",
    "pools.default.workers": "2",
    "jobs.modules": "['benchmarks.handlers']",
    "database.url": URL,
    **dict(setting.split("=", 1) for setting in VARIANT),
}
WORKERS = [
    [
        *(sys.executable, "-m", "orpheus.supervisor"),
        *(f"--set={name}={value}" for name, value in SETTINGS.items()),
    ]
]
STORE = open_store(URL, create=True, pools={"default": ("*",)})


def prepare() -> None:
    """Do nothing: the store exists."""


def enqueue_one(n: int) -> None:
    STORE.jobs.submit(_new(n))


def enqueue_many(first: int, count: int) -> None:
    STORE.jobs.submit_many([_new(n) for n in range(first, first + count)])


def left() -> int:
    counts = STORE.stats.counts()
    return counts[Status.PENDING] + counts[Status.IN_PROGRESS]


def _new(n: int) -> NewJob:
    return NewJob("effect", payload=f'{{"n":{n}}}')
