"""Check the dependencies in a batch, and put jobs into the order of their dependencies.

Pure. In a batch every `ref` must exist, and there may be no cycle. The database would accept one,
and its jobs would wait for each other forever; the sender gets the names of the items that form it.
Two items with the same `unique_key` are one job, the first of them, so a cycle can also close
through a key.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TypeVar

from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.domain.limits import MAX_BATCH_DEPENDENCIES
from orpheus.shared.errors import FieldProblem

Node = TypeVar("Node")

_MOST_NAMED = 10


def batch_problems(jobs: Sequence[NewJob]) -> list[FieldProblem]:
    """Return each duplicate or unknown `ref`, or else a cycle; pointers start with `/jobs`.

    A batch with more than MAX_BATCH_DEPENDENCIES has only that problem.
    """
    if too_many := _too_many(jobs):
        return too_many
    items: dict[str, int] = {}
    problems: list[FieldProblem] = []
    for index, job in enumerate(jobs):
        if job.ref is None:
            continue
        first = items.setdefault(job.ref, index)
        if first != index:
            problems.append(FieldProblem(f"/jobs/{index}/ref", f"is the ref of /jobs/{first} too"))
    for index, job in enumerate(jobs):
        for position, name in enumerate(job.depends_on):
            if isinstance(name, str) and name not in items:
                detail = f"no item of this batch has the ref {name!r}"
                problems.append(FieldProblem(f"/jobs/{index}/depends_on/{position}", detail))
    return problems or _cycle_problem(jobs, items)


def cycle_in(edges: Mapping[Node, Sequence[Node]]) -> list[Node]:
    """Return a path along `edges` that ends where it began, `[a, b, a]`; empty if there is none."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        backwards: list[Node] = error.args[1]
        return backwards[::-1]
    return []


def in_order(ids: Sequence[int], links: Iterable[tuple[int, int, bool]]) -> list[int]:
    """Return the ids so that each comes after those that `links` (id, earlier one) names for it.

    A link that is required leaves out an id whose earlier one is not among `ids`.
    """
    chosen = set(ids)
    needs: defaultdict[int, list[int]] = defaultdict(list)
    required: defaultdict[int, set[int]] = defaultdict(set)
    for later, earlier, is_required in links:
        if earlier in chosen:
            needs[later].append(earlier)
        if is_required:
            required[later].add(earlier)
    try:
        linked = list(TopologicalSorter(needs).static_order())
    except CycleError:  # they wait for each other already: any order is as good
        return [job_id for job_id in ids if required[job_id] <= chosen]
    unlinked = chosen.difference(linked)
    order: dict[int, None] = {}
    for job_id in (*(job_id for job_id in ids if job_id in unlinked), *linked):
        if required[job_id] <= order.keys():
            order[job_id] = None
    return list(order)


def _cycle_problem(jobs: Sequence[NewJob], items: Mapping[str, int]) -> list[FieldProblem]:
    job_of = _first_with_its_key(jobs)
    edges = {
        index: [job_of[items[name]] for name in job.depends_on if isinstance(name, str)]
        for index, job in enumerate(jobs)
        if job.depends_on and job_of[index] == index
    }
    cycle = cycle_in(edges)
    if not cycle:
        return []
    names = [jobs[index].ref or f"/jobs/{index}" for index in cycle]
    if len(names) > _MOST_NAMED:
        names[_MOST_NAMED - 1 : -1] = ["…"]
    position = next(
        position
        for position, name in enumerate(jobs[cycle[0]].depends_on)
        if isinstance(name, str) and job_of[items[name]] == cycle[1]
    )
    detail = f"makes a circle of jobs that wait for each other: {' → '.join(names)}"
    return [FieldProblem(f"/jobs/{cycle[0]}/depends_on/{position}", detail)]


def _too_many(jobs: Sequence[NewJob]) -> list[FieldProblem]:
    total = 0
    for index, job in enumerate(jobs):
        total += len(job.depends_on)
        if total > MAX_BATCH_DEPENDENCIES:
            detail = f"a batch may have {MAX_BATCH_DEPENDENCIES:,} dependencies in all: split it"
            return [FieldProblem(f"/jobs/{index}/depends_on", detail)]
    return []


def _first_with_its_key(jobs: Sequence[NewJob]) -> list[int]:
    """Return, for each item, the item that its job is made from."""
    first: dict[str, int] = {}
    return [
        index if job.unique_key is None else first.setdefault(job.unique_key, index)
        for index, job in enumerate(jobs)
    ]
