"""Change jobs: cancel, retry, run, delete."""

from collections.abc import Callable
from functools import partial
from typing import Any

import click

from orpheus.shared.domain.jobs import Job
from orpheus.shared.errors import ExitCode, NotFound, TransitionRefused
from orpheus.shared.operations.audit import audited
from orpheus.shared.storage import Store
from orpheus.shared.views.jobs import job_json
from orpheus.supervisor.cli.operator import JobId, Operator, for_operator, with_reason
from orpheus.supervisor.cli.output import print_json

Change = Callable[[Store, int], tuple[Any, str]]
"""Changes a job; returns the job, and what became of it in words."""

_ids = click.argument("ids", type=JobId, nargs=-1, required=True, metavar="ID…")


@click.command()
@_ids
@with_reason
@for_operator
def cancel(operator: Operator, ids: tuple[int, ...], reason: str | None) -> int:
    """Cancel waiting jobs; ask running ones to stop."""

    def change(store: Store, job_id: int) -> tuple[Job, str]:
        job, at_once = store.jobs.cancel(job_id)
        return job, "cancelled" if at_once else "asked to stop"

    return _change_jobs(operator, "cancel", ids, reason, change)


@click.command()
@_ids
@with_reason
@for_operator
def retry(operator: Operator, ids: tuple[int, ...], reason: str | None) -> int:
    """Run failed or cancelled jobs again, with all their attempts."""

    def change(store: Store, job_id: int) -> tuple[Job, str]:
        job = store.jobs.retry(job_id)
        return job, f"{job.status} again"

    return _change_jobs(operator, "retry", ids, reason, change)


@click.command()
@click.argument("id", type=JobId)
@with_reason
@for_operator
def run(operator: Operator, id: int, reason: str | None) -> int:
    """Run a pending job now instead of at its time."""

    def change(store: Store, job_id: int) -> tuple[Job, str]:
        return store.jobs.run_now(job_id), "due now"

    return _change_jobs(operator, "run", (id,), reason, change)


@click.command()
@_ids
@with_reason
@for_operator
def delete(operator: Operator, ids: tuple[int, ...], reason: str | None) -> int:
    """Delete jobs that have ended, with their attempts and logs."""

    def change(store: Store, job_id: int) -> tuple[int, str]:
        store.jobs.delete(job_id)
        return job_id, "deleted"

    return _change_jobs(
        operator, "delete", ids, reason, change, lambda deleted: {"deleted": deleted}
    )


def _change_jobs(
    operator: Operator,
    action: str,
    ids: tuple[int, ...],
    reason: str | None,
    change: Change,
    as_json: Callable[[list[Any]], object] = lambda jobs: {"items": list(map(job_json, jobs))},
) -> int:
    """Change each job, with a row in the audit trail; a job that refuses stops no other."""
    changed, actor = [], operator.actor(reason)
    with operator.store() as store:
        for job_id in ids:
            try:
                verb = partial(change, store, job_id)
                job, words = audited(store, actor, action, f"job {job_id}", verb)
            except (NotFound, TransitionRefused) as error:
                click.echo(f"orpheus: {error}", err=True)
            else:
                changed.append(job)
                if not operator.as_json:
                    click.echo(f"job {job_id}: {words}")
    if operator.as_json:
        print_json(as_json(changed))
    return ExitCode.OK if len(changed) == len(ids) else ExitCode.NO
