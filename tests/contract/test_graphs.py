"""The graph around a job."""

import pytest

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.errors import NotFound
from orpheus.shared.storage import Store
from tests.contract.conftest import Submit


def ids_around(store: Store, job_id: int, most: int = 200) -> list[int]:
    return [job.id for job in store.graphs.around(job_id, most).jobs]


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


def test_of_too_many_jobs_the_nearest_are_told_and_that_there_are_more(store: Store) -> None:
    chain = [NewJob("noop", ref="j0")]
    chain += [NewJob("noop", ref=f"j{n}", depends_on=(f"j{n - 1}",)) for n in range(1, 20)]
    ids = store.jobs.submit_many(chain)
    graph = store.graphs.around(ids[10], 7)
    assert [job.id for job in graph.jobs] == ids[7:14]
    assert not graph.is_complete
    assert len(graph.links) == 6


def test_of_a_job_that_is_not_there_there_is_no_graph(store: Store) -> None:
    with pytest.raises(NotFound):
        store.graphs.around(7)
