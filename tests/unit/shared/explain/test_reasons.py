"""Each reason why a job or a queue waits, once: its code, text, command and who holds it back."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from orpheus.shared.domain.jobs import Dependency, Job, JobError, Outcome, Status
from orpheus.shared.domain.processes import SlotState
from orpheus.shared.domain.quarantine import Crash, Quarantine
from orpheus.shared.domain.rates import Rate
from orpheus.shared.domain.rooms import Room
from orpheus.shared.domain.steps import Step, StepKind, StepState
from orpheus.shared.explain.facts import Facts, Pool, QueueFacts
from orpheus.shared.explain.reasons import Reason, of_job, of_queue
from orpheus.shared.explain.sentences import SENTENCES, command_of, text_of
from orpheus.shared.messages.queues import Code
from orpheus.shared.storage import DueInQueue, JobFacts, NextJob, Pause, QueueRow
from tests.explained import worker

NOW_MS = 1_800_000_000_000
JOB = Job(
    id=10, type="noop", payload="{}", status=Status.PENDING, queue="mail", priority=0, result=None,
    error=None, attempt=2, max_retries=3, timeout_s=9.0, progress=None, message=None,
    created_at_ms=NOW_MS, run_at_ms=NOW_MS, freed_at_ms=None, started_at_ms=None,
    finished_at_ms=None, worker=None, unique_key=None, concurrency_key=None, depends_on=(), tags=(),
    cancel_requested=False,
)  # fmt: skip
NEXT = NextJob("mail", "noop")
OPEN = QueueRow("mail", paused=False, max_running=0, rate=None)
FREE, BUSY = worker(), worker(jobs_in_progress=1)
CRASHES = [Crash(7, 1, "default-1", 101, NOW_MS, "SIGSEGV")]
HELD = Quarantine("noop", NOW_MS, CRASHES)
FULL = Room(max_running=1, running=1)
SPENT = Room(rate=Rate(2, 60), tokens=0.5, opens_ms=NOW_MS + 15_000)


def facts(*workers: Any, pools: Sequence[Pool] | None = None, **queue: Any) -> Facts:
    """Return facts: without others, one idle worker serves all queues, and `mail` has no limits."""
    shown = workers or (FREE,)
    ready = [worker for worker in shown if worker.state is SlotState.READY and not worker.silent]
    pool = Pool("default", ["*"], ready, [one for one in shown if one not in ready])
    mail = QueueFacts(**{"rule": OPEN, "counts": {}, **queue})
    return Facts(NOW_MS, shown, [pool] if pools is None else pools, {"mail": mail})


def job(job: Job = JOB, **more: Any) -> JobFacts:
    return JobFacts(**{"job": job, "next": NEXT, "is_due": True, **more})


def later(outcome: Outcome | None) -> JobFacts:
    waits = replace(JOB, run_at_ms=NOW_MS + 5_000)
    return job(waits, is_due=False, last_outcome=outcome)


def ended(status: Status, error: JobError | None = None, **more: Any) -> JobFacts:
    return job(replace(JOB, status=status, error=error), **more)


APPROVAL = Step(
    "ask", 1, StepKind.SIGNAL, StepState.WAITING, None, 1, 0, signal="approval", key="42"
)
PAUSED = replace(OPEN, paused=True)
LEASED = replace(JOB, status=Status.IN_PROGRESS, worker="default-1")
NO = JobError("ValueError", "no\nmore")
CASES: list[tuple[Facts, JobFacts, Code, str, str | None]] = [
    (facts(), ended(Status.DONE), Code.ENDED, "it is done", None),
    (facts(), ended(Status.FAILED, NO), Code.ENDED,
     "it failed: ValueError: no … (retry to run it again)", None),
    (facts(), ended(Status.CANCELLED, JobError("Expired", "too late")), Code.ENDED,
     "it was cancelled: Expired: too late (retry to run it again)", None),
    (facts(), job(replace(JOB, status=Status.CANCELLED, cancel_requested=True),
     cancelled=Pause("cli:ada", "wrong file")), Code.ENDED,
     "it was cancelled by cli:ada: wrong file (retry to run it again)", None),
    (facts(worker(incarnation="next life")), job(LEASED, leased_by="life"), Code.WORKER_GONE,
     "its worker default-1 is gone; the job will be taken back", "default-1"),
    (msgspec.structs.replace(facts(), workers=[]), job(LEASED, leased_by="life"), Code.WORKER_GONE,
     "its worker default-1 is gone: Orpheus is not running; start it with `orpheus`", "default-1"),
    (facts(worker(silent=True, heartbeat_age_s=20.0)), job(LEASED, leased_by="life of default-1"),
     Code.WORKER_SILENT,
     "no heartbeat from its worker default-1 for 20 s; it counts as dead after 30 s", "default-1"),
    (facts(BUSY), job(LEASED, leased_by="life of default-1", leased_before=[7, 8]),
     Code.PREFETCHED, "default-1 will run it after job 7, job 8", "default-1"),
    (facts(), job(replace(JOB, status=Status.BLOCKED), is_due=False, waits_for=1,
     dependencies=[Dependency(7, "resize", Status.IN_PROGRESS)]), Code.DEPENDENCY,
     "it depends on job 7 (resize, in progress)", "job 7"),
    (facts(), job(replace(JOB, status=Status.BLOCKED), is_due=False, waits_for=3), Code.DEPENDENCY,
     "it depends on 3 more jobs", None),
    (facts(), job(replace(JOB, status=Status.BLOCKED), is_due=False, waits_for=1, wait=APPROVAL),
     Code.SIGNAL, "it waits for the signal approval of key 42", None),
    (facts(), job(replace(JOB, status=Status.BLOCKED), is_due=False, waits_for=3, children_left=3,
     wait=Step("mails", 1, StepKind.GATHER, StepState.WAITING, None, 1, 0, children=(4, 5, 6, 7))),
     Code.CHILDREN, "it waits for 3 of 4 children", None),
    (facts(), replace(later(Outcome.SNOOZED), wait=replace(APPROVAL, kind=StepKind.SLEEP)),
     Code.SLEEP, "it sleeps (ask)", None),
    (facts(), later(None), Code.RUN_AT, "it is not due", None),
    (facts(), later(Outcome.SNOOZED), Code.SNOOZED, "it is snoozed", None),
    (facts(), later(Outcome.TIMED_OUT), Code.BACKOFF,
     "waiting to retry after attempt 2 (timed out)", None),
    (facts(), job(next=NextJob("mail", "noop", quarantine=HELD)), Code.QUARANTINED,
     "noop is quarantined after crashing 1 worker (last: job 7 on default-1, SIGSEGV)",
     "type noop"),
    (facts(), job(next=NextJob("mail", "noop", quarantine=replace(HELD, is_released=True))),
     Code.QUARANTINED,
     "noop was just released; its jobs start a few at a time", "type noop"),
    (facts(), job(next=NextJob("mail", "noop", lacks_code="newer")), Code.NEWER_CODE,
     "no ready worker has the newer code of noop", "type noop"),
    (facts(rule=PAUSED, pause=Pause("cli:ada", "mail is down")), job(), Code.QUEUE_PAUSED,
     "queue mail is paused by cli:ada: mail is down", "cli:ada"),
    (facts(rule=PAUSED, pause=Pause()), job(), Code.QUEUE_PAUSED,
     "queue mail is paused by the configuration", "the configuration"),
    (facts(pools=[]), job(), Code.NO_POOL, "no pool serves queue mail", None),
    (facts(worker(state=SlotState.BACKOFF, reason="exited with code 1")), job(), Code.NO_WORKER,
     "pool default has no ready worker: default-1 is in backoff (exited with code 1)",
     "pool default"),
    (facts(worker(silent=True, heartbeat_age_s=16.0)), job(), Code.NO_WORKER,
     "pool default has no ready worker: no heartbeat from default-1 for 16 s",
     "pool default"),
    (facts(pools=[Pool("default", ["*"])]), job(), Code.NO_WORKER,
     "pool default has no workers", "pool default"),
    (msgspec.structs.replace(facts(pools=[Pool("default", ["*"])]), workers=[]), job(),
     Code.NO_WORKER, "Orpheus is not running; start it with `orpheus`", None),
    (msgspec.structs.replace(facts(), pools=[Pool("default", ["*"])], workers=[], moved="it moved"),
     job(), Code.NO_WORKER, "Orpheus is not running: it moved", None),
    (facts(room=FULL), job(next=NextJob("mail", "noop", holders=[3, 4])), Code.QUEUE_LIMIT,
     "queue mail is at its limit (1 running)", "job 3, job 4"),
    (facts(room=SPENT), job(), Code.QUEUE_RATE,
     "queue mail is at its rate limit (2/m)", None),
    (facts(), job(next=NextJob("mail", "noop", "k", key_room=FULL, holders=[3])), Code.KEY_LIMIT,
     "key k of queue mail is at its limit (1 running)", "job 3"),
    (facts(), job(next=NextJob("mail", "noop", "k", key_room=SPENT)), Code.KEY_RATE,
     "key k of queue mail is at its rate limit (2/m)", None),
    (facts(worker(places=2, jobs_in_progress=1)), job(crashes=1), Code.RUNS_ALONE,
     "it crashed a worker, so it must run alone, and no worker of pool default is idle",
     "default-1"),
    (facts(BUSY), job(), Code.WORKERS_BUSY,
     "pool default is full (1 place)", "default-1"),
    (facts(BUSY, worker("default-2", state=SlotState.BACKOFF)), job(), Code.WORKERS_BUSY,
     "pool default is full (1 place; default-2 is not ready)", "default-1"),
    (facts(worker(places=4, jobs_in_progress=1, runs_alone=True)), job(), Code.WORKERS_BUSY,
     "pool default is full (4 places; default-1 runs one job alone after a crash)", "default-1"),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "job", "code", "text", "by"), CASES)
def test_each_reason_has_its_text(
    facts: Facts, job: JobFacts, code: Code, text: str, by: str | None
) -> None:
    (reason,) = of_job(facts, job)
    assert (reason.code, text_of(reason), reason.by) == (code, text, by)
    command_of(reason)  # it can be told of this data


def test_no_code_is_without_a_case() -> None:
    assert {case[2] for case in CASES} == {*Code}
    assert {*Code} < {*SENTENCES}


@pytest.mark.parametrize(
    ("found", "until_ms"), [(later(None), NOW_MS + 5_000), (job(), NOW_MS + 15_000)]
)
def test_a_reason_says_until_when_if_that_is_known(found: JobFacts, until_ms: int) -> None:
    (reason,) = of_job(facts(room=SPENT), found)
    assert reason.until_ms == until_ms


def test_commands_mend_what_an_operator_can_mend() -> None:
    paused = Reason(Code.QUEUE_PAUSED, {"queue": "mail", "who": "cli:ada", "why": None})
    assert command_of(paused) == "orpheus resume mail"
    held = {"type": "noop", "evidence": "", "is_released": False}
    assert command_of(Reason(Code.QUARANTINED, held)) == "orpheus release noop"
    assert command_of(Reason(Code.QUARANTINED, held | {"is_released": True})) is None


def test_a_job_that_nothing_holds_back_runs_next() -> None:
    assert of_job(facts(), job()) == []
    assert of_job(facts(BUSY), job(LEASED, leased_by="life of default-1")) == []


def test_every_reason_is_told_but_limits_only_of_a_due_job() -> None:
    paused = facts(rule=PAUSED, room=FULL, pools=[])
    assert [one.code for one in of_job(paused, later(None))] == [
        Code.RUN_AT,
        Code.QUEUE_PAUSED,
        Code.NO_POOL,
    ]


def test_a_job_takes_the_first_free_place_of_any_pool_that_serves_it() -> None:
    busy, idle = Pool("default", ["*"], [BUSY]), Pool("mail", ["mail"], [worker("mail-1")])
    assert of_job(facts(pools=[busy, idle]), job()) == []


def test_a_pool_of_another_host_may_serve_any_queue() -> None:
    unknown = Pool("theirs", [], [worker("theirs-1")])
    assert of_job(facts(pools=[unknown]), job()) == []


@pytest.mark.parametrize(("running", "tokens"), [(1, 5), (0, 0), (0, 5)])
def test_the_reason_of_a_late_queue_names_its_limits_whether_they_have_room_or_not(
    running: int, tokens: float
) -> None:
    room = Room(max_running=1, running=running, rate=Rate(2, 60), tokens=tokens)
    found = facts(room=room)
    mail = msgspec.structs.replace(found.queues["mail"], due=DueInQueue(1, NOW_MS - 60_000, NEXT))
    reason = of_queue(msgspec.structs.replace(found, queues={"mail": mail}), mail)
    assert reason
    assert text_of(reason) == "queue mail is at its limit (1 running and 2/m)"


@pytest.mark.parametrize(
    ("found", "first", "code"),
    [
        (facts(rule=PAUSED), NEXT, Code.QUEUE_PAUSED),
        (facts(room=FULL), NEXT, Code.QUEUE_LIMIT),
        (facts(), NextJob("mail", "noop", quarantine=HELD), Code.QUARANTINED),
        (facts(BUSY), NEXT, Code.WORKERS_BUSY),
        (facts(), NEXT, None),
        (facts(rule=PAUSED), None, None),
    ],
)
def test_the_reason_of_a_queue_is_that_of_its_next_due_job(
    found: Facts, first: NextJob | None, code: Code | None
) -> None:
    mail = msgspec.structs.replace(found.queues["mail"], due=DueInQueue(1, NOW_MS, first))
    reason = of_queue(found, mail)
    assert (reason and reason.code) == code
