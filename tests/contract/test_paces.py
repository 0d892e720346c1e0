"""How fast the jobs of a queue are done: kept by the minute, with the time that they ran."""

from collections.abc import Callable

import pytest

from orpheus.shared.domain.crews import Crew, ReadyWorker
from orpheus.shared.domain.jobs import Lease
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.paces import Pace
from orpheus.shared.domain.rates import KeyRules, QueueRules, Rate
from orpheus.shared.storage import DueInQueue, Store
from orpheus.shared.storage.verbs import waiting
from orpheus.shared.views.queues import Drain, Queue, queues_json
from tests.contract.conftest import FakeClock

Run = Callable[..., None]
ONE_WORKER = Crew("default", ["*"], [ReadyWorker("default-1", "life-1", jobs=1)])


@pytest.fixture
def run(
    submit: Callable[..., int],
    lease: Callable[..., list[Lease]],
    end: Callable[..., bool],
    clock: FakeClock,
) -> Run:
    """Runs a job from the start of a minute on."""
    clock.advance(-clock.wall % 60_000)

    def run_one(
        queue: str, ran_ms: int, ending: Ending = Ending.SUCCEEDED, job_type: str = "noop"
    ) -> None:
        submit(job_type, queue=queue)
        (one,) = lease(queues=(queue,))
        clock.advance(ran_ms)
        assert end(one, ending)

    return run_one


@pytest.fixture
def run_long(run: Run, clock: FakeClock) -> Run:
    """Runs jobs of a queue, one after the other, for two minutes."""

    def run_for_two_minutes(queue: str, ran_ms: int) -> None:
        clock.advance(ran_ms // 2)  # none ends with a minute
        for _ in range(120_000 // ran_ms):
            run(queue, ran_ms)
        clock.advance(ran_ms // 2)

    return run_for_two_minutes


def test_a_pace_is_not_known_until_a_whole_minute_has_passed_since_that_of_the_first(
    store: Store, run: Run, submit: Callable[..., int], clock: FakeClock
) -> None:
    clock.advance(50_000)
    for _ in range(34):
        run("mail", 2_000)
    for _ in range(30):
        submit(queue="mail")
    (mail,) = queues_json(store, [ONE_WORKER])
    assert (mail["drain"], mail["no_estimate"]) == (None, "no estimate yet")
    clock.advance(1_999)
    assert store.stats.paces()["mail"].is_early
    clock.advance(1)
    assert store.stats.paces()["mail"] == Pace(30, 60.0, 60.0)
    (mail,) = queues_json(store, [ONE_WORKER])
    assert mail["drain"] and mail["drain"]["seconds"] == 60


def test_a_pace_begins_anew_after_a_pause(store: Store, run: Run, clock: FakeClock) -> None:
    for _ in range(29):
        run("mail", 2_000)
    for _ in range(3):
        run("slow", 10)
    clock.advance(121_000)  # a whole minute without any, and it is resumed in the next
    for _ in range(4):
        run("mail", 2_000)
    for _ in range(4):
        run("slow", 10)
    clock.advance(60_000)
    paces = store.stats.paces()
    assert paces["mail"].is_early
    assert (paces["slow"].done, paces["slow"].is_early) == (4, False), "it seldom has any"


def test_a_pace_is_of_the_jobs_that_were_done_and_begins_with_the_first(
    store: Store, run: Run, clock: FakeClock
) -> None:
    run("mail", 4_000)
    run("mail", 6_000)
    run("mail", 1_000, Ending.FAILED_PERMANENTLY)
    run("media", 9_000)
    assert store.stats.paces() == {
        "mail": Pace(2, 10.0, 20.0, is_early=True),
        "media": Pace(1, 9.0, 20.0, is_early=True),
    }
    clock.advance(1_000_000)
    assert store.stats.paces() == {}


def test_each_queue_tells_when_it_is_empty_unless_it_is_paused(
    store: Store, run_long: Run, submit: Callable[..., int]
) -> None:
    run_long("mail", 2_000)
    for _ in range(30):
        submit(queue="mail")
    submit(queue="new")
    mail, new = queues_json(store, [ONE_WORKER])
    assert mail["drain"] is not None
    assert mail["drain"]["seconds"] == pytest.approx(60)
    with_more = {one["more_workers"]: one["seconds"] for one in mail["drain"]["with_more"]}
    assert with_more == pytest.approx({1: 30, 2: 20, 4: 12, 8: 60 / 9})
    assert new["drain"] is None
    store.queues.pause("mail")
    assert queues_json(store, [ONE_WORKER])[0]["drain"] is None


def test_a_queue_whose_rate_its_workers_could_pass_is_emptied_at_its_rate(
    store: Store, run: Run, submit: Callable[..., int], clock: FakeClock
) -> None:
    store.queues.configure({"mail": QueueRules(rate=Rate(2, 1))})
    for _ in range(250):
        submit(queue="mail")

    def drain() -> Drain | None:
        crews = [ONE_WORKER, Crew("other", ["media"], [ReadyWorker("other-1", "life-2", 20, 20)])]
        return queues_json(store, crews)[0]["drain"]

    for _ in range(10):
        run("mail", 500)
    assert drain() is None, "whether its workers can do so much is not known yet"
    for _ in range(110):
        run("mail", 500)
    assert drain() == {"seconds": 125.0, "with_more": []}


def test_a_queue_that_no_ready_worker_serves_does_not_get_empty(
    store: Store, run_long: Run, submit: Callable[..., int]
) -> None:
    run_long("mail", 2_000)
    for _ in range(30):
        submit(queue="mail")
    other = Crew("other", ["media"], [ReadyWorker("other-1", "life-2")])
    for crews in ([], [Crew("default", ["*"])], [other]):
        (mail,) = queues_json(store, crews)
        assert mail["drain"] is None
        came, ended = mail["submitted_per_minute"], mail["ended_per_minute"]
        assert mail["grows_per_minute"] == came - ended > 0
    served = queues_json(store, [ONE_WORKER])[0]
    assert served["drain"] is not None


def test_a_queue_whose_workers_run_jobs_of_others_is_starved_and_has_no_estimate(
    store: Store,
    run_long: Run,
    submit: Callable[..., int],
    lease: Callable[..., list[Lease]],
    clock: FakeClock,
) -> None:
    run_long("mail", 2_000)
    submit(queue="mail")
    submit(queue="slow", priority=9)
    assert len(lease()) == 1

    def mail(crew: Crew = ONE_WORKER) -> Queue:
        return queues_json(store, [crew])[0]

    clock.advance(4_999)
    assert mail()["drain"] and not mail()["starved"], "it may be run next, by turns"
    clock.advance(1)
    assert mail()["starved"] and mail()["drain"] is None
    several = Crew("default", ["*"], [ReadyWorker("default-1", "life-1", 2, 2)])
    assert mail(several)["starved"]
    assert mail(Crew("default", ["*"], [ReadyWorker("default-1", "life-1")]))["drain"]
    (_, slow) = queues_json(store, [ONE_WORKER])
    assert slow["name"] == "slow" and not slow["starved"], "its own job runs"
    clock.advance(120_000)
    assert mail()["starved"], "none has ended lately"
    assert lease() and not mail()["starved"]


def test_a_queue_that_waits_for_its_rate_its_key_or_an_operator_is_not_starved(
    store: Store, submit: Callable[..., int], lease: Callable[..., list[Lease]], clock: FakeClock
) -> None:
    hourly = Rate(1, 3_600)
    store.queues.configure(
        {"mail": QueueRules(rate=hourly), "sms": QueueRules(per_key=KeyRules(rate=hourly))}
    )
    for queue in ("mail", "sms", "desk"):
        submit(queue=queue, concurrency_key="ada")

    def starved() -> list[str]:
        return [one["name"] for one in queues_json(store, [ONE_WORKER]) if one["starved"]]

    assert starved() == ["desk", "mail", "sms"]
    store.queues.pause("desk")
    for taken in lease(2):
        store.leases.finish([Finished(taken, Ending.SUCCEEDED, result="null")])
    for queue in ("mail", "sms"):
        submit(queue=queue, concurrency_key="ada")
    assert lease(2) == [], "that of sms waits for its key now"
    clock.advance(120_000)
    assert starved() == []


def test_a_queue_with_a_rate_whose_workers_serve_others_too_is_not_emptied_at_its_rate(
    store: Store, run: Run, submit: Callable[..., int], clock: FakeClock
) -> None:
    store.queues.configure({"mail": QueueRules(rate=Rate(12, 1))})
    clock.advance(59_000)
    for _ in range(240):
        submit(queue="mail")
    submitted = store.clock.wall_ms()
    while store.clock.wall_ms() < submitted + 62_000:
        run("mail", 50)
        clock.advance(950)
    (mail,) = queues_json(store, [ONE_WORKER])
    assert mail["drain"]
    assert mail["drain"]["seconds"] == pytest.approx(mail["counts"]["pending"], rel=0.1)


def test_a_queue_with_a_steady_wait_has_an_estimate_at_each_moment_of_a_minute(
    store: Store, run: Run, submit: Callable[..., int]
) -> None:
    """Its eight workers run other queues, too: one of its jobs a second, each waits for 30 s."""
    eight = Crew("default", ["*"], [ReadyWorker("default-1", "life-1", 8, 8)])
    for _ in range(30):
        submit(queue="mail")
    for _ in range(150):
        run("mail", 1_000)
    for _ in range(60):
        run("mail", 1_000)
        (mail,) = queues_json(store, [eight])
        assert mail["oldest_pending_s"] == pytest.approx(30, abs=1)
        assert mail["drain"] and mail["drain"]["seconds"] == pytest.approx(30, rel=0.1)


def test_a_job_that_waits_for_its_key_does_not_show_that_the_workers_serve_others(
    store: Store,
    run: Run,
    submit: Callable[..., int],
    lease: Callable[..., list[Lease]],
    clock: FakeClock,
) -> None:
    rules = QueueRules(rate=Rate(12, 1), per_key=KeyRules(max_running=1))
    store.queues.configure({"mail": rules})
    for _ in range(2):
        submit(queue="mail", concurrency_key="a")
    assert len(lease(2, queues=("mail",))) == 1
    clock.advance(59_000)
    for _ in range(12):
        run("mail", 50)
        clock.advance(9_950)
    for _ in range(240):
        submit(queue="mail")
    (mail,) = queues_json(store, [ONE_WORKER])
    assert mail["oldest_pending_s"] == pytest.approx(179, abs=1)
    assert (mail["drain"], mail["no_estimate"]) == (None, "no estimate yet")


def test_a_queue_grows_while_jobs_come(
    store: Store, run: Run, submit: Callable[..., int], clock: FakeClock
) -> None:
    for _ in range(10):
        run("mail", 1_000)

    def grows() -> float | None:
        return queues_json(store, [ONE_WORKER])[0]["grows_per_minute"]

    assert grows() == 0
    for _ in range(30):
        submit(queue="mail")
    clock.advance(1_000)
    assert grows() == pytest.approx((40 - 10) / (71 / 60))
    clock.advance(14_000)
    assert grows() is None


def test_jobs_that_are_not_due_are_no_work_that_more_workers_would_do(
    store: Store, run_long: Run, submit: Callable[..., int]
) -> None:
    run_long("mail", 2_000)
    for hours in (3, 2):
        submit(queue="mail", delay_ms=hours * 3_600_000)
    (mail,) = queues_json(store, [ONE_WORKER])
    assert (mail["due"], mail["next_due_s"], mail["drain"]) == (0, 7_200.0, None)
    for _ in range(30):
        submit(queue="mail")
    (mail,) = queues_json(store, [ONE_WORKER])
    assert (mail["due"], mail["counts"]["pending"]) == (30, 32)
    assert mail["drain"] is not None
    assert mail["drain"]["seconds"] == pytest.approx(60)


def test_a_job_whose_time_has_come_and_one_that_waits_for_its_key_are_due(
    store: Store, submit: Callable[..., int], lease: Callable[..., list[Lease]], clock: FakeClock
) -> None:
    store.queues.configure({"mail": QueueRules(per_key=KeyRules(1))})
    for _ in range(3):
        submit(queue="mail", concurrency_key="ada")
    submit(queue="media", delay_ms=5_000)
    assert len(lease(5)) == 1
    later = DueInQueue(0, clock.wall + 5_000)
    assert store.waiting.due_by_queue() == {"mail": DueInQueue(2), "media": later}
    clock.advance(5_000)
    assert store.waiting.due_by_queue()["media"] == DueInQueue(1)


def test_the_oldest_due_job_may_be_one_that_waits_for_its_key(
    store: Store, submit: Callable[..., int], lease: Callable[..., list[Lease]], clock: FakeClock
) -> None:
    store.queues.configure({"mail": QueueRules(per_key=KeyRules(1))})
    submit(queue="mail", concurrency_key="eve")
    submit(queue="mail", concurrency_key="eve", delay_ms=500)
    submit(queue="mail", concurrency_key="ada", delay_ms=2_000)
    submit(queue="mail", concurrency_key="ada", delay_ms=3_000)
    clock.advance(3_000)
    assert len(lease(5)) == 2
    clock.advance(1_000)
    (mail,) = queues_json(store, [ONE_WORKER])
    assert (mail["due"], mail["oldest_pending_s"]) == (2, 3.5)
    assert store.waiting.oldest_pending_s() == 3.5, "the metric agrees"
    assert store.waiting.oldest_pending_by_queue() == {}, "a key's limit is no lack of workers"
    submit(queue="mail")
    assert queues_json(store, [ONE_WORKER])[0]["oldest_pending_s"] == 3.5


def test_when_a_queue_with_a_rate_for_each_key_is_empty_is_not_known(
    store: Store, submit: Callable[..., int], run_long: Run
) -> None:
    run_long("mail", 2_000)
    submit(queue="mail")
    assert queues_json(store, [ONE_WORKER])[0]["drain"] is not None
    store.queues.configure({"mail": QueueRules(per_key=KeyRules(rate=Rate(10, 60)))})
    (mail,) = queues_json(store, [ONE_WORKER])
    assert (mail["drain"], mail["no_estimate"]) == (None, "no estimate: its rate is per key")


def test_for_how_much_longer_the_last_jobs_run_is_not_known(
    store: Store, submit: Callable[..., int], lease: Callable[..., list[Lease]], run_long: Run
) -> None:
    """Short ones have set the pace, and three of five minutes run."""
    run_long("mail", 2_000)
    for _ in range(3):
        submit(queue="mail")
    assert len(lease(3)) == 3
    three = Crew("default", ["*"], [ReadyWorker("default-1", "life-1", 3, 3)])
    (mail,) = queues_json(store, [three])
    assert mail["drain"] is None
    assert mail["no_estimate"] == "none waits for a worker, 3 are running"
    submit(queue="mail", delay_ms=3_600_000)
    (mail,) = queues_json(store, [three])
    assert mail["no_estimate"] == "none waits for a worker, 3 are running", "that one is not due"
    submit(queue="mail")
    (mail,) = queues_json(store, [three])
    assert mail["drain"] and mail["no_estimate"] is None


def test_a_queue_that_perhaps_workers_of_another_host_serve_has_no_estimate(
    store: Store, submit: Callable[..., int]
) -> None:
    submit(queue="mail")
    here = Crew("default", ["*"])
    there = Crew("other", [], [ReadyWorker("other-1", "life-2", jobs=1)])
    (mail,) = queues_json(store, [here, there])
    assert mail["no_estimate"] == "no estimate: which workers serve it is not known"


def test_no_worker_is_promised_to_help_where_a_key_or_a_running_job_is_waited_for(
    store: Store, submit: Callable[..., int], lease: Callable[..., list[Lease]], run_long: Run
) -> None:
    run_long("mail", 2_000)
    for _ in range(2):
        submit(queue="mail")
    (mail,) = queues_json(store, [ONE_WORKER])
    assert mail["drain"] and mail["drain"]["with_more"]
    store.queues.configure({"mail": QueueRules(per_key=KeyRules(1))})
    (mail,) = queues_json(store, [ONE_WORKER])
    assert mail["drain"] and not mail["drain"]["with_more"], "keys keep them from it"
    store.queues.configure({})
    assert len(lease(1)) == 1
    two = Crew("default", ["*"], [ReadyWorker("default-1", "life-1", 2, 2)])
    (mail,) = queues_json(store, [two])
    assert mail["drain"] and not mail["drain"]["with_more"], "there is a place for each"


def test_so_many_due_jobs_that_they_are_not_counted_are_all_that_wait(
    store: Store, submit: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_MOST_COUNTED", 2)
    submit(queue="mail", delay_ms=5_000)
    submit(queue="mail")
    assert store.waiting.due_by_queue()["mail"].jobs == 1
    submit(queue="mail")
    assert store.waiting.due_by_queue()["mail"].jobs == 3
