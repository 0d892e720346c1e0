"""What a rule has seen is stored, counts once, and makes one job."""

import json
from math import inf
from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.alerts import AlertRule, RuleState, decide
from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.handover import RetentionRules
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.messages.alerts import alerts_of
from orpheus.shared.operations.alerts import refused_alerts
from orpheus.shared.storage import Store
from tests.contract.alert_rules import LATE, NOTIFY, RULE, SETTINGS, alerts, look
from tests.contract.conftest import Fail, FakeClock

pytestmark = pytest.mark.usefixtures("notify")


def test_a_failure_makes_one_job_for_all_who_look(
    store: Store, another: Any, fail: Fail, clock: FakeClock
) -> None:
    store.alerts.configure([RULE])
    job_id = fail()
    for one in (store, another(), store):
        look(one)
    (told,) = alerts(store)
    assert told["alert"]["text"] == f"ops: job {job_id} (resize) failed: ValueError"
    assert (told["alert"]["job"], told["alert"]["queue"]) == (job_id, "default")
    (row,) = store.alerts.all()
    (job,) = store.jobs.page(JobFilter(queue="alerts"), 10)
    assert (row.last_job_id, job.type, job.tags) == (job.id, "notify", ("ops",))
    assert alerts_of(store).items[0].firing
    clock.advance(300_000)
    assert not alerts_of(store).items[0].firing


def test_one_who_read_a_rule_before_another_fired_it_fires_it_no_more(
    store: Store, another: Any, fail: Fail
) -> None:
    store.alerts.configure([RULE])
    fail()
    (stale,) = store.alerts.all()
    look(another())
    job = NewJob("notify", queue="alerts")
    assert store.alerts.move(stale, stale.seq + 1, RuleState(), job) is None
    assert len(alerts(store)) == 1
    (row,) = store.alerts.all()
    assert row.state.fired_ms is not None


def test_a_rule_begins_with_what_happens_after_it_was_added(store: Store, fail: Fail) -> None:
    fail()
    store.alerts.configure([RULE])
    look(store)
    assert alerts(store) == []
    fail()
    look(store)
    assert len(alerts(store)) == 1


def test_a_restart_keeps_what_a_rule_has_seen(store: Store, another: Any, fail: Fail) -> None:
    counts_three = replace(RULE, after=3, within_s=600)
    store.alerts.configure([counts_three])
    for _ in range(3):
        restarted = another()
        restarted.alerts.configure([counts_three])
        fail()
        look(restarted)
    assert len(alerts(store)) == 1


def test_a_removed_rule_fires_no_more_and_one_of_its_name_begins_anew(
    store: Store, fail: Fail
) -> None:
    store.alerts.configure([RULE])
    fail()
    store.alerts.configure([])
    look(store)
    store.alerts.configure([RULE])
    look(store)
    assert alerts(store) == []


def test_jobs_of_alerts_fire_no_rule(store: Store, fail: Fail) -> None:
    store.alerts.configure([RULE, replace(LATE, after=1)])
    fail("alerts")
    store.jobs.submit(NewJob("notify", queue="alerts", run_at_ms=1))
    look(store)
    assert len(alerts(store)) == 2


def test_events_that_were_deleted_unread_count_for_nothing(
    store: Store, fail: Fail, log_lines: list[str]
) -> None:
    store.alerts.configure([RULE])
    fail()
    for _ in range(300):
        store.events.record(Kind.CONFIG_RELOADED, {})
    store.maintenance.checkpoint()  # which numbers the events of PostgreSQL
    while store.retention.step(RetentionRules(events=100)):
        pass
    look(store)
    assert alerts(store) == []
    assert any("alerts_missed_events" in line for line in log_lines)
    fail()
    look(store)
    assert len(alerts(store)) == 1


def test_an_alert_whose_job_is_refused_by_now_is_logged_once_and_told_when_it_is_accepted(
    store: Store, fail: Fail, log_lines: list[str]
) -> None:
    gone = replace(RULE, name="gone", type="gone")
    store.alerts.configure([gone, RULE])
    job_ids = [fail()]
    assert look(store) == inf
    job_ids.append(fail())
    assert look(store) >= 0
    (told,) = alerts(store)
    assert told["alert"]["rule"] == "ops", "it holds up no other"
    assert log_lines.count("alert_refused") == 1
    store.types.replace([NOTIFY, replace(NOTIFY, name="gone")])
    look(store)
    look(store)
    late, _ = alerts(store)
    assert (late["alert"]["rule"], late["alert"]["job"]) == ("gone", job_ids[-1])
    assert late["alert"]["held_back"] == 1


def test_a_rule_that_cannot_be_evaluated_is_logged_once_and_silences_no_other(
    store: Store, fail: Fail, log_lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def decide_but_for_bad(rule: AlertRule, *seen: Any) -> Any:
        if rule.name == "bad":
            raise KeyError(rule.name)
        return decide(rule, *seen)

    monkeypatch.setattr("orpheus.shared.operations.alerts.decide", decide_but_for_bad)
    store.alerts.configure([replace(RULE, name="bad"), RULE])
    fail()
    look(store)
    look(store)
    (told,) = alerts(store)
    assert told["alert"]["rule"] == "ops"
    assert log_lines.count("alert_failed") == 1
    bad, other = store.alerts.all()
    assert bad.seq == other.seq, "it holds up no other"


def test_a_rule_whose_job_would_be_refused_is_found_before_it_is_needed() -> None:
    strict = {"type": "object", "properties": {"job": {"type": "integer"}}, "required": ["job"]}
    row = replace(NOTIFY, schema=json.dumps({**strict, "additionalProperties": False}))

    def refused(**changes: Any) -> dict[int, str]:
        rule = replace(RULE, **{"payload": '{"job": "{job}"}', **changes})
        found = refused_alerts({"notify": row}, replace(SETTINGS, alerts=(rule,)))
        return {index: why for (_, index), why in found}

    assert refused() == {}
    assert "payload.text" in refused(payload='{"job": 1, "text": "{text}"}')[0]
    assert "'ops' cannot make its job" in refused(on=("job.failed", "worker.fatal"))[0]
    assert "no job type is called 'notfy'; did you mean 'notify'?" in refused(type="notfy")[0]
    assert 'add its module, "orpheus.worker.handlers", to jobs' in refused(type="webhook")[0]
    row = replace(NOTIFY, schema='{"properties": {"a": {"enum": ["trigger"]}}}')
    late = {"on": ("queue.late",), "within_s": 60, "payload": '{"a": "{action}"}'}
    assert refused(**late) == {}
    assert "payload.a" in refused(**late, resolved=True)[0]
