"""`orpheus alerts`."""

import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from orpheus.shared.domain.alerts import AlertRule
from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.handover import JobDefaults, StoredSettings
from orpheus.shared.domain.jobs import Holder, JobError
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.operations.alerts import fire_alerts
from orpheus.shared.storage import Store, TypeRow
from orpheus.supervisor.cli.alerts import _COLUMNS
from orpheus.supervisor.cli.table import fitted

Orpheus = Callable[..., Any]
KINDS = ("config.rejected", "worker.fatal")


def test_rules_are_listed_with_their_last_job(orpheus: Orpheus, store: Store) -> None:
    store.types.replace([TypeRow("notify", "{}", None, None, None, "")])
    counts = AlertRule("a", KINDS, "notify", "{}", after=2, within_s=600)
    store.alerts.configure([counts, AlertRule("b", KINDS, "notify", "{}")])
    for _ in range(3):
        store.events.record(Kind.CONFIG_REJECTED, {})
        fire_alerts(store, StoredSettings({}, (), JobDefaults(3, 900.0)))
    fired, held = orpheus("alerts", "--json").json["items"]
    assert (fired["on"], fired["within"], fired["every"]) == ([*KINDS], 600, 300)
    assert (fired["held_back"], held["held_back"]) == (0, 2)
    assert fired["last_fired"] and fired["last_job"] != held["last_job"]
    head, a, b = orpheus("alerts").out.splitlines()
    assert head.split()[:2] == ["ALERT", "ON"]
    assert "config.rejected, worker.fatal (2 in 10 min)" in a
    assert a.split()[-3:] == [str(fired["last_job"]), "pending", "-"]
    assert b.split()[-3:] == [str(held["last_job"]), "pending", "2"]


def test_the_last_job_tells_what_became_of_it(
    orpheus: Orpheus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.types.replace([TypeRow("notify", "{}", None, None, None, "")])
    store.alerts.configure([AlertRule("a", KINDS, "notify", "{}")])
    store.events.record(Kind.CONFIG_REJECTED, {})
    fire_alerts(store, StoredSettings({}, (), JobDefaults(3, 900.0)))
    (lease,) = store.leases.lease(Holder("default-1", "life-1", 7), ("*",), 1, 30_000)
    failed = Finished(lease, Ending.FAILED, error=JobError("OSError", "nobody listens", ""))
    store.leases.finish([failed])
    assert re.search(r" 1 pending after 1 attempt +-$", orpheus("alerts").out)
    with monkeypatch.context() as terminal:
        terminal.setattr(sys.stdout, "isatty", lambda: True)
        assert re.search(r"  \d+ m?s ago  ", orpheus("alerts").out)
    store.jobs.cancel(1)
    store.jobs.delete(1)
    assert re.search(r" 1 deleted +-$", orpheus("alerts").out)


def test_a_narrow_terminal_shows_what_became_of_the_last_job() -> None:
    rule = ("job-failed", "failed, timed_out", "notify", "5 min", "23 h 59 min ago")
    fired = (*rule, "2278 pending after 5 attempts", "-")
    head, row = (
        re.split("  +", "  ".join(line).rstrip()) for line in fitted(_COLUMNS, [fired], 80)
    )
    assert head == ["ALERT", "ON", "TYPE", "EVERY", "LAST FIRED", "LAST JOB"]
    assert row[-1].startswith("2278 pending")
    names, *_ = fitted(_COLUMNS, [(*rule, "2278 done", "3")], 80)
    assert [name.rstrip() for name in names][-2:] == ["LAST JOB", "HELD BACK"]


def test_without_rules_only_the_head_is_printed(orpheus: Orpheus, store: Store) -> None:
    assert orpheus("alerts").out.splitlines()[0].startswith("ALERT")
