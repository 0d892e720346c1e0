"""Results as a run leaves them, for the tests of what is made of them."""

from benchmarks.results import Results


def some_results() -> Results:
    """Return a run with Orpheus, two peers, the ceiling, and a peer that is not installed."""
    found = Results(
        machine={
            "date": "2026-11-25", "cores": "2", "processor": "<CPU>", "memory": "8 GiB",
            "system": "Linux", "python": "3.11", "sqlite": "3.54", "fsync": "0.2 ms", "load": "0.1",
            "rounds": "3",
        },
        versions={"huey": "huey 3.5"},
        skipped={"saq": "no redis-server"},
        remarks={"huey": ["1 of 5,000 jobs ran more than once"]},
    )  # fmt: skip
    drains = {
        "orpheus": (20_000, 24_000, 22_000),
        "huey": (2_000, 1_000, 2_200),
        "celery": (1_100, 1_000, 1_050),
        "ceiling": (40_000, 40_000, 40_000),
    }
    for subject, values in drains.items():
        for value in values:
            found.add("drain", subject, value)
    for subject, ms in (("orpheus", 0.8), ("huey", 26.0)):
        found.add("pick_up_p50", subject, ms)
        found.add("pick_up_p99", subject, 2 * ms)
    found.add("idle_cpu", "orpheus", 0.3)
    found.add("idle_cpu", "huey", 0.2)
    found.add("post", "orpheus", 5_000)
    found.add("post", "bare-fastapi", 6_000)
    return found
