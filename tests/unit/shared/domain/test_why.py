"""Why a job does not run, from what is known about it and about the workers."""

from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.crews import Crew, ReadyWorker
from orpheus.shared.domain.jobs import Dependency, Job, JobError, Outcome, Status
from orpheus.shared.domain.rates import Rate
from orpheus.shared.domain.rooms import Room
from orpheus.shared.domain.why import MOST_BEFORE, Before, Code, Pause, Reason, Standing, reasons

NOW_MS = 1_800_000_000_000
JOB = Job(
    id=10, type="noop", payload="{}", status=Status.PENDING, queue="mail", priority=0, result=None,
    error=None, attempt=0, max_retries=3, timeout_s=9.0, progress=None, message=None,
    created_at_ms=NOW_MS, run_at_ms=NOW_MS, freed_at_ms=None, started_at_ms=None,
    finished_at_ms=None, worker=None, unique_key=None, concurrency_key=None, depends_on=(), tags=(),
    cancel_requested=False,
)  # fmt: skip
ONE_FREE = Crew("default", ("*",), [ReadyWorker("default-1", "life-1")])
BUSY = Crew("default", ("*",), [ReadyWorker("default-1", "life-1", jobs=1)])


def pending(job: Job = JOB, **facts: Any) -> Standing:
    return Standing(**{"job": job, "now_ms": NOW_MS, "is_due": True, **facts})


def before(*ids: int, queue: str = "mail", key: str | None = None) -> list[Before]:
    return [Before(0, NOW_MS, one, queue, key) for one in ids]


def codes(standing: Standing, *crews: Crew) -> list[Code]:
    return [one.code for one in reasons(standing, crews or (ONE_FREE,))]


def only(standing: Standing, *crews: Crew) -> Reason:
    (reason,) = reasons(standing, crews or (ONE_FREE,))
    return reason


def test_a_due_job_that_a_free_worker_serves_runs() -> None:
    assert reasons(pending(), [ONE_FREE]) == []


@pytest.mark.parametrize(
    ("status", "error", "text"),
    [
        (Status.DONE, None, "it is done"),
        (Status.CANCELLED, None, "it is cancelled (a retry runs it again)"),
        (Status.FAILED, JobError("KeyError", "x\ny"), "it is failed: KeyError: x … (a retry"),
    ],
)
def test_a_job_that_has_ended_says_how(status: Status, error: JobError | None, text: str) -> None:
    reason = only(pending(replace(JOB, status=status, error=error)))
    assert reason.code is Code.ENDED
    assert reason.text.startswith(text)


def test_a_job_that_a_retry_would_refuse_names_the_job_to_retry_first() -> None:
    error = JobError("DependencyFailed", "it depended on a job: job 7 is cancelled")
    cancelled = replace(JOB, status=Status.CANCELLED, error=error)
    reason = only(pending(cancelled, retry_first=5))
    assert reason.text.endswith("job 7 is cancelled (retry job 5 first)")
    assert reason.by == "job 5"


def test_a_job_whose_unique_key_another_one_holds_cannot_be_retried() -> None:
    failed = replace(JOB, status=Status.FAILED, error=JobError("ValueError", "no"))
    reason = only(pending(failed, key_holder=9, retry_first=5))
    assert reason.text == (
        "it is failed: ValueError: no (job 9 holds its unique key, so it cannot be retried now)"
    )
    assert reason.by == "job 9"


def test_a_job_names_those_that_it_waits_for_and_counts_the_others() -> None:
    others = [Dependency(7, "resize", Status.IN_PROGRESS), Dependency(8, "resize", Status.PENDING)]
    blocked = replace(JOB, status=Status.BLOCKED)
    found = reasons(pending(blocked, is_due=False, waits_for=5, dependencies=others), [ONE_FREE])
    assert [(one.code, one.by) for one in found] == [
        (Code.DEPENDENCY, "job 7"),
        (Code.DEPENDENCY, "job 8"),
        (Code.DEPENDENCY, None),
    ]
    assert found[0].text == "it waits for job 7 (resize), which is in progress"
    assert found[2].text == "it waits for 3 more jobs"
    found = reasons(pending(blocked, is_due=False, waits_for=3, dependencies=others), [ONE_FREE])
    assert found[2].text == "it waits for 1 more job"


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (None, Code.RUN_AT),
        (Outcome.SNOOZED, Code.SNOOZED),
        (Outcome.FAILED, Code.BACKOFF),
        (Outcome.CRASHED, Code.BACKOFF),
        (Outcome.LOST, Code.BACKOFF),
    ],
)
def test_a_job_that_waits_for_its_time_says_until_when(outcome: Outcome | None, code: Code) -> None:
    later = replace(JOB, run_at_ms=NOW_MS + 5_000, attempt=2)
    reason = only(pending(later, is_due=False, last_outcome=outcome))
    assert (reason.code, reason.until_ms) == (code, NOW_MS + 5_000)


@pytest.mark.parametrize(
    ("pause", "by", "text"),
    [
        (Pause("cli:ada", "mail is down"), "cli:ada", "is paused by cli:ada: mail is down"),
        (Pause(), "the configuration", "is paused by the configuration"),
    ],
)
def test_a_paused_queue_says_by_whom(pause: Pause, by: str, text: str) -> None:
    reason = only(pending(pause=pause))
    assert (reason.code, reason.by) == (Code.QUEUE_PAUSED, by)
    assert reason.text == f"its queue mail {text}"


def test_a_job_that_waits_and_whose_queue_is_paused_says_both() -> None:
    later = replace(JOB, run_at_ms=NOW_MS + 5_000)
    assert codes(pending(later, is_due=False, pause=Pause())) == [Code.RUN_AT, Code.QUEUE_PAUSED]


def test_a_limit_names_the_jobs_that_run_and_a_rate_when_it_opens() -> None:
    room = Room(2, 7, Rate(1, 60), tokens=0, opens_ms=NOW_MS + 900, named=(3, 4))
    limit, rate = reasons(pending(queues={"mail": room}), [ONE_FREE])
    assert (limit.code, limit.by) == (Code.QUEUE_LIMIT, "job 3, job 4 and 5 more")
    assert limit.text == "its queue mail may run 2 at once, and as many run"
    assert (rate.code, rate.until_ms) == (Code.QUEUE_RATE, NOW_MS + 900)
    assert rate.text == "its queue mail may start 1/m, and has for now"


def test_a_rate_counts_the_jobs_before_it_and_says_when_its_turn_comes() -> None:
    room = Room(rate=Rate(120, 60), tokens=0, opens_ms=NOW_MS + 400)
    first = before(*range(3, 8)) + before(8, queue="other")
    reason = only(pending(before=first, queues={"mail": room}))
    assert (reason.code, reason.until_ms) == (Code.QUEUE_RATE, NOW_MS + 400 + 5 * 500)
    assert reason.text == "its queue mail may start 120/m, and 5 jobs go before it"
    alone = only(pending(before=before(8), queues={"mail": room}))
    assert alone.text.endswith("and 1 job goes before it")


def test_a_rate_with_more_jobs_before_it_than_are_counted_says_the_least_wait() -> None:
    room = Room(rate=Rate(120, 60), tokens=0, opens_ms=NOW_MS + 400)
    reason = only(pending(before=before(*range(MOST_BEFORE)), queues={"mail": room}))
    text = (
        "its queue mail may start 120/m, and at least 1,000 jobs go before it: 8 min 20 s or more"
    )
    assert (reason.text, reason.until_ms) == (text, None)


def test_a_rate_whose_tokens_go_to_the_jobs_before_it_says_when_its_turn_comes() -> None:
    many = replace(ONE_FREE, ready=[ReadyWorker("default-1", "life-1", 9)])
    room = Room(rate=Rate(60, 60, burst=3), tokens=2, opens_ms=NOW_MS)
    assert codes(pending(before=before(1), queues={"mail": room}), many) == []
    reason = only(pending(before=before(*range(5)), queues={"mail": room}), many)
    assert (reason.code, reason.until_ms) == (Code.QUEUE_RATE, NOW_MS + 4_000)
    assert reason.text == "its queue mail may start 60/m, and 5 jobs go before it"


def test_the_rate_of_a_key_counts_the_jobs_of_that_key() -> None:
    keyed = replace(JOB, concurrency_key="acme")
    keys = {("mail", "acme"): Room(rate=Rate(1, 1), tokens=0, opens_ms=NOW_MS + 9)}
    first = before(1, 2, key="acme") + before(3, key="other") + before(4)
    reason = only(pending(keyed, before=first, keys=keys))
    assert (reason.code, reason.until_ms) == (Code.KEY_RATE, NOW_MS + 2_009)
    assert reason.text == "key acme of its queue mail may start 1/s, and 2 jobs go before it"


def test_a_key_has_limits_of_its_own() -> None:
    keyed = replace(JOB, concurrency_key="acme")
    room = Room(1, 1, Rate(5, 1), tokens=0, opens_ms=NOW_MS + 9, named=(3,))
    limit, rate = reasons(pending(keyed, keys={("mail", "acme"): room}), [ONE_FREE])
    assert (limit.code, limit.by) == (Code.KEY_LIMIT, "job 3")
    assert (rate.code, rate.until_ms) == (Code.KEY_RATE, NOW_MS + 9)


def test_a_job_that_is_not_due_says_nothing_of_limits() -> None:
    later = replace(JOB, run_at_ms=NOW_MS + 5_000)
    full = {"mail": Room(1, 1, named=(3,))}
    assert codes(pending(later, is_due=False, queues=full)) == [Code.RUN_AT]


def test_a_queue_that_no_pool_serves_is_told() -> None:
    assert codes(pending(), Crew("other", ("media",), [ReadyWorker("other-1", "life-2")])) == [
        Code.NO_POOL
    ]


def test_a_pool_without_a_ready_worker_says_what_its_slots_do() -> None:
    down = Crew("mail", ("mail",), others=("mail-1 is fatal: exited with code 1",))
    reason = only(pending(), down)
    assert (reason.code, reason.by) == (Code.NO_WORKER, "pool mail")
    assert reason.text == "no worker of pool mail is ready: mail-1 is fatal: exited with code 1"
    assert "it has no workers" in only(pending(), Crew("mail", ("mail",))).text


def test_taken_places_are_told_with_the_jobs_that_go_before() -> None:
    reason = only(pending(), BUSY)
    assert (reason.code, reason.by) == (Code.WORKERS_BUSY, "default-1")
    assert reason.text == "the only place of pool default is taken"
    assert only(pending(before=before(1, 2)), BUSY).text.endswith("and 2 jobs go before it")


def test_the_places_of_a_pool_are_those_of_each_of_its_workers() -> None:
    old = [ReadyWorker(f"default-{n}", f"life-{n}", jobs=1) for n in range(1, 4)]
    changed = replace(ONE_FREE, ready=[*old, ReadyWorker("default-4", "life-4", 8, 8)])
    assert only(pending(), changed).text == "all 11 places of pool default are taken"


def test_taken_places_of_a_pool_that_is_partly_down_are_told_with_what_its_other_slots_do() -> None:
    busy = replace(
        BUSY,
        ready=[ReadyWorker("default-2", "life-2", jobs=1)],
        others=("default-1 is fatal: x",),
    )
    reason = only(pending(), busy)
    assert (reason.code, reason.by) == (Code.WORKERS_BUSY, "default-2")
    assert reason.text == (
        "the only ready place of pool default is taken (held by default-2); default-1 is fatal: x"
    )
    third = ReadyWorker("default-3", "life-3", jobs=1)
    two = replace(busy, ready=[*busy.ready, third])
    told = only(pending(before=before(1)), two).text
    assert told.startswith("all 2 ready places of pool default are taken (held by default-2, def")
    assert told.endswith("), and 1 job goes before it; default-1 is fatal: x")


def test_workers_that_run_one_job_alone_are_told_with_the_taken_places() -> None:
    names = [f"default-{n}" for n in range(1, 6)]
    for alone, told in (
        (names[:1], "default-1 runs one job alone"),
        (names[:2], "default-1 and default-2 each run one job alone"),
        (names, "default-1, default-2, default-3 and 2 more each run one job alone"),
    ):
        ready = [ReadyWorker(name, name, 4, 4, runs_alone=name in alone) for name in names]
        busy = replace(ONE_FREE, ready=ready)
        all_taken = "all 20 places of pool default are taken"
        assert only(pending(), busy).text == f"{all_taken} (after a crash, {told})"


def test_more_slots_that_are_not_ready_than_are_named_are_counted() -> None:
    down = Crew("mail", ("mail",), others=[f"mail-{n} is backoff" for n in range(1, 8)])
    assert only(pending(), down).text.endswith("mail-5 is backoff; 2 more slots are not ready")


def test_a_pool_that_is_down_is_told_beside_one_whose_places_are_taken() -> None:
    down = Crew("mail", ("mail",), others=("mail-1 is fatal: x",))
    taken, nobody = reasons(pending(), [down, BUSY])
    assert taken.code is Code.WORKERS_BUSY
    assert (nobody.code, nobody.by) == (Code.NO_WORKER, "pool mail")
    scaled_to_0 = replace(down, others=())
    assert codes(pending(), scaled_to_0, BUSY) == [Code.WORKERS_BUSY], "as is wanted"
    assert codes(pending(), down, ONE_FREE) == []


def test_it_is_the_turn_of_as_many_jobs_as_places_are_free() -> None:
    third = pending(before=before(1, 2))
    assert codes(third) == [Code.TURN]
    assert codes(third, replace(ONE_FREE, ready=[ReadyWorker("default-1", "life-1", 3)])) == []


def test_jobs_that_the_pool_does_not_serve_do_not_go_before() -> None:
    mail = Crew("mail", ("mail",), [ReadyWorker("mail-1", "life-2")])
    assert codes(pending(before=before(1, 2, queue="media")), mail) == []


def test_one_pool_that_can_run_it_is_enough() -> None:
    mail = Crew("mail", ("mail",), [ReadyWorker("mail-1", "life-2")])
    assert codes(pending(before=before(1, queue="media")), BUSY, mail) == []


def test_jobs_before_it_without_room_do_not_take_its_turn() -> None:
    full = {"media": Room(1, 1)}
    assert codes(pending(before=before(1, 2, queue="media"), queues=full)) == []
    keys = {("mail", "acme"): Room(1, 1)}
    assert codes(pending(before=before(1, 2, key="acme"), keys=keys)) == []


def test_jobs_before_it_may_take_the_last_room_of_its_queue_or_key() -> None:
    many = replace(ONE_FREE, ready=[ReadyWorker("default-1", "life-1", 9)])
    one_left = {"mail": Room(2, 1)}
    waits = pending(before=before(1), queues=one_left)
    assert codes(waits, many) == [Code.QUEUE_LIMIT]
    assert codes(waits, BUSY) == [Code.WORKERS_BUSY], "that comes first"
    hourly = {"mail": Room(rate=Rate(1, 3600), tokens=1, opens_ms=NOW_MS)}
    for crew in (BUSY, many):  # a place is free long before
        slow = pending(before=before(1), queues=hourly)
        assert codes(slow, crew) == [Code.QUEUE_RATE]
    keyed, keys = replace(JOB, concurrency_key="acme"), {("mail", "acme"): Room(1, 0)}
    assert codes(pending(keyed, before=before(1, key="acme"), keys=keys), many) == [Code.KEY_LIMIT]


def test_more_jobs_than_are_counted_are_at_least_so_many() -> None:
    assert "at least 1,000 jobs go" in only(pending(before=before(*range(MOST_BEFORE)))).text


def test_jobs_are_uncounted_too_if_some_that_were_read_do_not_go_before() -> None:
    some: dict[str, Any] = {"before": before(1, 2, 3), "more_may_be_before": True}
    assert "at least 3 jobs go" in only(pending(**some)).text
    room = Room(rate=Rate(120, 60), opens_ms=NOW_MS)
    reason = only(pending(**some, queues={"mail": room}))
    assert reason.until_ms is None
    assert reason.text.endswith("at least 3 jobs go before it: 1 s or more")


def test_a_job_that_crashed_runs_alone() -> None:
    shared = Crew("default", ("*",), [ReadyWorker("default-1", "life-1", 4, 1)])
    assert codes(pending(crashes=1), shared) == [Code.RUNS_ALONE]
    idle = replace(shared, ready=[ReadyWorker("default-1", "life-1", 4)])
    assert codes(pending(crashes=1), idle) == []


def test_a_leased_job_runs_unless_its_worker_has_leased_others_before_it() -> None:
    leased = replace(JOB, status=Status.IN_PROGRESS, worker="default-1")
    facts: dict[str, Any] = {"job": leased, "is_due": False, "leased_by": "life-1"}
    assert codes(pending(**facts)) == []
    reason = only(pending(**facts, leased_before=[3, 4]))
    assert (reason.code, reason.by) == (Code.PREFETCHED, "default-1")
    assert reason.text == "default-1 has leased it and runs job 3, job 4 first"
    two = replace(ONE_FREE, ready=[ReadyWorker("default-1", "life-1", 2)])
    assert codes(pending(**facts, leased_before=[3]), two) == []
    others = Crew("many", ("*",), [ReadyWorker("many-1", "life-2", 9, 9)])
    assert codes(pending(**facts, leased_before=[3]), ONE_FREE, others) == [Code.PREFETCHED]
