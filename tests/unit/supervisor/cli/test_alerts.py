"""`orpheus alerts`."""

from collections.abc import Callable
from typing import Any

from orpheus.shared.domain.alerts import AlertRule
from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.handover import JobDefaults, StoredSettings
from orpheus.shared.operations.alerts import fire_alerts
from orpheus.shared.storage import Store, TypeRow

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
    assert a.split()[-2:] == [str(fired["last_job"]), "-"]
    assert b.split()[-2:] == [str(held["last_job"]), "2"]


def test_without_rules_only_the_head_is_printed(orpheus: Orpheus, store: Store) -> None:
    assert orpheus("alerts").out.splitlines()[0].startswith("ALERT")
