"""The history by minute and hour: folded from kept counts, each counted once."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from orpheus.shared.domain.handover import RetentionRules
from orpheus.shared.domain.jobs import NewJob, Outcome, Status
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.storage import Store, TypeRow
from orpheus.shared.storage.past import Figures, percentile_s
from orpheus.shared.storage.verbs.past import Past
from tests.contract.conftest import End, FakeClock, LeaseSome, Submit

MINUTE_MS, DAY_MS = 60_000, 86_400_000
RULES = RetentionRules(done_s=1e9, failed_s=1e9, cancelled_s=1e9, events=10**9)


@pytest.fixture(autouse=True)
def described(store: Store) -> None:
    store.types.replace([TypeRow(name, "{}", None, None, None, "") for name in ("resize", "crop")])


def points(store: Store, by: str = "type", step_s: int = 60) -> dict[str, dict[int, Figures]]:
    """Return all that the history has, by name and by minute (or hour) since the first one."""
    found = store.past.points(0, 10**11, step_s, by, None)
    first_s = min((at_s for steps in found.values() for at_s in steps), default=0)
    return {
        name: {(at_s - first_s) // step_s: figures for at_s, figures in steps.items()}
        for name, steps in found.items()
    }


def counts(figures: Figures) -> tuple[int, ...]:
    return (
        figures.submitted, figures.done, figures.failed, figures.cancelled, figures.retried,
        figures.ran_ms,
    )  # fmt: skip


def run(clock: FakeClock, lease: LeaseSome, end: End, *endings: Ending) -> None:
    """Let a job wait for 0.2 s and run for 2 s, for each ending."""
    for ending in endings:
        clock.advance(200)
        (held,) = lease()
        clock.advance(2_000)
        assert end(held, ending)


def test_what_happened_is_counted_by_minute_queue_and_type(
    store: Store, clock: FakeClock, submit: Submit, lease: LeaseSome, end: End
) -> None:
    submit("resize")
    run(clock, lease, end, Ending.SUCCEEDED)
    submit("resize", queue="mail", max_retries=1)
    run(clock, lease, end, Ending.FAILED)
    clock.advance(MINUTE_MS)
    run(clock, lease, end, Ending.FAILED)
    store.jobs.cancel(submit("crop"))
    submit("made-up")
    clock.advance(MINUTE_MS)
    assert not store.past.fold()

    by_type, by_queue = points(store), points(store, "queue")
    assert {name: sorted(steps) for name, steps in by_type.items()} == {
        "resize": [0, 1],
        "crop": [1],
        "": [1],
    }
    assert counts(by_type["resize"][0]) == (2, 1, 0, 0, 1, 4_000)
    assert counts(by_type["resize"][1]) == (0, 0, 1, 0, 0, 2_000)
    assert counts(by_type["crop"][1]) == (1, 0, 0, 1, 0, 0)
    assert counts(by_type[""][1]) == (1, 0, 0, 0, 0, 0)
    assert counts(by_queue["mail"][0]) == (1, 0, 0, 0, 1, 2_000)
    assert percentile_s(by_queue["default"][0].waits, 0.5) == pytest.approx(0.2, rel=0.3)
    assert percentile_s(by_queue["mail"][1].runs, 0.95) == pytest.approx(2, rel=0.3)
    (hour,) = points(store, step_s=3600)["resize"].values()
    assert counts(hour) == (2, 1, 1, 0, 1, 6_000)


def test_the_totals_are_the_same_before_and_after(
    store: Store, clock: FakeClock, submit: Submit, lease: LeaseSome, end: End
) -> None:
    for queue in ("default", "mail", "default"):
        submit("resize", queue=queue)
        run(clock, lease, end, Ending.SUCCEEDED)
        before = store.stats.types(), store.stats.ended(), store.stats.runs(), store.stats.waits()
        store.past.fold()
        assert before == (
            store.stats.types(), store.stats.ended(), store.stats.runs(), store.stats.waits(),
        )  # fmt: skip
    (resize,) = store.stats.types()
    assert resize.ended == {Outcome.SUCCEEDED: 3}


def test_each_is_counted_once_whoever_folds_and_wherever_it_is_killed(
    store: Store,
    another: Callable[[], Store],
    clock: FakeClock,
    submit: Submit,
    lease: LeaseSome,
    end: End,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    leaders = [store, another()]
    add = Past._add

    def add_and_die(past: Past, step_s: int, at_s: int, found: dict[tuple[str, str], Figures]):
        add(past, step_s, at_s, found)
        if step_s == 3600:
            raise ZeroDivisionError

    for round_ in range(6):
        submit("resize")
        run(clock, lease, end, Ending.SUCCEEDED)
        clock.advance(20_000)
        with monkeypatch.context() as patched:
            patched.setattr(Past, "_add", add_and_die)
            with pytest.raises(ZeroDivisionError):
                leaders[round_ % 2].past.fold()
        for leader in leaders:
            assert not leader.past.fold()
    assert sum(figures.done for figures in points(store)["resize"].values()) == 6
    assert sum(figures.submitted for figures in points(store)["resize"].values()) == 6
    assert store.stats.ended()[Status.DONE] == 6


def test_a_leader_that_was_overtaken_counts_no_job_twice(
    store: Store,
    another: Callable[[], Store],
    clock: FakeClock,
    submit: Submit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    submit("resize")
    clock.advance(10_000)
    other, write = another(), store._database.write

    def write_late(*, durable: bool) -> AbstractContextManager[None]:
        other.past.fold()
        return write(durable=durable)

    with monkeypatch.context() as patched:
        patched.setattr(store._database, "write", write_late)
        assert store.past.fold()
    assert not store.past.fold()
    assert counts(points(store)["resize"][0])[0] == 1


def test_a_clock_that_is_set_back_makes_no_figure_twice(
    store: Store, clock: FakeClock, submit: Submit, lease: LeaseSome, end: End
) -> None:
    for _ in range(2):
        submit("resize")
        run(clock, lease, end, Ending.SUCCEEDED)
        clock.advance(30_000)
        store.past.fold()
        clock.wall -= 32_200  # the same minute again
        store.past.fold()
    clock.advance(60_000)
    store.past.fold()
    (figures,) = points(store)["resize"].values()
    assert counts(figures) == (2, 2, 0, 0, 0, 4_000)


def test_a_long_time_without_a_leader_is_caught_up_in_steps(
    store: Store, clock: FakeClock, submit: Submit, lease: LeaseSome, end: End
) -> None:
    for _ in range(25):
        submit("resize")
        run(clock, lease, end, Ending.SUCCEEDED)
        clock.advance(MINUTE_MS)
    folds = 1
    while store.past.fold():
        folds += 1
    assert folds > 1
    found = points(store)["resize"].values()
    assert sum(figures.done for figures in found) == 25
    assert sum(figures.submitted for figures in found) == 25


def test_jobs_that_were_submitted_within_seconds_are_left_to_the_next_time(
    store: Store, clock: FakeClock, submit: Submit
) -> None:
    """On several hosts, a job with a smaller id may still be committed."""
    submit("resize")
    clock.advance(6_000)
    submit("resize")
    assert not store.past.fold()
    assert counts(points(store)["resize"][0])[0] == 1
    clock.advance(6_000)
    assert not store.past.fold()
    assert counts(points(store)["resize"][0])[0] == 2


def test_a_thousand_queues_do_not_make_a_thousand_figures(store: Store, clock: FakeClock) -> None:
    store.jobs.submit_many([NewJob("resize", queue=f"q{number}") for number in range(1_000)])
    clock.advance(10_000)
    store.past.fold()
    assert len(points(store, "queue")) <= 101
    assert counts(points(store)["resize"][0])[0] == 1_000


def test_minutes_are_kept_for_two_days_and_hours_for_ninety(
    store: Store, clock: FakeClock, submit: Submit
) -> None:
    def sweep() -> None:
        while store.retention.step(RULES):
            pass

    for _ in range(3):
        submit("resize")
        clock.advance(30 * MINUTE_MS)
        store.past.fold()
    clock.advance(2 * DAY_MS - 70 * MINUTE_MS)
    sweep()
    assert len(points(store)["resize"]) == 2
    clock.advance(DAY_MS)
    sweep()
    assert points(store) == {}
    assert sum(one.submitted for one in points(store, step_s=3600)["resize"].values()) == 3
    clock.advance(90 * DAY_MS)
    sweep()
    assert points(store, step_s=3600) == {}
    assert not store.past.fold()  # none of them is counted again
