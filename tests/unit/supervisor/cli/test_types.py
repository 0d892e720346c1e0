"""`orpheus types`, `errors`, `release` and `alerts`."""

import re
from collections.abc import Callable
from typing import Any

from orpheus.shared.domain.alerts import AlertRule
from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.handover import JobDefaults, StoredSettings
from orpheus.shared.domain.jobs import JobError, NewJob
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.operations.alerts import fire_alerts
from orpheus.shared.storage import Store, TypeRow
from tests.unit.supervisor.cli.conftest import TIME, WORKER

Orpheus = Callable[..., Any]

TYPES = """\
TYPE   STATE  PAYLOAD   QUEUE    RETRIES  TIMEOUT  DESCRIPTION
count  open   n text?   default  3        15 min   Counts.
words  open   n? text?  mail     5        30 s
"""


def test_types_are_listed_with_the_defaults_in_force(orpheus: Orpheus, store: Store) -> None:
    assert orpheus("types") == (0, TYPES, "")
    items = orpheus("types", "--json", "--set", "jobs.max_retries=9").json["items"]
    assert [item["defaults"]["max_retries"] for item in items] == [9, 5]


def test_failed_jobs_are_a_row_for_each_error(orpheus: Orpheus, store: Store) -> None:
    trace = '  File "/app/jobs.py", line 12, in resize\n'
    for error in ("KeyError", "Bad\x1b[31m", "KeyError"):
        store.jobs.submit(NewJob("count"))
        (lease,) = store.leases.lease(WORKER, ("*",), 1, 30_000)
        failed = JobError(error, "why\nnot", trace)
        store.leases.finish([Finished(lease, Ending.FAILED_PERMANENTLY, error=failed)])
    head, first, second = orpheus("errors").out.splitlines()
    assert re.split("  +", head.strip()) == [
        "TYPE", "ERROR", "WHERE", "JOBS", "LAST HOUR", "OLDEST", "LAST", "NEWEST", "MESSAGE",
    ]  # fmt: skip
    row = rf"count +KeyError +jobs\.py:12 in resize +2 +2 +{TIME} +{TIME} +3 +why\\nnot"
    assert re.fullmatch(row, first)
    assert "Bad" in second and "\x1b" not in second
    (_, item) = orpheus("errors", "--json").json["items"]
    assert (item["where"], item["count"]) == ("jobs.py:12 in resize", 1)


def test_alerts_are_listed_with_when_they_fired(orpheus: Orpheus, store: Store) -> None:
    kinds = ("config.rejected", "worker.fatal")
    store.types.replace([TypeRow("notify", "{}", None, None, None, "")])
    counts = AlertRule("a", kinds, "notify", "{}", after=2, within_s=600)
    store.alerts.configure([counts, AlertRule("b", kinds, "notify", "{}")])
    for _ in range(3):
        store.events.record(Kind.CONFIG_REJECTED, {})
        fire_alerts(store, StoredSettings({}, (), JobDefaults(3, 900.0)))
    fired, held = orpheus("alerts", "--json").json["items"]
    assert (fired["on"], fired["within"], fired["every"]) == ([*kinds], 600, 300)
    head, first, second = orpheus("alerts").out.splitlines()
    assert re.split("  +", head) == [
        "ALERT", "ON", "TYPE", "EVERY", "LAST FIRED", "LAST JOB", "SUPPRESSED",
    ]  # fmt: skip
    told = r"a +config\.rejected, worker\.fatal \(2 in 10 min\) +notify +5 min"
    assert re.fullmatch(rf"{told} +{TIME} +{fired['last_job']} +-", first)
    assert re.fullmatch(rf"b .* {TIME} +{held['last_job']} +2", second)
