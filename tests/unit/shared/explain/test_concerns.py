"""What needs a person: each concern once, with its sentence and its command."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.processes import LastExit, Role, SlotState
from orpheus.shared.domain.quarantine import Crash, Quarantine
from orpheus.shared.domain.rates import Rate
from orpheus.shared.domain.rooms import Room
from orpheus.shared.domain.steps import LongWaits
from orpheus.shared.explain.facts import Facts, Pool, QueueFacts, SystemFacts
from orpheus.shared.explain.reasons import of_system
from orpheus.shared.explain.sentences import command_of, headline, text_of
from orpheus.shared.messages.encoding import time_of
from orpheus.shared.messages.status import ConcernCode
from orpheus.shared.messages.workers import Failure, Worker, exit_of
from orpheus.shared.storage import (
    Acknowledgement,
    DueInQueue,
    Flow,
    NextJob,
    Pause,
    QueueRow,
    Standstill,
)
from tests.explained import supervisor, worker

NOW_MS = 1_800_000_000_000
OPEN = QueueRow("mail", paused=False, max_running=0, rate=None)
PAUSED = replace(OPEN, paused=True)
STARTING = worker(state=SlotState.STARTING)
BACKOFF = worker(state=SlotState.BACKOFF, reason="exited with code 1")
API = worker("api", role=Role.API, pool=None)
WELL = SystemFacts()
FAILED_AT = Failure(at=time_of(NOW_MS - 60_000), reason="exited with code 1")
CRASH = exit_of(LastExit(NOW_MS, "", None, 1, None, failed=True, jobs=(7,)))


def facts(*workers: Worker, waits_s: float = 0, due: int = 3, **queue: Any) -> Facts:
    """Return facts about queue `mail` with `due` jobs, the first of them due for `waits_s`."""
    shown = [supervisor(), *(workers or [worker()])]
    of_pool = [one for one in shown if one.pool == "default"]
    ready = [one for one in of_pool if one.state is SlotState.READY and not one.silent]
    others = [one for one in of_pool if one not in ready]
    waiting = DueInQueue(due, NOW_MS - round(1000 * waits_s), NextJob("mail", "noop"))
    fields = {"rule": OPEN, "counts": {Status.PENDING: due}, "due": waiting}
    mail = QueueFacts(**{**fields, **queue})
    pools = [Pool("default", ["*"], ready, others)]
    return Facts(NOW_MS, shown, pools, {"mail": mail} if due else {})


def quiet(*workers: Worker, **more: Any) -> Facts:
    return msgspec.structs.replace(facts(*workers, due=0), **more)


def told(facts: Facts, system: SystemFacts = WELL) -> list[tuple[str, str, str | None, str | None]]:
    found = of_system(facts, system)
    return [(one.code, text_of(one), command_of(one), one.by) for one in found]


HELD = {"noop": Quarantine("noop", NOW_MS, [Crash(7, 1, "default-1", 101, NOW_MS, "SIGSEGV")])}
FULL = Standstill(None, None, why="the disk is full")
LONG = LongWaits(7, "onboard", "approval", "42", NOW_MS - 31 * 86_400_000, 4)
CASES: list[tuple[Facts, SystemFacts, str, str, str | None, str | None]] = [
    (quiet(), SystemFacts(standstill=Standstill(3.0, 17, "sqlite3")), "no_writes",
     "Process 17 (sqlite3) holds the database's write lock; nothing has been written for 3 s.",
     "ps -fp 17", None),
    (quiet(), SystemFacts(standstill=FULL), "no_writes",
     ("The database cannot be written: the disk is full. No job can start or finish, and the "
     "process states may be out of date."), None, None),
    (quiet(workers=[supervisor(state=SlotState.STOPPING)]), WELL, "stopping",
     "Orpheus is stopping. Nothing will be started or restarted.", None,
     "slot supervisor"),
    (quiet(workers=[]), WELL, "nothing_runs", "Orpheus is not running.", "orpheus", None),
    (quiet(workers=[], moved="its jobs were moved to b.db"), WELL, "nothing_runs",
     "Orpheus is not running: its jobs were moved to b.db.", None, None),
    (quiet(workers=[worker()]), SystemFacts(gone=9), "nothing_runs",
     ("The supervisor (process 9) is gone; default-1 runs without a supervisor, so nothing will "
     "be restarted."), "orpheus", None),
    (quiet(supervisor(rejected="no pool")), WELL, "configuration_rejected",
     "The newest configuration or job code is not in force: no pool.",
     "orpheus config check --modules", None),
    (facts(STARTING, waits_s=20), WELL, "no_worker_ready",
     "No worker is ready; 3 jobs are waiting, the oldest for 20 s.", "orpheus workers", None),
    (quiet(*(worker(f"default-{n}", state=SlotState.FATAL, reason="no module a") for n in (1, 2)),
     worker("default-3")), WELL, "slot", "default-1 and default-2 failed (fatal): no module a.",
     "orpheus restart default-1 default-2", "slot default-1"),
    (quiet(worker(degraded=True, reason="leaks")), WELL, "slot", "default-1 is degraded: leaks.",
     None, "slot default-1"),
    (quiet(worker(), worker("site-1", role=Role.PROGRAM, state=SlotState.FATAL)), WELL, "slot",
     "site-1 failed (fatal).", "orpheus logs site-1", "slot site-1"),
    (quiet(worker(failed_lately=3, last_failure=FAILED_AT, recent_exits=(CRASH,))),
     SystemFacts(crashing={7: "pay"}), "restless",
     "default-1 failed 3 times in the last 10 min (last: job 7 of type pay, exited with code 1).",
     "orpheus workers default-1", "slot default-1"),
    (quiet(worker(failed_lately=3, last_failure=FAILED_AT)), WELL, "restless",
     "default-1 failed 3 times in the last 10 min (last: exited with code 1).",
     "orpheus workers default-1", "slot default-1"),
    (quiet(worker(silent=True, heartbeat_age_s=16.0), worker("default-2")), WELL, "silent",
     "No heartbeat from default-1 for 16 s; it counts as dead after 30 s.",
     "orpheus stack default-1", "slot default-1"),
    (quiet(workers=[supervisor(silent=True, heartbeat_age_s=16.0)]), WELL, "silent",
     "No heartbeat from the supervisor for 16 s; nothing can be started, restarted or stopped.",
     "orpheus workers", "slot supervisor"),
    (quiet(quarantined=HELD), WELL, "type_quarantined",
     "noop is quarantined after crashing 1 worker (last: job 7 on default-1, SIGSEGV).",
     "orpheus release noop", "type noop"),
    (quiet(), SystemFacts(ended={"pay": (7, 3), "well": (97, 3)}), "type_failing",
     "pay: 3 of 10 jobs failed in the last 5 min.",
     "orpheus errors", "type pay"),
    (quiet(), SystemFacts(ended={"pay": (0, 3)}, failing={"pay": 9}), "type_failing",
     "pay: all 9 jobs failed in the last hour.", "orpheus errors",
     "type pay"),
    (facts(rule=PAUSED, pause=Pause("cli:ada", "a release")), WELL, "queue_paused",
     "Queue mail is paused by cli:ada: a release; 3 jobs are waiting.", "orpheus resume mail",
     "queue mail"),
    (msgspec.structs.replace(facts(), pools=[Pool("default", ["video"], [worker()])]), WELL,
     "no_pool", "No pool serves queue mail; 3 jobs are waiting.", None, "queue mail"),
    (msgspec.structs.replace(facts(waits_s=16), pools=[Pool("default", ["mail"], [], [BACKOFF]),
     Pool("other", ["x"], [worker()])]), WELL, "no_worker",
     ("Pool default has no ready worker: default-1 is in backoff (exited with code 1); 3 jobs are "
     "waiting in queue mail, the oldest for 16 s."), "orpheus workers", "queue mail"),
    (msgspec.structs.replace(facts(), pools=[Pool("default", ["mail"])]), WELL, "no_worker",
     "Pool default has no workers; 3 jobs are waiting in queue mail.",
     "orpheus scale default 1", "queue mail"),
    (facts(worker(jobs_in_progress=1), waits_s=61), WELL, "queue_late",
     ("Pool default cannot keep up; 3 jobs are waiting in queue mail, the oldest for 1 min 1 s."),
     "orpheus queues", "pool default"),
    (facts(rule=replace(OPEN, max_running=2, rate=Rate(1, 1)), flow=Flow(90, 60), waits_s=61), WELL,
     "queue_late", ("Queue mail is delayed by its limit (2 running and 1/s); 3 jobs are waiting, "
     "the oldest for 1 min 1 s."), "orpheus queues", "queue mail"),
    (quiet(), SystemFacts(late_schedules=[("nightly", 90.0)]), "schedule_late",
     "Schedule nightly is 1 min 30 s late.", "orpheus schedules",
     "schedule nightly"),
    (quiet(), SystemFacts(long_waits=LONG), "waits_long",
     ("Job 7 (onboard) has waited 31 d for the signal approval of key 42; 3 more do."),
     "orpheus why 7", "job 7"),
    (quiet(), SystemFacts(retention_lag_s=60.0), "retention_late",
     "Cleanup is behind: the oldest expired job or event is 1 min overdue.",
     None, None),
    (quiet(), SystemFacts(free_bytes=99_000_000, database="a.db"), "little_space",
     "Only 99 MB of disk space left for a.db.", None, None),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "system", "code", "text", "command", "by"), CASES)
def test_each_concern_has_its_sentence_and_command(
    facts: Facts, system: SystemFacts, code: str, text: str, command: str | None, by: str | None
) -> None:
    assert told(facts, system) == [(code, text, command, by)]


def test_no_code_is_without_a_case() -> None:
    assert {case[2] for case in CASES} == {*ConcernCode}


LIMITED = replace(OPEN, rate=Rate(1, 1))


@pytest.mark.parametrize(
    "facts",
    [
        quiet(API, worker()),
        quiet(STARTING),
        facts(STARTING, waits_s=14),
        facts(worker(jobs_in_progress=1), waits_s=59),
        facts(rule=LIMITED, room=Room(rate=Rate(1, 1), tokens=0), waits_s=3_600),
        facts(rule=LIMITED, room=Room(rate=Rate(1, 1), tokens=1), waits_s=3_600),
        facts(worker(jobs_in_progress=1), flow=Flow(60, 61), waits_s=3_600),
        facts(due=0, rule=PAUSED),
        quiet(worker(failed_lately=2)),
    ],
)
def test_what_passes_by_itself_or_is_meant_so_needs_no_person(facts: Facts) -> None:
    assert told(facts) == []


def test_a_quarantined_type_is_one_problem_with_the_crashes_and_failures_of_its_jobs() -> None:
    slots = (worker(failed_lately=9, recent_exits=(CRASH,)), worker("default-2"))
    ended, crashing = {"noop": (0, 9), "pay": (0, 3)}, {7: "noop"}
    found = told(quiet(*slots, quarantined=HELD), SystemFacts(ended=ended, crashing=crashing))
    assert [code for code, *_ in found] == ["type_quarantined", "type_failing"]
    assert found[1][1].startswith("pay")


def test_time_in_which_no_supervisor_ran_is_no_fault_of_the_workers() -> None:
    late = facts(worker(jobs_in_progress=1), waits_s=3_600)
    just_started = [supervisor(uptime_s=10.0), worker(jobs_in_progress=1)]
    assert told(late)
    assert not told(msgspec.structs.replace(late, workers=just_started))


def test_queues_that_wait_for_the_same_make_one_concern() -> None:
    found = facts(waits_s=61)
    pools = [Pool("default", ["*"], [], [BACKOFF]), Pool("x", ["x"], [worker()])]
    mail = found.queues["mail"]
    news = msgspec.structs.replace(mail, rule=replace(OPEN, name="news"))
    queues = {"mail": mail, "news": news}
    ((code, text, _, by),) = told(msgspec.structs.replace(found, pools=pools, queues=queues))
    assert (code, by) == ("no_worker", "queue mail")
    assert "6 jobs are waiting in queues mail and news" in text
    late = msgspec.structs.replace(facts(worker(jobs_in_progress=1)), queues=queues)
    assert [by for *_, by in told(late)] == ["pool default"]


def test_problems_that_stop_work_come_first_and_acknowledged_ones_last_until_they_get_worse() -> (
    None
):
    late = [("nightly", 90.0)]
    found = quiet(worker(failed_lately=4), worker("default-2", state=SlotState.FATAL))
    known = Acknowledgement("slot", "default-2", NOW_MS + 1, "cli:ada", "disk swap", 0, 1)
    calls = {("slot", "default-2"): known}

    def codes(facts: Facts, calls: dict[tuple[str, str], Acknowledgement]) -> list[str]:
        system = SystemFacts(late_schedules=late, free_bytes=1, acknowledged=calls)
        return [reason.code for reason in of_system(facts, system)]

    assert codes(found, {}) == ["slot", "little_space", "restless", "schedule_late"]
    assert codes(found, calls) == ["little_space", "restless", "schedule_late", "slot"]
    two = [worker(f"default-{n}", state=SlotState.FATAL) for n in (2, 3)]
    assert codes(quiet(*two), calls)[0] == "slot"
    less = {("slot", "default-2"): known._replace(severity=1)}
    assert codes(found, less)[0] == "slot"


@pytest.mark.parametrize(
    ("concerns", "workers", "ready", "has_jobs", "text"),
    [
        (1, 1, 1, True, "One problem needs your attention."),
        (2, 0, 0, True, "2 problems need your attention."),
        (0, 0, 0, True, "No worker is running."),
        (0, 2, 0, True, "Starting up."),
        (0, 2, 1, True, "Some workers are not ready."),
        (0, 2, 2, True, "All is well."),
        (0, 2, 2, False, "Ready for the first job."),
    ],
)
def test_one_sentence_says_how_the_system_is(
    concerns: int, workers: int, ready: int, has_jobs: bool, text: str
) -> None:
    assert headline(concerns, 0, workers=workers, ready=ready, has_jobs=has_jobs) == text
