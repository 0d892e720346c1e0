"""What an operator does to jobs: cancel, retry, run, delete."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from orpheus.shared.domain.jobs import Job
from orpheus.shared.errors import NotFound, TransitionRefused
from orpheus.supervisor.cli.operator import JobId, Operator, for_operator, with_reason
from orpheus.supervisor.cli.output import print_json

if TYPE_CHECKING:
    from orpheus.shared.storage import Store

Change = Callable[["Store", int], tuple[Any, str]]
"""Changes a job; the job, and what became of it in words."""


@click.command()
@click.argument("ids", type=JobId, nargs=-1, required=True, metavar="ID…")
@with_reason
@for_operator
def cancel(operator: Operator, ids: tuple[int, ...], reason: str | None) -> int:
    """Cancel jobs that wait; ask those that run to stop."""

    def one(store: "Store", job_id: int) -> tuple[Job, str]:
        job, at_once = store.jobs.cancel(job_id)
        return job, "cancelled" if at_once else "asked to stop"

    return _print_jobs(operator, ids, _change_each(operator, "cancel", ids, reason, one))


@click.command()
@click.argument("ids", type=JobId, nargs=-1, required=True, metavar="ID…")
@with_reason
@for_operator
def retry(operator: Operator, ids: tuple[int, ...], reason: str | None) -> int:
    """Give failed or cancelled jobs all their attempts again."""

    def one(store: "Store", job_id: int) -> tuple[Job, str]:
        job = store.jobs.retry(job_id)
        return job, f"{job.status} again"

    return _print_jobs(operator, ids, _change_each(operator, "retry", ids, reason, one))


@click.command()
@click.argument("id", type=JobId)
@with_reason
@for_operator
def run(operator: Operator, id: int, reason: str | None) -> int:
    """Make a pending job due now, whatever time it waits for."""

    def one(store: "Store", job_id: int) -> tuple[Job, str]:
        return store.jobs.run_now(job_id), "due now"

    return _print_jobs(operator, (id,), _change_each(operator, "run", (id,), reason, one))


@click.command()
@click.argument("ids", type=JobId, nargs=-1, required=True, metavar="ID…")
@with_reason
@for_operator
def delete(operator: Operator, ids: tuple[int, ...], reason: str | None) -> int:
    """Delete jobs that have ended, with their attempts and logs."""

    def one(store: "Store", job_id: int) -> tuple[int, str]:
        store.jobs.delete(job_id)
        return job_id, "deleted"

    deleted = _change_each(operator, "delete", ids, reason, one)
    if operator.as_json:
        print_json({"deleted": deleted})
    return 0 if len(deleted) == len(ids) else 1


def _change_each(
    operator: Operator, action: str, ids: tuple[int, ...], reason: str | None, change: Change
) -> list[Any]:
    """Do it to each job; one that refuses is told and does not stop the others."""
    from orpheus.shared.operations.audit import audited  # noqa: PLC0415 - the database, not for --help

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
    return changed


def _print_jobs(operator: Operator, ids: tuple[int, ...], changed: list[Job]) -> int:
    if operator.as_json:
        from orpheus.shared.views.jobs import job_json  # noqa: PLC0415 - the database, not for --help

        print_json({"items": [job_json(job) for job in changed]})
    return 0 if len(changed) == len(ids) else 1
