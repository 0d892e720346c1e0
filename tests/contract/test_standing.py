"""What the store knows of why a job does not run."""

from collections.abc import Callable
from functools import partial

import pytest

from orpheus.shared.domain.crews import Crew, ReadyWorker
from orpheus.shared.domain.jobs import Holder, Lease, NewJob, Outcome, Status
from orpheus.shared.domain.lifecycle import Ending
from orpheus.shared.domain.rates import KeyRules, QueueRules, Rate
from orpheus.shared.domain.rooms import Room
from orpheus.shared.domain.why import Pause, Standing
from orpheus.shared.errors import NotFound
from orpheus.shared.storage import Actor, Store
from orpheus.shared.storage.verbs import standing as standing_module
from orpheus.shared.views.queues import queues_json
from orpheus.shared.views.verdict import verdict_json
from tests.contract.conftest import FakeClock

Submit = Callable[..., int]
LeaseSome = Callable[..., list[Lease]]
End = Callable[..., bool]


def before(standing: Standing) -> list[int]:
    return [one.id for one in standing.before]


def test_an_unknown_job_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        store.standings.of(7)


def test_the_jobs_before_it_come_in_the_order_of_leasing(
    store: Store, submit: Submit, lease: LeaseSome, clock: FakeClock
) -> None:
    delayed = submit(delay_ms=1_000, queue="c")
    later = submit(delay_ms=9_000)
    clock.advance(500)
    first = submit()
    clock.advance(1)
    high, other, last, low = submit(priority=5), submit(queue="b"), submit(), submit(priority=-1)
    assert before(store.standings.of(last)) == [high, first, other]
    clock.advance(1_000)  # the delayed one is due, though no lease has made it so yet
    expected = [high, first, other, last, delayed, low]
    assert before(store.standings.of(low)) == expected[:-1]
    assert store.standings.of(delayed).is_due
    assert not store.standings.of(later).is_due
    assert [one.job_id for one in lease(9)] == expected


def test_the_jobs_of_its_own_key_and_queue_are_counted_first(
    store: Store, submit: Submit, lease: LeaseSome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing_module, "MOST_BEFORE", 4)
    store.queues.configure({"mail": QueueRules(per_key=KeyRules(max_running=1))})
    _, *of_key = [submit(queue="mail", concurrency_key="acme") for _ in range(4)]
    lease(5)  # parks those that wait for the first
    for _ in range(5):
        submit(queue="a")
    of_queue = [submit(queue="mail") for _ in range(2)]
    last = submit(queue="mail", concurrency_key="acme")
    assert before(store.standings.of(last)) == [*of_key, of_queue[0]]


def test_jobs_of_paused_queues_do_not_go_before(store: Store, submit: Submit) -> None:
    submit(queue="media")
    mine = submit()
    store.queues.pause("media")
    assert before(store.standings.of(mine)) == []


def test_a_pause_names_the_operator_the_reason_and_when(
    store: Store, submit: Submit, clock: FakeClock
) -> None:
    job = submit(queue="mail")
    assert store.standings.of(job).pause is None
    store.queues.configure({"mail": QueueRules(paused=True)})
    assert store.standings.of(job).pause == Pause()
    ada = Actor("cli:ada", "mail is down")
    store.audit.audited(ada, "pause", "queue mail", lambda: store.queues.pause("mail"))
    assert store.standings.of(job).pause == Pause("cli:ada", "mail is down", clock.wall)
    store.queues.resume("mail")
    assert store.standings.of(job).pause is None


def test_who_paused_many_queues_takes_one_statement(
    store: Store, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(31):  # the last one is never paused: one at least is open
        submit(queue=f"q{n}")
    statements = watched(store, monkeypatch)

    def how_many() -> int:
        statements.clear()
        queues_json(store, [])
        verdict_json(store, [], {}, 20, store.waiting.oldest_pending_by_queue())
        return len(statements)

    none_is_paused = how_many()
    paused = []
    for n in range(30):
        queue = f"q{n}"
        store.audit.audited(
            Actor("cli:ada"), "pause", f"queue {queue}", partial(pause, store, queue)
        )
        paused.append(how_many())
    assert paused == [paused[0]] * 30
    assert none_is_paused < paused[0], "nothing is counted for it"


def test_a_list_of_queues_does_not_ask_which_jobs_run_in_each_that_is_full(
    store: Store, submit: Submit, lease: LeaseSome, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.queues.configure({f"q{n}": QueueRules(max_running=1) for n in range(30)})
    for n in range(30):
        submit(queue=f"q{n}"), submit(queue=f"q{n}")
    assert len(lease(60)) == 30
    statements = watched(store, monkeypatch)
    queues_json(store, [Crew("default", ["*"], [ReadyWorker("default-1", "life-1")])])
    assert store._database.sql("why.sql")["running-of-queue"] not in statements


def test_a_list_of_one_queue_reads_nothing_of_each_of_the_others(
    store: Store, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = watched(store, monkeypatch)

    def how_many() -> int:
        statements.clear()
        (one,) = queues_json(store, [], only={"mail"})
        assert (one["name"], one["due"]) == ("mail", 1)
        return len(statements)

    store.queues.configure({f"q{n}": QueueRules(per_key=KeyRules(1)) for n in range(20)})
    submit(queue="mail"), submit(queue="q0", concurrency_key="ada")
    before = how_many()
    for n in range(20):
        submit(queue=f"q{n}", concurrency_key="ada"), submit(queue=f"q{n}", concurrency_key="ada")
    assert how_many() <= before + 8, "when the first job of the last minute came is looked for"


def watched(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that are run from now on."""
    statements: list[str] = []
    for name in ("all", "one"):
        call = getattr(store._database, name)

        def count(sql: str, *values: object, call: Callable[..., object] = call) -> object:
            statements.append(sql)
            return call(sql, *values)

        monkeypatch.setattr(store._database, name, count)
    return statements


def pause(store: Store, queue: str) -> None:
    store.queues.pause(queue)


def test_a_limit_counts_and_names_what_runs(store: Store, submit: Submit, lease: LeaseSome) -> None:
    store.queues.configure({"mail": QueueRules(max_running=2)})
    running, waiting = [submit(queue="mail") for _ in range(2)], submit(queue="mail")
    assert store.standings.of(waiting).queues == {"mail": Room(2, 0)}
    lease(5)
    assert store.standings.of(waiting).queues == {"mail": Room(2, 2, named=tuple(running))}


def test_a_rate_says_when_it_opens(
    store: Store, submit: Submit, lease: LeaseSome, clock: FakeClock
) -> None:
    rate = Rate(1, 60)
    store.queues.configure({"mail": QueueRules(rate=rate)})
    _, waiting = submit(queue="mail"), submit(queue="mail")
    lease(5)
    clock.advance(15_000)
    room = (store.standings.of(waiting).queues or {})["mail"]
    assert room.left == 0
    assert room.opens_ms == pytest.approx(clock.wall_ms() + 45_000, abs=2)
    clock.advance(46_000)
    assert (store.standings.of(waiting).queues or {})["mail"].left == 1


def test_a_key_has_its_own_room_and_its_parked_jobs_go_in_order(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    store.queues.configure({"mail": QueueRules(per_key=KeyRules(max_running=1))})
    running, second, third = (submit(queue="mail", concurrency_key="acme") for _ in range(3))
    other = submit(queue="mail", concurrency_key="other")
    (held, _) = lease(5)
    assert held.job_id == running
    standing = store.standings.of(third)
    assert standing.keys == {("mail", "acme"): Room(1, 1, named=(running,))}
    assert before(standing) == [second]
    assert other not in before(standing)
    end(held)
    assert store.standings.of(third).keys == {("mail", "acme"): Room(1, 0)}


def test_the_rate_of_a_key_says_when_it_opens(
    store: Store, submit: Submit, lease: LeaseSome, clock: FakeClock
) -> None:
    rate = Rate(1, 60)
    store.queues.configure({"mail": QueueRules(per_key=KeyRules(rate=rate))})
    _, waiting = (submit(queue="mail", concurrency_key="acme") for _ in range(2))
    lease(5)
    room = (store.standings.of(waiting).keys or {})["mail", "acme"]
    assert (room.tokens, room.opens_ms) == (0, clock.wall_ms() + 60_000)


def test_a_blocked_job_names_the_jobs_that_it_still_waits_for(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    needed = [submit("resize") for _ in range(7)]
    waiting = store.jobs.submit(NewJob("noop", depends_on=tuple(needed))).job.id
    end(lease()[0])
    standing = store.standings.of(waiting)
    assert standing.waits_for == 6
    assert [(one.id, one.type) for one in standing.dependencies] == [
        (one, "resize") for one in needed[1:6]
    ]
    assert standing.dependencies[0].status is Status.PENDING


def test_a_job_knows_how_its_last_attempt_ended_and_its_crashes(
    store: Store, submit: Submit, lease: LeaseSome, end: End
) -> None:
    job = submit()
    assert store.standings.of(job).last_outcome is None
    end(lease()[0], Ending.FAILED)
    standing = store.standings.of(job)
    assert (standing.last_outcome, standing.crashes, standing.is_due) == (Outcome.FAILED, 0, False)


def test_a_leased_job_knows_what_its_worker_leased_before_it(
    store: Store, submit: Submit, lease: LeaseSome
) -> None:
    jobs = [submit() for _ in range(3)]
    lease(3)
    another = submit()
    store.leases.lease(Holder("default-2", "life-2", 102), ("*",), 1, 30_000)
    assert store.standings.of(jobs[2]).leased_before == jobs[:2]
    assert store.standings.of(another).leased_before == []


def test_a_job_that_ended_with_another_names_the_one_to_retry_first(
    store: Store, submit: Submit
) -> None:
    first = submit()
    second = submit(depends_on=(first,))
    third = submit(depends_on=(second,))
    store.jobs.cancel(first)
    found = [store.standings.of(one).retry_first for one in (first, second, third)]
    assert found == [None, first, first]
    store.jobs.retry(first)
    found = [store.standings.of(one).retry_first for one in (first, second, third)]
    assert found == [None, None, second]


def test_a_job_that_ended_names_the_one_that_holds_its_unique_key(
    store: Store, submit: Submit
) -> None:
    first = submit(unique_key="daily")
    assert store.standings.of(first).key_holder is None
    store.jobs.cancel(first)
    assert store.standings.of(first).key_holder is None
    second = submit(unique_key="daily")
    assert [store.standings.of(one).key_holder for one in (first, second)] == [second, None]
    store.jobs.cancel(second)
    assert store.standings.of(first).key_holder is None


def test_a_job_that_runs_whatever_the_other_did_may_be_retried_at_once(
    store: Store, submit: Submit
) -> None:
    first = submit()
    second = submit(depends_on=(first,), on_dependency_failure="run")
    store.jobs.cancel(first)
    store.jobs.cancel(second)
    assert store.standings.of(second).retry_first is None
