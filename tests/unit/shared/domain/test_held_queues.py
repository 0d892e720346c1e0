"""A queue whose jobs wait says what holds them back, unless that is meant or passes by itself."""

from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.concerns import (
    About,
    Concern,
    ConcernCode,
    QueueFacts,
)
from orpheus.shared.domain.processes import SlotState
from orpheus.shared.domain.rates import Rate
from tests.unit.shared.domain.system_facts import MAIL, POOLS, READY, SINCE, concerns, only, slot


@pytest.mark.parametrize(
    ("queue", "pools", "code", "text", "command"),
    [
        (
            replace(MAIL, paused=True, paused_by=" by cli:ada (a release)"),
            POOLS,
            ConcernCode.QUEUE_PAUSED,
            "Queue mail is paused by cli:ada (a release), and 12 jobs wait in it.",
            "orpheus resume mail",
        ),
        (
            replace(MAIL, waiting=1),
            {"default": ["other"]},
            ConcernCode.NO_POOL,
            "No pool serves queue mail, and 1 job waits in it.",
            None,
        ),
        (
            MAIL,
            {"default": ["other"], "mail": ["mail"]},
            ConcernCode.POOL_EMPTY,
            "Pool mail has no workers, and 12 jobs wait in queue mail.",
            "orpheus scale mail 1",
        ),
        (
            MAIL,
            POOLS,
            ConcernCode.QUEUE_LATE,
            f"The workers are too slow for queue mail, {SINCE}",
            "orpheus scale default 2",
        ),
    ],
)
def test_a_queue_whose_jobs_wait_too_long_says_what_holds_them_back(
    queue: QueueFacts,
    pools: dict[str, list[str]],
    code: ConcernCode,
    text: str,
    command: str | None,
) -> None:
    assert only(queues=[queue], pools=pools) == Concern(code, text, command, About("queue", "mail"))


def test_a_pool_whose_workers_are_all_down_is_told_beside_one_that_works() -> None:
    slots = [*READY, slot("mail-1", SlotState.BACKOFF)]
    one = only(slots=slots, queues=[MAIL], pools={"default": ["other"], "mail": ["mail"]})
    assert one.code is ConcernCode.POOL_NOT_READY
    text = "No worker of pool mail is ready, and 12 jobs wait in queue mail, the first for "
    assert one.text == f"{text}1 min 30 s."


MAIL_POOL = {"default": ["other"], "mail": ["mail"]}
BY_ADA: Any = {"state": SlotState.DOWN, "drained_by": " by cli:ada (disk swap)"}


def test_a_pool_that_is_drained_says_by_whom_and_why_at_once() -> None:
    queue = replace(MAIL, oldest_s=0.4)
    slots = [*READY, slot("mail-1", **BY_ADA)]
    one = only(slots=slots, queues=[queue], pools=MAIL_POOL)
    wait = "and 12 jobs wait in queue mail, the first for 400 ms."
    assert one.text == f"The worker of pool mail is drained by cli:ada (disk swap), {wait}"
    assert (one.code, one.command) == (ConcernCode.POOL_NOT_READY, "orpheus restart mail-1")
    slots.append(slot("mail-2", **{**BY_ADA, "state": SlotState.DRAINING}))
    one = only(slots=slots, queues=[queue], pools=MAIL_POOL)
    assert one.text == f"The workers of pool mail are drained by cli:ada (disk swap), {wait}"
    slots.append(slot("mail-3", SlotState.DOWN, drained_by=" by api:::1"))
    one = only(slots=slots, queues=[queue], pools=MAIL_POOL)
    assert "are drained by cli:ada (disk swap) and by api:::1, and 12" in one.text


def test_drained_workers_are_the_reason_also_if_there_is_no_other() -> None:
    slots = [slot("mail-1", **BY_ADA), slot("api")]
    one = only(slots=slots, queues=[MAIL], pools={"mail": ["mail"]})
    assert one.text.startswith("The worker of pool mail is drained by cli:ada (disk swap), and 12")
    several = [MAIL, replace(MAIL, name="post", oldest_s=70.0)]
    one = only(slots=slots, queues=several, pools={"mail": ["*"]})
    assert one.text.endswith("and 24 jobs wait in queues mail and post, the first for 1 min 30 s.")
    assert one.command == "orpheus restart mail-1"
    unknown = only(slots=slots, queues=[MAIL], pools={})  # who asks does not know the pools
    assert unknown.code is ConcernCode.NO_WORKER_READY


def test_a_pool_without_workers_is_told_beside_one_that_is_drained() -> None:
    pools = {"default": ["default"], "mail": ["mail"]}
    one = only(slots=[slot("default-1", **BY_ADA)], queues=[MAIL], pools=pools)
    assert one.text == "Pool mail has no workers, and 12 jobs wait in queue mail."


def test_a_pool_of_which_one_worker_is_drained_may_get_ready_by_itself() -> None:
    slots = [*READY, slot("mail-1", **BY_ADA), slot("mail-2", SlotState.STARTING)]
    assert concerns(slots=slots, queues=[replace(MAIL, oldest_s=14.0)], pools=MAIL_POOL) == []
    assert only(slots=slots, queues=[MAIL], pools=MAIL_POOL).code is ConcernCode.POOL_NOT_READY
    slots[-1] = slot("mail-2")
    one = only(slots=slots, queues=[MAIL], pools=MAIL_POOL)
    assert one.code is ConcernCode.QUEUE_LATE
    drained = "1 of 2 is drained by cli:ada (disk swap)"
    assert one.text == f"The workers are too slow for queue mail ({drained}), {SINCE}"
    assert one.command == "orpheus restart mail-1", "one more is not what is missing"


def test_the_time_in_which_orpheus_was_down_is_none_that_its_workers_are_too_slow_for() -> None:
    night = replace(MAIL, oldest_s=30_000.0)
    assert concerns(slots=[slot(watched_s=59.0)], queues=[night]) == []
    one = only(slots=[slot(watched_s=61.0)], queues=[night])
    assert one.code is ConcernCode.QUEUE_LATE
    assert one.text.endswith("the first for 8 h 20 min.")
    several = [slot(watched_s=3.0), slot("default-1 on eve", watched_s=3_600.0)]
    assert only(slots=several, queues=[night]).code is ConcernCode.QUEUE_LATE, "eve could run it"


def test_workers_that_start_after_orpheus_was_down_are_not_called_unready_at_once() -> None:
    night, starting = replace(MAIL, oldest_s=30_000.0), SlotState.STARTING
    assert concerns(slots=[slot(state=starting, watched_s=14.0)], queues=[night]) == []
    one = only(slots=[slot(state=starting, watched_s=16.0)], queues=[night])
    assert one.code is ConcernCode.NO_WORKER_READY
    slots = [*READY, slot("mail-1", starting, watched_s=14.0)]
    assert concerns(slots=slots, queues=[night], pools=MAIL_POOL) == []
    slots = [*READY, slot("mail-1", starting, watched_s=16.0)]
    assert only(slots=slots, queues=[night], pools=MAIL_POOL).code is ConcernCode.POOL_NOT_READY


def test_of_workers_that_run_a_job_alone_more_are_not_the_only_mend() -> None:
    slots = [*READY, slot("mail-1", runs_alone=True), slot("mail-2", runs_alone=True)]
    one = only(slots=slots, queues=[MAIL], pools=MAIL_POOL)
    alone = "2 of 2 run a job alone, after a crash"
    assert one.text == f"The workers are too slow for queue mail ({alone}), {SINCE}"
    assert one.command == "orpheus workers"
    slots[-1] = slot("mail-2")
    one = only(slots=slots, queues=[MAIL], pools=MAIL_POOL)
    assert "queue mail (1 of 2 runs a job alone, after a crash), and 12 jobs wait" in one.text
    assert one.command == "orpheus scale mail 3", "the other is too slow, too"


@pytest.mark.parametrize(
    "queue",
    [
        replace(MAIL, oldest_s=59.0),
        replace(MAIL, oldest_s=None),  # all are due later
        replace(MAIL, waiting=0, paused=True),
        replace(MAIL, oldest_s=1.0, running=3, max_running=3),
        replace(MAIL, oldest_s=899.0, running=1, max_running=1),
        replace(MAIL, oldest_s=899.0, running=0, max_running=1),  # between two of its jobs
        replace(MAIL, oldest_s=86_400.0, running=0, max_running=1, ended=1),
    ],
)
def test_jobs_that_wait_a_moment_are_no_concern(queue: QueueFacts) -> None:
    assert concerns(queues=[queue]) == []


@pytest.mark.parametrize(
    "queue",
    [
        replace(MAIL, oldest_s=86_400.0, running=3, max_running=3),  # each runs for long
        replace(MAIL, oldest_s=86_400.0, running=1, max_running=1, rate=Rate(10, 1)),
        replace(MAIL, oldest_s=43_200.0, rate=Rate(1, 86_400), waits_for_rate=True),
        replace(MAIL, oldest_s=86_400.0, rate=Rate(2, 1), ended_lately=500),
        replace(MAIL, oldest_s=86_400.0, rate=Rate(1, 60), running=15),
        replace(MAIL, oldest_s=86_400.0, rate=Rate(2, 1), waits_for_rate=True),  # they are retried
        # Before, the workers had other jobs, and the first one waits since then.
        replace(MAIL, oldest_s=420.0, rate=Rate(40, 1), ended_lately=3_600, runs_per_s=38.0),
    ],
)
def test_a_limit_that_does_its_work_is_no_concern(queue: QueueFacts) -> None:
    assert concerns(queues=[queue]) == []


@pytest.mark.parametrize(
    "queue",
    [
        replace(MAIL, oldest_s=900.0, running=0, max_running=1),
        replace(MAIL, running=1, max_running=3),  # of three that it may run
        replace(MAIL, rate=Rate(1, 86_400)),
        replace(MAIL, rate=Rate(2, 1), ended_lately=80, running=2),
        replace(MAIL, oldest_s=86_400.0, rate=Rate(2, 1), ended=1_500, ended_lately=200),
        replace(MAIL, oldest_s=240.0, rate=Rate(100, 60), ended=1_100, ended_lately=100),
        replace(MAIL, oldest_s=420.0, rate=Rate(40, 1), ended_lately=3_600, runs_per_s=19.0),
    ],
)
def test_a_limit_that_has_room_for_what_waits_is_not_what_holds_it_back(queue: QueueFacts) -> None:
    assert only(queues=[queue]).code is ConcernCode.QUEUE_LATE


def test_a_job_that_waits_while_a_worker_starts_is_no_concern() -> None:
    starting = [slot(state=SlotState.STARTING), slot("api")]
    later = replace(MAIL, oldest_s=None)
    for queue in (later, replace(MAIL, oldest_s=14.0)):
        assert concerns(slots=starting, queues=[queue]) == []
        slots = [*READY, slot("mail-1", SlotState.STARTING)]
        pools = {"default": ["other"], "mail": ["mail"]}
        assert concerns(slots=slots, queues=[queue], pools=pools) == []


def test_queues_that_wait_for_the_same_reason_are_one_concern() -> None:
    unserved = [replace(MAIL, name=f"q{n}", waiting=2) for n in range(1, 1001)]
    one = only(queues=unserved, pools={"default": ["other"]})
    text = "No pool serves queues q1, q2, q3 and 997 more, and 2,000 jobs wait in them."
    assert (one.text, one.command, one.about) == (text, "orpheus queues", About("queue", "q1"))
    paused = [replace(MAIL, name=name, paused=True, paused_by=" by ada") for name in ("a", "b")]
    assert only(queues=paused).text == "Queues a and b are paused by ada, and 24 jobs wait in them."
    first, second = concerns(queues=[paused[0], replace(paused[1], paused_by=" by bob")])
    assert ("by ada" in first.text) and ("by bob" in second.text)


def test_a_paused_queue_that_nobody_would_run_either_says_both() -> None:
    paused = replace(MAIL, paused=True, paused_by=" by ada")
    no_pool: dict[str, list[str]] = {"default": ["other"]}
    text = "Queue mail is paused by ada, no pool serves it, and 12 jobs wait in it."
    one = only(queues=[paused], pools=no_pool)
    assert (one.text, one.command) == (text, None), "to resume it would start nothing"
    text = "Queue mail is paused by ada, pool mail has no workers, and 12 jobs wait in it."
    one = only(queues=[paused], pools={**no_pool, "mail": ["mail"]})
    assert (one.text, one.command) == (text, "orpheus resume mail"), "and then orpheus scale"
    both = [paused, replace(paused, name="night")]
    text = "Queues mail and night are paused by ada, no pool serves them, and 24 jobs wait in them."
    assert only(queues=both, pools=no_pool).text == text
    unknown = only(queues=[paused], pools={})  # who asks does not know the pools
    assert unknown.text == "Queue mail is paused by ada, and 12 jobs wait in it."
    starting = [slot(state=SlotState.STARTING)]
    assert only(slots=starting, queues=[paused]).text == unknown.text
    assert only(slots=[slot("api")], queues=[paused]).text == unknown.text


def test_with_several_hosts_the_operator_says_which_one_shall_have_more_workers() -> None:
    slots = [slot(f"default-{n}", target=f"default-{n} --host ada") for n in (1, 2)]
    assert only(slots=slots, queues=[MAIL]).command == "orpheus workers"


def test_jobs_of_a_paused_queue_do_not_wait_for_a_worker() -> None:
    slots = [slot(state=SlotState.BACKOFF), slot("api")]
    assert only(slots=slots, queues=[replace(MAIL, paused=True)]).code is ConcernCode.QUEUE_PAUSED
