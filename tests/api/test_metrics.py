"""GET /metrics as Prometheus reads it."""

import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from orpheus.api.routes.metrics import MOST_QUEUES, exposition
from orpheus.shared.domain.jobs import NewJob, Outcome
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.domain.rates import QueueRules
from orpheus.shared.messages.job_types import OTHER
from orpheus.shared.process.crash_cell import CellState

DOCUMENTED = Path(__file__).parents[2] / "docs" / "metrics.md"

Labels = frozenset[tuple[str, str]]


def scrape(api: Any) -> dict[str, dict[Labels, float]]:
    """Every sample by name, then by its labels."""
    answer = api.client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    found: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation.endswith(".")
        assert family.type in ("gauge", "counter", "histogram")
        for sample in family.samples:
            series = found.setdefault(sample.name, {})
            labels = frozenset(sample.labels.items())
            assert labels not in series, sample
            series[labels] = sample.value
    return found


def labels(**values: str) -> Labels:
    return frozenset(values.items())


@pytest.fixture
def supervised(api: Any) -> Any:
    """The application beside a supervisor with three workers, and a worker alone."""
    api.process("supervisor", Role.SUPERVISOR)
    api.process(
        "default-1", last_beat_mono_ms=api.store.clock.monotonic_ms() - 4_000, incarnation="one"
    )
    api.process("default@101", incarnation="alone")
    api.store.processes.put_slots(
        [
            api.slot("supervisor", SlotState.READY, Role.SUPERVISOR),
            api.slot("default-1", SlotState.READY, incarnation="one", restarts=3),
            api.slot("default-2", SlotState.FATAL, pid=None, incarnation=None, rss_bytes=None),
            api.slot("mail-1", SlotState.READY, pool="mail", rss_bytes=5),
        ]
    )
    return api


def test_workers_are_counted_by_pool_and_state(supervised: Any) -> None:
    workers = scrape(supervised)["orpheus_workers"]

    assert workers[labels(pool="default", state="ready")] == 2  # the one that runs alone as well
    assert workers[labels(pool="default", state="fatal")] == 1
    assert workers[labels(pool="mail", state="ready")] == 1
    assert workers[labels(pool="mail", state="fatal")] == 0  # so that an alert can wait for it
    assert len(workers) == 2 * len(SlotState)


def test_each_slot_has_its_restarts_beat_and_memory(supervised: Any) -> None:
    found = scrape(supervised)

    assert found["orpheus_process_restarts_total"] == {
        labels(slot="supervisor"): 0,
        labels(slot="default-1"): 3,
        labels(slot="default-2"): 0,
        labels(slot="mail-1"): 0,
    }
    ages_s = found["orpheus_heartbeat_age_seconds"]
    assert set(ages_s) == {labels(slot="supervisor"), labels(slot="default-1")}
    assert 4 <= ages_s[labels(slot="default-1")] < 14
    resident_bytes = found["orpheus_process_resident_memory_bytes"]
    assert resident_bytes[labels(slot="mail-1")] == 5
    assert labels(slot="default-2") not in resident_bytes


def test_what_a_supervisor_left_behind_is_not_told(api: Any) -> None:
    api.store.processes.put_slots([api.slot("default-1", SlotState.READY, restarts=3)])
    api.store.supervision.count_exit("host-1", "default-1", "crashed")
    api.store.supervision.put_gauge("host-1", "loop_lag_s", 0.25)
    found = scrape(api)

    assert not any("process" in name or "supervisor" in name for name in found)
    assert found["orpheus_workers"][labels(pool="default", state="ready")] == 0


def test_however_many_queues_there_are_their_series_are_bounded(api: Any) -> None:
    names = [f"q{n}" for n in range(MOST_QUEUES + 20)]
    api.store.jobs.submit_many([NewJob("add", queue=name) for name in [*names, *names[:-25]]])
    api.store.queues.configure({"idle": QueueRules(paused=True)})
    jobs = scrape(api)["orpheus_jobs"]

    pending = {dict(key)["queue"]: n for key, n in jobs.items() if dict(key)["status"] == "pending"}
    assert len(pending) == MOST_QUEUES + 1
    assert pending[OTHER] == 25 - 5
    assert sum(pending.values()) == 2 * len(names) - 25
    assert {"q0", "q50"} <= set(pending)  # the largest are those that are named


def test_jobs_are_counted_by_how_they_ended_and_attempts_by_how_long_they_took(api: Any) -> None:
    before = scrape(api)
    assert before["orpheus_jobs_finished_total"][labels(outcome="done")] == 0
    assert before["orpheus_job_run_seconds_count"][labels(outcome="crashed")] == 0
    for _ in range(3):
        api.submit()
        api.run_one()
    api.store.jobs.cancel(api.submit())
    found = scrape(api)

    assert found["orpheus_jobs_finished_total"] == {
        labels(outcome="done"): 3,
        labels(outcome="failed"): 0,
        labels(outcome="cancelled"): 1,
    }
    assert found["orpheus_job_wait_seconds_count"] == {labels(): 3}
    assert found["orpheus_job_wait_seconds_bucket"][labels(le="+Inf")] == 3
    assert found["orpheus_job_wait_seconds_sum"][labels()] >= 0
    runs = found["orpheus_job_run_seconds_count"]
    assert runs[labels(outcome="succeeded")] == 3
    assert set(runs) == {labels(outcome=outcome) for outcome in Outcome}


def test_every_metric_and_its_labels_are_in_the_documentation(supervised: Any) -> None:
    program = supervised.slot("web-1", SlotState.READY, Role.PROGRAM, pool="web")
    supervised.store.processes.put_slots([program])
    supervised.store.supervision.count_exit("host-1", "default-1", "crashed")
    supervised.store.supervision.put_gauge("host-1", "loop_lag_s", 0.25)
    supervised.store.supervision.put_gauge("host-1", "retention_lag_s", 0.0)
    supervised.store.outboxes.remember("shop", "here", 0, [1], refused=1)
    supervised.submit()
    (lease,) = supervised.lease()
    ended = Finished(lease, Ending.SUCCEEDED, "null", cpu_s=0.1, max_rss_bytes=1)
    supervised.store.leases.finish([ended])
    supervised.store.quarantines.after = 1
    supervised.submit()
    (lease,) = supervised.lease()
    supervised.store.leases.free("life-1", CellState(lease.token, running=True))
    text = supervised.client.get("/metrics").text
    found = {}
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        names = sorted({label for one in family.samples for label in one.labels} - {"le"})
        found[name] = family.type, names
    rows = re.findall(
        r"^\| `(orpheus_\w+)` \| (\w+)(?:: ([\w, ]+))? \|", DOCUMENTED.read_text(), re.MULTILINE
    )
    documented = {
        name: (kind, sorted(names.split(", ")) if names else []) for name, kind, names in rows
    }
    assert found == documented


def test_a_scrape_costs_no_more_with_many_jobs(api: Any) -> None:
    api.store.jobs.submit_many([NewJob("add")] * 20_000)
    steps = 0

    def count() -> bool:
        nonlocal steps
        steps += 1
        return False

    with api.store._database._handle as connection:
        connection.set_progress_handler(count, 100)
    exposition(api.store, api.services.options)
    with api.store._database._handle as connection:
        connection.set_progress_handler(None)
    assert steps < 50  # 5,000 steps of SQLite's machine, with 20,000 jobs


def test_figures_of_slots_are_of_the_host_that_answers(api: Any) -> None:
    for host in ("host-1", "host-2"):
        api.process("supervisor", Role.SUPERVISOR, host=host, incarnation=host)
        api.store.processes.put_slots(
            [
                api.slot("supervisor", SlotState.READY, Role.SUPERVISOR, host=host),
                api.slot("default-1", SlotState.READY, host=host, restarts=len(host)),
            ]
        )
        api.store.supervision.count_exit(host, "default-1", "crashed")
    lines = api.client.get("/metrics").text.splitlines()
    assert lines.count('orpheus_process_restarts_total{slot="default-1"} 6.0') == 1
    assert 'orpheus_process_exits_total{cause="crashed",slot="default-1"} 1.0' in lines
    assert 'orpheus_workers{pool="default",state="ready"} 2.0' in lines
