"""A graph of 200 jobs in five layers, 5 % of which fail for good, and how each must end."""

import random
from collections.abc import Mapping, Sequence

from orpheus.shared.domain.jobs import NewJob, Status

LAYERS = 5
JOBS_IN_A_LAYER = 40
_FAILING = 0.05
_END_OF = {"cancel": Status.CANCELLED, "fail": Status.FAILED}


def draw_graph(chance: random.Random, succeeds: NewJob, fails: NewJob) -> list[NewJob]:
    """Jobs made from the two; each waits for one to three of the layer before."""
    jobs: list[NewJob] = []
    failing = set(chance.sample(range(LAYERS * JOBS_IN_A_LAYER), round(200 * _FAILING)))
    for number in range(LAYERS * JOBS_IN_A_LAYER):
        layer_before = range(
            number - number % JOBS_IN_A_LAYER - JOBS_IN_A_LAYER, number - number % JOBS_IN_A_LAYER
        )
        awaited = chance.sample(layer_before, chance.randint(1, 3)) if layer_before[0] >= 0 else []
        kind = fails if number in failing else succeeds
        jobs.append(
            NewJob(
                kind.type,
                kind.payload,
                priority=chance.randrange(3),
                max_retries=kind.max_retries,
                depends_on=tuple(f"job-{one}" for one in awaited),
                on_dependency_failure=chance.choice(("cancel", "fail", "run", "run")),
                ref=f"job-{number}",
            )
        )
    return jobs


def ends_of(jobs: Sequence[NewJob], fails: NewJob) -> list[Status]:
    """How each job ends, whatever kills workers meanwhile."""
    ends: dict[int | str, Status] = {}
    for job in jobs:
        ends[job.ref or ""] = _end_of(job, ends, fails)
    return list(ends.values())


def _end_of(job: NewJob, ends: Mapping[int | str, Status], fails: NewJob) -> Status:
    all_done = all(ends[one] is Status.DONE for one in job.depends_on)
    if not all_done and job.on_dependency_failure != "run":
        return _END_OF[job.on_dependency_failure]
    is_failing = (job.type, job.payload) == (fails.type, fails.payload)
    return Status.FAILED if is_failing else Status.DONE
