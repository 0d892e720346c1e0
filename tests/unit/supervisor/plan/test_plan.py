"""What each slot runs, and what of the settings must restart it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orpheus.config.load import load_settings
from orpheus.shared.domain.handover import WorkerHandover
from orpheus.shared.domain.processes import Role
from orpheus.supervisor.plan.plan import Plan, ProcessSpec, make_plan, make_rules
from orpheus.supervisor.policy.slot import Slot

POOLS = ("pools.default.workers=2", "pools.mail.workers=1", 'pools.mail.queues=["mail"]')


def plan(
    *sets: str, socket_fd: int | None = 9, build: str = "", scaled: Mapping[str, int] = {}
) -> Plan:
    return make_plan(load_settings(None, [*POOLS, *sets], {}), socket_fd, build, scaled, sets=())


def specs(*sets: str, socket_fd: int | None = 9, **more: Any) -> dict[str, ProcessSpec]:
    return dict(plan(*sets, socket_fd=socket_fd, **more).specs)


def worker(pool: str) -> Slot:
    return Slot(f"{pool}-1", pool, Role.WORKER)


def program(name: str) -> Slot:
    return Slot(f"{name}-1", name, Role.PROGRAM)


def test_there_is_one_slot_for_each_worker_and_the_api_is_first() -> None:
    assert list(specs()) == ["api", "default-1", "default-2", "mail-1"]
    assert list(specs(socket_fd=None)) == ["default-1", "default-2", "mail-1"]


def test_a_worker_is_handed_the_settings_of_its_pool() -> None:
    spec = specs()["mail-1"]
    assert (spec.role, spec.pool, spec.pass_fds) == (Role.WORKER, "mail", ())
    handed = msgspec.convert(json.loads(json.dumps(spec.handover["settings"])), WorkerHandover)
    assert (handed.pool, handed.queues) == ("mail", ("mail",))


WORKERS = {"default-1", "default-2", "mail-1"}


@pytest.mark.parametrize(
    ("changed", "restarted"),
    [
        ("jobs.timeout=20", {"api", *WORKERS}),
        ('pools.mail.queues=["post"]', {"api", "mail-1"}),
        ("pools.default.workers=3", set()),
        ("pools.other.workers=3", {"api"}),
        ("pools.default.max_jobs=3", {"default-1", "default-2"}),
        ("pools.default.concurrency=4", {"default-1", "default-2"}),
        ("pools.default.max_memory_mb=300", set()),
        ('schedules=[{name="s", every=60, type="sleep"}]', set()),
        ("queues.mail.max_running=1", set()),
        ("retention.done=5", set()),
        ("supervisor.drain_timeout=50", set()),
        ("api.max_clients=5", {"api"}),
        ('commands=[{name="c", argv=["true"]}]', WORKERS),
        ('jobs.modules=["other"]', WORKERS),
    ],
)
def test_the_fingerprint_changes_with_what_a_process_uses(
    changed: str, restarted: set[str]
) -> None:
    before, after = specs(), specs(changed)
    different = {slot for slot in before if before[slot].fingerprint != after[slot].fingerprint}
    assert different == restarted


def test_other_job_code_restarts_workers_only() -> None:
    before, after = specs(build="one"), specs(build="other")
    different = {slot for slot in before if before[slot].fingerprint != after[slot].fingerprint}
    assert different == WORKERS


def test_another_token_in_the_same_file_restarts_the_api_and_is_not_handed_over(
    tmp_path: Path,
) -> None:
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("a" * 32)
    before = specs(f"api.token_file={token}")
    token.write_text("b" * 32)
    after = specs(f"api.token_file={token}")
    different = {slot for slot in before if before[slot].fingerprint != after[slot].fingerprint}
    assert different == {"api"}
    assert "b" * 32 not in json.dumps(after["api"].handover)


def test_each_pool_has_its_own_limits_and_what_is_no_pool_s_has_none() -> None:
    made = plan("pools.mail.max_age=60", "pools.mail.max_memory_mb=100")
    mail = made.rules_of(worker("mail"))
    assert (mail.max_age_s, mail.max_memory_bytes) == (60, 100 * 2**20)
    for slot in (worker("default"), None, worker("gone"), program("mail")):
        assert (made.rules_of(slot).max_age_s, made.rules_of(slot).max_memory_bytes) == (0, 0)


def test_the_rules_are_those_configured_and_leave_a_worker_time_to_release_its_job() -> None:
    settings = load_settings(None, ["supervisor.stop_timeout=20", "heartbeats.timeout=12"], {})
    rules = make_rules(settings)
    assert rules.beat_timeout_s == 12
    assert rules.stop_timeout_s > 20
    assert (rules.crash_loop_failures, rules.crash_loop_window_s) == (6, 180)


WEB = 'programs=[{name="web", argv=["web"], instances=2%s}, {name="db", argv=["db"]}]'


def test_a_program_that_was_removed_still_has_its_time_to_stop() -> None:
    slow = plan('programs=[{name="slow", argv=["true"], stop_timeout="30s"}]')
    one = program("slow")
    for now in (plan(), plan("pools.slow.workers=1")):
        removed = now.after(slow, [one, worker("default")])
        assert removed.rules_of(one).stop_timeout_s == slow.rules_of(one).stop_timeout_s >= 30
    other = plan('programs=[{name="slow", argv=["true"], stop_timeout="1s"}]')
    assert other.after(slow, [one]).rules_of(one).stop_timeout_s < 30
    assert plan().after(removed, []).rules.keys() == plan().rules.keys()


@pytest.mark.parametrize(
    ("changed", "restarted"),
    [
        ("", set()),
        ('cwd="/tmp"', {"web-1", "web-2"}),
        ("env={A=1}".replace("1", '"1"'), {"web-1", "web-2"}),
        ('restart="never"', set()),
        ('stop_signal="INT"', set()),
        ('ready={http="http://localhost/"}', set()),
        ('log_size="1MB"', set()),
        ('after=["db"]', set()),
        ("max_memory_mb=9", set()),
    ],
)
def test_a_program_is_restarted_only_when_what_it_is_started_from_changes(
    changed: str, restarted: set[str]
) -> None:
    before, after = specs(WEB % ""), specs(WEB % (changed and f", {changed}"))
    different = {slot for slot in before if before[slot].fingerprint != after[slot].fingerprint}
    assert different == restarted
    assert {slot for slot in before if before[slot].role is Role.PROGRAM} == {
        "web-1", "web-2", "db-1",
    }  # fmt: skip
