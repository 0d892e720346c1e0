"""The graph around a job."""

from collections.abc import Callable
from typing import Any

import apsw
import pytest

from orpheus.shared.domain.jobs import NewJob, Status
from orpheus.shared.errors import NotFound
from orpheus.shared.storage import Store
from tests.sqlite_handle import handle_of

Submit = Callable[..., int]


def ids_around(store: Store, job_id: int, most: int = 200) -> list[int]:
    return [job.id for job in store.graphs.around(job_id, most).jobs]


def test_a_job_alone_is_a_graph_of_one(store: Store, submit: Submit) -> None:
    job_id = submit()
    graph = store.graphs.around(job_id)
    (job,) = graph.jobs
    assert (job.id, job.type, job.status, job.attempt) == (job_id, "noop", Status.PENDING, 0)
    assert (list(graph.links), graph.is_complete) == ([], True)


def test_it_has_what_a_job_waits_for_and_what_waits_for_it_through_others_too(
    store: Store, submit: Submit
) -> None:
    top = submit()
    left, right = submit(depends_on=(top,)), submit(depends_on=(top,))
    last = submit(depends_on=(left, right))
    after = submit(depends_on=(last,))
    submit()  # of another graph

    graph = store.graphs.around(last)
    assert [job.id for job in graph.jobs] == [top, left, right, last, after]
    links = [(left, top), (right, top), (last, left), (last, right), (after, last)]
    assert list(graph.links) == links
    assert ids_around(store, left) == [top, left, last, after], "right is neither before nor after"


def test_statuses_are_as_they_are_now(store: Store, submit: Submit) -> None:
    first = submit()
    second = submit(depends_on=(first,))
    store.jobs.cancel(first)
    statuses = {job.id: job.status for job in store.graphs.around(second).jobs}
    assert statuses == {first: Status.CANCELLED, second: Status.CANCELLED}


def test_of_too_many_jobs_the_nearest_are_told_and_that_there_are_more(store: Store) -> None:
    chain = [NewJob("noop", ref="j0")]
    chain += [NewJob("noop", ref=f"j{n}", depends_on=(f"j{n - 1}",)) for n in range(1, 20)]
    ids = store.jobs.submit_many(chain)
    graph = store.graphs.around(ids[10], 7)
    assert [job.id for job in graph.jobs] == ids[7:14]
    assert not graph.is_complete
    assert len(graph.links) == 6


def fan_of(store: Store, dependents: int) -> list[int]:
    """Submit a job, one that waits for it, and many that wait for that one; return their ids."""
    fan = [NewJob("noop", ref="root"), NewJob("noop", ref="hub", depends_on=("root",))]
    return store.jobs.submit_many([*fan, *[NewJob("noop", depends_on=("hub",))] * dependents])


def test_of_many_that_wait_for_one_the_first_are_told(store: Store) -> None:
    ids = fan_of(store, 600)
    for job_id in ids[:2]:
        graph = store.graphs.around(job_id)
        assert [job.id for job in graph.jobs] == ids[:200]
        assert (len(graph.links), graph.is_complete) == (199, False)
    last = store.graphs.around(ids[-1])
    assert ([job.id for job in last.jobs], last.is_complete) == ([*ids[:2], ids[-1]], True)


def steps_of(store: Store, query: str, job_id: int) -> int:
    """How many steps SQLite takes for one of the queries around a job, which contains this text."""
    steps: list[int] = []

    def note(event: dict[str, Any]) -> None:
        if query in event["sql"]:
            steps.append(event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"])

    with handle_of(store) as connection:
        connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, note)
        store.graphs.around(job_id)
        store.graphs.around(job_id)
        connection.trace_v2(0, None)
    before, after = steps  # a statement that is kept counts on
    return after - before


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize("index", [0, 1], ids=["through another", "directly"])
def test_no_more_of_those_that_wait_are_read_than_are_told(store: Store, index: int) -> None:
    few, many = fan_of(store, 300), fan_of(store, 3_000)
    read = steps_of(store, "after_it", many[index])
    assert 0 < read <= 1.1 * steps_of(store, "after_it", few[index])
    links = steps_of(store, "+depends_on", many[index])
    assert 0 < links < 100 * 200, "as many as there are links, not as pairs of jobs"


def test_jobs_that_are_gone_are_left_out(store: Store, submit: Submit) -> None:
    first = submit()
    second = submit(depends_on=(first,), on_dependency_failure="run")
    store.jobs.cancel(first)
    store.jobs.cancel(second)
    third = submit(depends_on=(second,))
    with store.write(durable=True):
        store._database.run(store._database.sql("jobs.sql")["delete-job"], first)
    assert ids_around(store, third) == [second, third]


def test_of_a_job_that_is_not_there_there_is_no_graph(store: Store) -> None:
    with pytest.raises(NotFound):
        store.graphs.around(7)


def test_jobs_that_ended_because_of_a_job_are_counted_until_they_are_live_again(
    store: Store,
) -> None:
    for others in ((), (1,), (2,), (1,)):
        store.jobs.submit(NewJob("noop", depends_on=others))
    assert store.graphs.ended_with(1) == 0
    store.jobs.cancel(4)
    ended_ms = store.jobs.cancel(1)[0].finished_at_ms
    assert ended_ms is not None
    assert store.graphs.ended_with(1, ended_ms) == 2, "job 4 was cancelled by itself"
    assert store.graphs.ended_with(1, ended_ms + 60_000) == 0
    store.jobs.retry(1)
    assert store.graphs.ended_with(1) == 2
    store.jobs.retry(2)
    assert (store.graphs.ended_with(1), store.graphs.ended_with(2)) == (0, 1)
