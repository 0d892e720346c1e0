"""`orpheus types`."""

from collections.abc import Callable
from typing import Any

from orpheus.shared.domain.jobs import Holder, JobError, NewJob
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.storage import Store, TypeRow

Orpheus = Callable[..., Any]


def test_types_are_listed_with_the_defaults_in_force(orpheus: Orpheus, store: Store) -> None:
    out = orpheus("types").out
    assert "n text?" in out
    items = orpheus("types", "--json", "--set", "jobs.max_retries=9").json["items"]
    assert [item["defaults"]["max_retries"] for item in items] == [9, 5]


def test_what_types_cost_is_a_row_for_each(orpheus: Orpheus, store: Store) -> None:
    store.types.replace([TypeRow("resize", "{}", None, None, None, "")])
    for name in ("resize", "of-no-module"):
        store.jobs.submit(NewJob(name))
        (lease,) = store.leases.lease(Holder("default-1", "life-1", 7), ("*",), 1, 30_000)
        finished = Finished(lease, Ending.SUCCEEDED, "null", cpu_s=1.5, max_rss_bytes=40 * 2**20)
        store.leases.finish([finished])
    head, other, resize = orpheus("types", "--stats").out.splitlines()
    assert head.startswith("TYPE    SUCCEEDED  OTHERWISE  SNOOZED  LAST HOUR  RUN P50  RUN P95")
    assert other.startswith("_other  1          0          -        1 done     ")
    assert resize.startswith("resize  1          0          -        1 done     ")
    assert resize.endswith("1.5 s    1.5 s    1.5 s       40.0 MiB")
    (_, item) = orpheus("types", "--stats", "--json").json["items"]
    assert (item["name"], item["ended"], item["cpu_total_s"]) == ("resize", {"succeeded": 1}, 1.5)


def test_a_snooze_is_neither_a_success_nor_a_failure(orpheus: Orpheus, store: Store) -> None:
    store.types.replace([TypeRow("poll", "{}", None, None, None, "")])
    store.jobs.submit_many([NewJob("poll"), NewJob("poll")])
    again, failing = store.leases.lease(Holder("default-1", "life-1", 7), ("*",), 2, 30_000)
    error = JobError("OSError", "no")
    store.leases.finish(
        [
            Finished(again, Ending.SNOOZED, snooze_ms=60_000),
            Finished(failing, Ending.FAILED_PERMANENTLY, error=error),
        ]
    )
    line = orpheus("types", "--stats").out.splitlines()[1]
    assert line.split()[:6] == ["poll", "0", "1", "1", "1", "failed"]
