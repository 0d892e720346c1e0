"""Items of a batch that name each other."""

import pytest

from orpheus.shared.domain.dependencies import batch_problems, cycle_in, in_order
from orpheus.shared.domain.jobs import NewJob


def item(ref: str | None, *depends_on: int | str, key: str | None = None) -> NewJob:
    return NewJob("noop", ref=ref, depends_on=depends_on, unique_key=key)


def found(*items: NewJob) -> list[str]:
    return [problem.pointer for problem in batch_problems(items)]


def test_names_that_lead_somewhere_are_fine_in_any_order() -> None:
    assert found(item("last", "left", "right", 7), item("left", "top"), item("right"), item("top"))\
        == []  # fmt: skip
    assert found(item(None, "top", "top"), item("top")) == []


def test_a_name_that_is_unknown_or_stands_twice_is_pointed_at() -> None:
    assert found(item("a", "b"), item("a"), item(None, "a", 5, "c")) == [
        "/jobs/1/ref",
        "/jobs/0/depends_on/0",
        "/jobs/2/depends_on/2",
    ]


@pytest.mark.parametrize(
    ("items", "names"),
    [
        ([item("a", "a")], "a → a"),
        ([item("a", "b"), item("b", "a")], "→"),
        ([item("x"), item("a", "x", "b"), item("b", "c"), item("c", "a", "x")], "→"),
    ],
)
def test_a_circle_is_named(items: list[NewJob], names: str) -> None:
    (problem,) = batch_problems(items)
    assert names in problem.detail
    first, *_, last = problem.detail.partition(": ")[2].split(" → ")
    assert first == last


def test_the_pointer_leads_into_the_circle() -> None:
    (problem,) = batch_problems([item("a", 1, "x", "b"), item("b", "x", "a"), item("x")])
    assert problem.pointer in {"/jobs/0/depends_on/2", "/jobs/1/depends_on/1"}


def test_a_circle_that_closes_through_a_unique_key_is_found() -> None:
    assert len(found(item("a", "b", key="k"), item("b", key="k"))) == 1
    assert len(found(item(None, "c", key="k"), item("c", "b"), item("b", key="k"))) == 1
    # Made from the first item of the key, the job waits for nobody.
    assert found(item("b", key="k"), item("c", "b"), item("a", "c", key="k")) == []


def test_a_long_circle_is_told_briefly_and_without_recursion() -> None:
    chain = [item(f"n{n}", f"n{n + 1}") for n in range(9_999)]
    (problem,) = batch_problems([*chain, item("n9999", "n0")])
    assert "…" in problem.detail
    assert len(problem.detail) < 300
    assert batch_problems([*chain, item("n9999")]) == []


@pytest.mark.parametrize(
    ("edges", "cycle"),
    [
        ({}, []),
        ({"a": ["b"], "b": []}, []),
        ({"a": ["b", "c"], "b": ["c"], "c": []}, []),
        ({"a": ["gone"]}, []),
        ({"a": ["a"]}, ["a", "a"]),
        ({"a": ["b"], "b": ["d", "c"], "c": ["b"], "d": []}, ["b", "c", "b"]),
    ],
)
def test_a_cycle_is_found(edges: dict[str, list[str]], cycle: list[str]) -> None:
    assert cycle_in(edges) == cycle


def test_each_job_comes_after_those_it_is_linked_to() -> None:
    assert in_order([1, 2, 3, 4], []) == [1, 2, 3, 4]
    order = in_order([1, 2, 3, 4], [(1, 2, False), (2, 4, True), (1, 9, False)])
    assert order.index(4) < order.index(2) < order.index(1)
    assert sorted(order) == [1, 2, 3, 4]


def test_what_needs_a_job_that_is_not_chosen_is_left_out_and_so_is_what_needs_that() -> None:
    links = [(1, 9, True), (2, 1, True), (3, 2, False), (4, 3, True)]
    assert in_order([1, 2, 3, 4], links) == [3, 4]


def test_jobs_in_a_circle_keep_their_order() -> None:
    assert in_order([1, 2, 3], [(1, 2, True), (2, 1, True), (3, 9, True)]) == [1, 2]


def test_a_batch_with_too_many_dependencies_is_refused_where_they_become_too_many() -> None:
    some = item(None, *range(1, 25_001))
    assert found(*[some] * 4, item(None)) == []
    assert found(*[some] * 4, item(None), item("a", 7), item("a")) == ["/jobs/5/depends_on"]
