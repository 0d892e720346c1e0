"""A queue whose workers run the jobs of other queues: since when, and what is told of it then."""

from collections.abc import Callable

import pytest

from orpheus.shared.domain.crews import Crew, ReadyWorker
from orpheus.shared.domain.jobs import Holder, Lease, NewJob
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.domain.rates import QueueRules
from orpheus.shared.storage import Store
from orpheus.shared.storage.verbs import stats
from orpheus.shared.views.queues import Queue, queues_json
from tests.contract.conftest import FakeClock
from tests.variants import variants

POOL = Crew("default", ["*"], [ReadyWorker("default-1", "life-1", jobs=1)])
LeaseFrom = Callable[..., list[Lease]]
End = Callable[..., bool]


@pytest.fixture(autouse=True)
def start_of_a_minute(clock: FakeClock) -> None:
    clock.advance(-clock.wall % 60_000)


@pytest.fixture
def run(store: Store, lease: LeaseFrom, end: End, clock: FakeClock) -> Callable[..., None]:
    """Runs jobs of a queue, one after the other, with time between them."""

    def run_one_by_one(queue: str, jobs: int, ran_ms: int, pause_ms: int = 0) -> None:
        for _ in range(jobs):
            with store.write(durable=False):
                store.jobs.submit_many([NewJob("noop", queue=queue)])
                (one,) = lease(queues=(queue,))
            clock.advance(ran_ms)
            assert end(one, Ending.SUCCEEDED)
            clock.advance(pause_ms)

    return run_one_by_one


def come(store: Store, queue: str, n: int) -> None:
    store.jobs.submit_many([NewJob("noop", queue=queue)] * n)


def mail(store: Store, crew: Crew = POOL) -> Queue:
    (one,) = (queue for queue in queues_json(store, [crew]) if queue["name"] == "mail")
    return one


def test_a_queue_is_starved_as_soon_as_short_jobs_of_another_have_taken_all_turns_for_long(
    store: Store, run: Callable[..., None], lease: LeaseFrom, clock: FakeClock
) -> None:
    run("mail", 600, 200)
    come(store, "mail", 3)
    run("slow", 1, 3_000)
    come(store, "slow", 1)
    assert len(lease(queues=("slow",))) == 1
    clock.advance(1_999)
    assert mail(store)["drain"] and not mail(store)["starved"], "it may be run next, by turns"
    clock.advance(1)
    assert mail(store)["starved"], "though a place became free 2 s ago, and went to another"
    assert mail(store)["none_starts"] == "its workers run other jobs"
    assert mail(store)["drain"] is None and mail(store)["no_estimate"] is None, "that says more"


@pytest.mark.parametrize(
    ("pools", "named"), [(["mails"], "pool mails"), (["mails", "posts"], "pools mails and posts")]
)
def test_a_starved_queue_names_its_pools_of_which_no_worker_is_ready(
    store: Store, lease: LeaseFrom, pools: list[str], named: str
) -> None:
    come(store, "slow", 1)
    come(store, "mail", 1)
    assert len(lease(queues=("slow",))) == 1
    own = [Crew(pool, ["mail"], others=[f"{pool}-1 is backoff"]) for pool in pools]
    (queue,) = (one for one in queues_json(store, [POOL, *own]) if one["name"] == "mail")
    why = f"no worker of {named} is ready, the others run other jobs"
    assert queue["starved"] and queue["none_starts"] == why


def test_a_queue_whose_turn_comes_seldom_is_not_starved_between_two_turns(
    store: Store, run: Callable[..., None], lease: LeaseFrom, clock: FakeClock
) -> None:
    come(store, "mail", 30)
    run("mail", 20, 1_000, pause_ms=9_000)
    run("slow", 3, 3_000)
    come(store, "slow", 1)
    assert len(lease(queues=("slow",))) == 1
    clock.advance(1_000)
    assert not mail(store)["starved"], "one in 10 s is what its workers do"
    assert mail(store)["drain"], "thirty take longer"


def test_the_job_of_a_worker_of_the_same_name_on_another_host_takes_none_of_its_places(
    store: Store, run: Callable[..., None], lease: LeaseFrom, clock: FakeClock
) -> None:
    run("mail", 20, 1_000, pause_ms=9_000)
    come(store, "mail", 1)
    come(store, "slow", 2)
    assert len(lease(queues=("slow",))) == 1
    clock.advance(6_000)
    assert len(store.leases.lease(Holder("default-1", "life-2", 102), ("slow",), 1, 60_000)) == 1
    assert mail(store)["starved"], "all its places have been taken for 6 s"


def test_a_queue_with_a_backlog_whose_turn_comes_now_and_then_is_not_starved_but_slowed(
    store: Store, run: Callable[..., None], lease: LeaseFrom, clock: FakeClock
) -> None:
    come(store, "mail", 30)
    for _ in range(6):
        run("mail", 1, 200)
        run("slow", 1, 20_000)
    come(store, "slow", 1)
    assert len(lease(queues=("slow",))) == 1
    for waited_s in (0, 50, 49):
        clock.advance(waited_s * 1000)
        told = mail(store)
        assert told["drain"] and not told["starved"] and told["none_starts"] is None
        assert told["slowed"] == "its workers run mostly other jobs"
    clock.advance(1_000)
    assert mail(store)["starved"] and mail(store)["drain"] is None
    assert mail(store)["none_starts"] == "its workers run other jobs"
    assert mail(store)["slowed"] is None


@pytest.mark.parametrize(
    ("waited_s", "by_s"),
    variants([(10, 10), (58, 10), (70, 120), (240, 120)], (58, 10), (240, 120)),
)
def test_a_queue_is_starved_without_a_break_once_the_jobs_of_others_take_its_places(
    store: Store,
    run: Callable[..., None],
    lease: LeaseFrom,
    clock: FakeClock,
    waited_s: int,
    by_s: int,
) -> None:
    run("mail", 5, 200, pause_ms=1_800)
    come(store, "mail", 59)
    run("mail", waited_s // 2, 200, pause_ms=1_800)
    come(store, "slow", 1)
    assert len(lease(queues=("slow",))) == 1
    starved = []
    for _ in range(200):
        clock.advance(1_000)
        starved.append(mail(store)["starved"])
    assert all(starved[by_s:]), "by then, it is no turn"
    assert starved == sorted(starved)


def test_a_queue_whose_own_limit_holds_it_is_not_slowed_by_others(
    store: Store, run: Callable[..., None]
) -> None:
    store.queues.configure({"mail": QueueRules(max_running=1)})
    come(store, "mail", 30)
    run("mail", 12, 20_000)
    come(store, "slow", 3)
    four = Crew("default", ["*"], [ReadyWorker("default-1", "life-1", 4, 4)])
    assert mail(store, four)["drain"] and mail(store, four)["slowed"] is None


@pytest.mark.parametrize("queues", [["*"], ["mail"]])
def test_a_queue_whose_own_jobs_take_the_places_is_not_slowed_by_what_other_pools_run(
    store: Store, run: Callable[..., None], lease: LeaseFrom, queues: list[str]
) -> None:
    come(store, "mail", 30)
    run("mail", 12, 20_000)
    come(store, "video", 3)
    assert len(lease(4, queues=("mail",))) == 4, "its pool was just scaled from one to four"
    assert len(lease(3, queues=("video",))) == 3
    workers = [ReadyWorker(f"default-{n}", f"life-{n}", jobs=1) for n in range(1, 5)]
    crews = [
        Crew("default", queues, workers),
        Crew("video", ["video"], [ReadyWorker("video-1", "life-9", 3, 3)]),
    ]
    (told,) = (one for one in queues_json(store, crews) if one["name"] == "mail")
    assert told["drain"] and told["slowed"] is None


def test_a_queue_of_whose_places_some_are_free_is_not_slowed_by_others(
    store: Store, run: Callable[..., None], lease: LeaseFrom
) -> None:
    come(store, "mail", 30)
    run("mail", 12, 20_000)
    come(store, "video", 3)
    assert len(lease(3, queues=("video",))) == 3
    elsewhere = Crew("video", ["video"], [ReadyWorker("video-1", "life-9", 3, 3)])
    idle = Crew("default", ["*"], [ReadyWorker("default-1", "life-1", 4)])
    (told,) = (one for one in queues_json(store, [idle, elsewhere]) if one["name"] == "mail")
    assert told["drain"] and told["slowed"] is None


def test_an_estimate_that_the_oldest_due_job_has_refuted_is_not_shown(
    store: Store, run: Callable[..., None], clock: FakeClock
) -> None:
    store.jobs.submit_many([NewJob("noop", queue="mail", priority=-1)])  # it waits all the time
    run("mail", 30, 1_000, pause_ms=9_000)
    drain = mail(store)["drain"]
    assert drain and drain["seconds"] == pytest.approx(10, rel=0.1)
    assert mail(store)["no_estimate"] is None
    clock.advance(3_000)
    assert mail(store)["drain"] is None
    assert mail(store)["no_estimate"] == "no estimate: none has ended for 12 s"
    run("mail", 1, 0)
    assert mail(store)["drain"], "one has ended now"


def test_after_many_quick_jobs_no_estimate_is_shown_while_long_ones_take_all_places(
    store: Store, run: Callable[..., None], lease: LeaseFrom, clock: FakeClock
) -> None:
    run("mail", 600, 200)
    come(store, "mail", 4)
    assert len(lease(1, queues=("mail",))) == 1
    drain = mail(store)["drain"]
    assert drain and drain["seconds"] < 3
    clock.advance(5_500)
    assert mail(store)["drain"] is None, "a few seconds have passed, and none has ended"


def test_of_more_jobs_than_are_looked_at_the_time_of_those_counts(
    store: Store, run: Callable[..., None], clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("mail", 2, 1_000)
    run("slow", 4, 1_000)
    clock.advance(3_000)
    assert store.stats.silent_s(["mail", "new"]) == {"mail": 7.0, "new": 120.0}
    monkeypatch.setattr(stats, "_MOST_ENDED", 3)
    assert store.stats.silent_s(["mail", "slow"]) == {"mail": 5.0, "slow": 3.0}


def test_of_more_jobs_than_are_looked_at_the_minute_in_which_the_last_ended_counts_too(
    store: Store,
    run: Callable[..., None],
    lease: LeaseFrom,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stats, "_MOST_ENDED", 3)
    come(store, "mail", 30)
    run("mail", 12, 1_000)
    run("slow", 138, 1_000)
    assert store.stats.silent_s(["mail", "new"]) == {"mail": 90.0, "new": 120.0}
    assert mail(store)["slowed"] and not mail(store)["starved"]
    run("slow", 29, 1_000)
    come(store, "slow", 1)
    assert len(lease(queues=("slow",))) == 1
    clock.advance(1_000)
    assert mail(store)["starved"], "none has ended for two minutes"
    assert mail(store)["drain"] is None


def test_a_starved_queue_grows_by_no_more_than_came_less_what_ended(
    store: Store, run: Callable[..., None], lease: LeaseFrom, clock: FakeClock
) -> None:
    run("mail", 300, 200)
    come(store, "mail", 4)
    come(store, "slow", 1)
    assert len(lease(queues=("slow",))) == 1
    clock.advance(6_000)
    starved = mail(store)
    assert starved["starved"]
    assert starved["grows_per_minute"] is None, "four more in 300 is no growth"
    assert mail(store, Crew("default", ["*"]))["grows_per_minute"] is None, "no worker at all"
    for _ in range(60):
        come(store, "mail", 5)
        clock.advance(1_000)
    grows = mail(store)
    assert grows["grows_per_minute"] == pytest.approx(
        grows["submitted_per_minute"] - grows["ended_per_minute"]
    )
    assert (grows["grows_per_minute"] or 0) > 200
