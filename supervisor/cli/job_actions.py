"""Change jobs: cancel, retry, run, delete."""

from collections.abc import Callable
from functools import partial
from typing import Any

import click

from orpheus.shared.domain.jobs import Job
from orpheus.shared.errors import ExitCode, NotFound, TransitionRefused
from orpheus.shared.operations.audit import audited
from orpheus.shared.operations.upkeep import continue_cascades
from orpheus.shared.storage import Store
from orpheus.shared.views.jobs import job_json
from orpheus.supervisor.cli.operator import JobId, Operator, for_operator, with_reason
from orpheus.supervisor.cli.output import print_json

Change = Callable[[Store, int], tuple[Any, str]]
"""Changes a job; returns the job, and what became of it in words."""


def _jobs_json(jobs: list[Job]) -> dict[str, Any]:
    return {"items": [job_json(job) for job in jobs]}


def _job_command(
    *, many: bool = True, as_json: Callable[[list[Any]], dict[str, Any]] = _jobs_json
) -> Callable[[Change], click.Command]:
    """Make a command that changes each job it is given; a job that refuses stops no other.

    Each change has a row in the audit log.
    """

    def make(change: Change) -> click.Command:
        action = change.__name__

        @click.command(action, help=change.__doc__)
        @click.argument(
            "ids",
            type=JobId,
            nargs=-1 if many else 1,
            required=True,
            metavar="ID…" if many else "ID",
        )
        @with_reason
        @for_operator
        def command(operator: Operator, ids: tuple[int, ...] | int, reason: str | None) -> int:
            ids = (ids,) if isinstance(ids, int) else ids
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
                while continue_cascades(store):
                    pass  # perhaps no supervisor is running that would
            if operator.as_json:
                print_json(as_json(changed))
            return ExitCode.OK if len(changed) == len(ids) else ExitCode.NO

        return command

    return make


@_job_command()
def cancel(store: Store, job_id: int) -> tuple[Job, str]:
    """Cancel waiting jobs; ask running ones to stop."""
    job, at_once = store.jobs.cancel(job_id)
    return job, "cancelled" if at_once else "asked to stop"


@_job_command()
def retry(store: Store, job_id: int) -> tuple[Job, str]:
    """Run failed or cancelled jobs again, with all their attempts."""
    job = store.jobs.retry(job_id)
    return job, f"{job.status} again"


@_job_command(many=False)
def run(store: Store, job_id: int) -> tuple[Job, str]:
    """Run a pending job now instead of at its time."""
    return store.jobs.run_now(job_id), "due now"


@_job_command(as_json=lambda ids: {"deleted": ids})
def delete(store: Store, job_id: int) -> tuple[int, str]:
    """Delete jobs that have ended, with their attempts and logs."""
    store.jobs.delete(job_id)
    return job_id, "deleted"
