"""When a queue with a rate is empty: by its rate while that alone holds it, else by its pace."""

from collections.abc import Callable, Iterator

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.crews import Crew, ReadyWorker
from orpheus.shared.domain.jobs import Lease
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.rates import KeyRules, QueueRules, Rate
from orpheus.shared.storage import Store
from orpheus.shared.storage.verbs import stats
from orpheus.shared.views.queues import Queue, queues_json
from tests.contract.conftest import FakeClock
from tests.variants import variants

ONE_WORKER = Crew("default", ["*"], [ReadyWorker("default-1", "life-1")])
BUSY = Crew("default", ["*"], [ReadyWorker("default-1", "life-1", jobs=1)])


@pytest.fixture(autouse=True)
def start_of_a_minute(clock: FakeClock) -> None:
    clock.advance(-clock.wall % 60_000)


@pytest.fixture
def run(
    store: Store, lease: Callable[..., list[Lease]], clock: FakeClock
) -> Callable[..., Iterator[Queue]]:
    """Runs one job after the other, and yields what is told of their queue now and then."""

    def run_for(
        seconds: int, ran_s: int, crew: Crew = BUSY, *, after_s: int = 0, every_s: int = 1
    ) -> Iterator[Queue]:
        running: list[tuple[int, Lease]] = []
        for second in range(seconds):
            for ends_at, one in running:
                if ends_at <= second:
                    store.leases.finish([Finished(one, Ending.SUCCEEDED, result="null")])
            running = [(ends_at, one) for ends_at, one in running if ends_at > second]
            if len(running) < crew.places:
                running += [(second + ran_s, one) for one in lease(1, queues=("mail",))]
            clock.advance(1_000)
            if second in range(after_s, seconds, every_s):
                (mail,) = queues_json(store, [crew], {"mail"})
                yield mail

    return run_for


@pytest.mark.parametrize(
    ("ran_s", "every_s"), variants([(15, 1), (20, 1), (15, 7), (20, 7)], (15, 7), (20, 7))
)
def test_a_queue_whose_worker_cannot_do_what_its_rate_lets_is_empty_at_its_pace(
    store: Store, submit: Callable[..., int], run: Callable[..., Iterator[Queue]],
    ran_s: int, every_s: int,
) -> None:  # fmt: skip
    store.queues.configure({"mail": QueueRules(rate=Rate(6, 60))})
    for _ in range(60):
        submit(queue="mail")
    told = run(600, ran_s, after_s=240, every_s=every_s)
    for second, mail in zip(range(241, 601, every_s), told, strict=True):
        left, drain = 60 - second / ran_s, mail["drain"]
        assert drain is not None
        assert drain["seconds"] == pytest.approx(left * ran_s, rel=0.25), second
        assert drain["with_more"], "a second worker helps"


@pytest.mark.parametrize("every_s", variants([1, 3], 3))
@pytest.mark.parametrize("max_running", [0, 1])
def test_a_queue_that_does_what_its_rate_lets_is_empty_at_it_whoever_else_has_its_workers(
    store: Store, submit: Callable[..., int], run: Callable[..., Iterator[Queue]],
    clock: FakeClock, max_running: int, every_s: int,
) -> None:  # fmt: skip
    store.queues.configure({"mail": QueueRules(max_running=max_running, rate=Rate(6, 60))})
    for _ in range(90):
        submit(queue="mail")
    assert list(run(120, 5, after_s=120)) == []
    clock.advance(160_000)
    for mail in run(200, 5, after_s=60, every_s=every_s):
        drain, left = mail["drain"], mail["due"]
        assert drain == {"seconds": pytest.approx(left * 10), "with_more": []}
        assert mail["slowed"] is None


def test_beside_a_rate_of_each_key_nothing_is_told(
    store: Store, submit: Callable[..., int], run: Callable[..., Iterator[Queue]]
) -> None:
    keys = KeyRules(rate=Rate(2, 60))
    store.queues.configure({"mail": QueueRules(rate=Rate(60, 60), per_key=keys)})
    for number in range(60):
        submit(queue="mail", concurrency_key="all" if number % 2 else f"key-{number}")
    assert {mail["drain"] is None for mail in run(60, 1)} == {True}


def test_a_queue_that_does_what_its_rate_lets_again_is_empty_at_that_rate(
    store: Store, submit: Callable[..., int], lease: Callable[..., list[Lease]], clock: FakeClock
) -> None:
    store.queues.configure({"mail": QueueRules(rate=Rate(6, 60))})
    for _ in range(50):
        submit(queue="mail")
    seconds = []

    def end_one() -> None:
        (one,) = lease(1, queues=("mail",))
        store.leases.finish([Finished(one, Ending.SUCCEEDED, result="null")])

    for _ in range(12):
        end_one()
        clock.advance(10_000)
    clock.advance(110_000)  # others have the worker
    for number in range(1, 9):
        end_one()
        clock.advance(5_000)
        (mail,) = (one for one in queues_json(store, [BUSY]) if one["name"] == "mail")
        drain = mail["drain"]
        if number >= 5:
            assert drain == {"seconds": (38 - number) * 10.0, "with_more": []}
            assert mail["slowed"] is None
        assert drain is None or not drain["with_more"], "its rate holds it"
        seconds.append(drain and drain["seconds"])
        clock.advance(5_000)
    (mail,) = (
        one for one in queues_json(store, [replace(BUSY, ready=[])]) if one["name"] == "mail"
    )
    assert mail["drain"] is None, "no worker is ready any more"
    assert seconds[0] is None or seconds[0] > 400, "whether it goes on so is not known yet"


def test_when_a_queue_at_its_rate_is_empty_does_not_depend_on_how_many_jobs_of_others_end(
    store: Store,
    submit: Callable[..., int],
    run: Callable[..., Iterator[Queue]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store.queues.configure({"mail": QueueRules(rate=Rate(6, 60))})
    for _ in range(90):
        submit(queue="mail")
    assert list(run(180, 5, after_s=180)) == []
    monkeypatch.setattr(stats, "_MOST_ENDED", 3)  # of so many, not all are counted
    assert store.stats.ended_within(55) is None
    for mail in run(60, 5):
        assert mail["drain"] == {"seconds": mail["due"] * 10.0, "with_more": []}
