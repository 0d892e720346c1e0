"""What each slot runs, and what of the settings must restart it."""

import json

import pytest

from config.settings import load_settings
from shared.handover import WorkerSettings
from shared.processes import Role
from supervisor.specs import ProcessSpec, make_rules, make_specs

POOLS = ("pools.default.workers=2", "pools.mail.workers=1", 'pools.mail.queues=["mail"]')


def specs(*sets: str, socket_fd: int | None = 9) -> dict[str, ProcessSpec]:
    made = make_specs(load_settings(None, [*POOLS, *sets], {}), socket_fd)
    return {spec.slot: spec for spec in made}


def test_there_is_one_slot_for_each_worker_and_the_api_is_first() -> None:
    assert list(specs()) == ["api", "default-1", "default-2", "mail-1"]
    assert list(specs(socket_fd=None)) == ["default-1", "default-2", "mail-1"]


def test_a_worker_is_handed_the_settings_of_its_pool() -> None:
    worker = specs()["mail-1"]
    assert (worker.role, worker.pool, worker.pass_fds) == (Role.WORKER, "mail", ())
    handed = WorkerSettings.from_json(json.loads(json.dumps(worker.handover["settings"])))
    assert (handed.pool, handed.queues) == ("mail", ("mail",))


def test_the_api_inherits_the_listening_socket_and_knows_its_number() -> None:
    api = specs()["api"]
    assert (api.role, api.pool, api.pass_fds) == (Role.API, None, (9,))
    assert api.handover["socket_fd"] == 9
    assert json.loads(json.dumps(api.handover))["settings"]["api"]["port"] == 8000


@pytest.mark.parametrize(
    ("changed", "restarted"),
    [
        ("jobs.timeout=20", {"api", "default-1", "default-2", "mail-1"}),
        ('pools.mail.queues=["post"]', {"api", "mail-1", "default-1", "default-2"}),
        ("pools.default.workers=3", {"api"}),
        ('schedules=[{name="s", every=60, type="sleep"}]', {"api"}),
        ("queues.mail.max_running=1", {"api"}),
        ('commands=[{name="c", argv=["true"]}]', {"api", "default-1", "default-2", "mail-1"}),
    ],
)
def test_the_fingerprint_changes_with_what_a_process_was_handed(
    changed: str, restarted: set[str]
) -> None:
    before, after = specs(), specs(changed)
    different = {slot for slot in before if before[slot].fingerprint() != after[slot].fingerprint()}
    assert different == restarted


def test_two_readings_of_the_same_settings_give_the_same_fingerprints() -> None:
    first, second = specs(), specs()
    assert {s: x.fingerprint() for s, x in first.items()} == {
        s: x.fingerprint() for s, x in second.items()
    }


def test_the_rules_are_those_configured_and_leave_a_worker_time_to_give_back_its_job() -> None:
    settings = load_settings(None, ["supervisor.stop_timeout=20", "heartbeats.timeout=12"], {})
    rules = make_rules(settings)
    assert rules.beat_timeout_s == 12
    assert rules.stop_timeout_s > 20
    assert (rules.crash_loop_failures, rules.crash_loop_window_s) == (6, 180)
