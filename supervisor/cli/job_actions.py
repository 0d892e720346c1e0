"""Change jobs by their ids: cancel, retry, run, delete."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from orpheus.shared.domain.jobs import Job
from orpheus.shared.errors import ExitCode, NotFound, TransitionRefused
from orpheus.shared.messages.jobs import listed_job_of
from orpheus.shared.storage import Actor, Store
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.operator import JobId, Operator, Text, for_operator, with_reason
from orpheus.supervisor.cli.output import local_time, print_json

Change = Callable[[Store, int, Actor], tuple[Any, str]]
"""Changes a job for an operator; returns the job, and what became of it in words."""


_ids = click.argument(
    "ids", type=JobId, nargs=-1, required=True, metavar="ID…", shell_complete=live("jobs")
)


def _change_each(operator: Operator, change: Change, ids: Sequence[int], reason: str | None) -> int:
    """Change each job, each with a row in the audit log; a job that refuses stops no other."""
    action, actor = change.__name__.lstrip("_"), operator.actor(reason)
    changed = []
    with operator.store() as store:
        for job_id in ids:
            try:
                job, words = change(store, job_id, actor)
            except (NotFound, TransitionRefused) as error:
                click.echo(f"orpheus: {error}", err=True)
            else:
                changed.append(job)
                if not operator.as_json:
                    click.echo(f"job {job_id}: {words}")
        _end_dependents(store)
        hidden = store.hidden.rules()
    if operator.as_json and action == "delete":
        print_json({"deleted": changed})
    elif operator.as_json:
        print_json({"items": [listed_job_of(job, hidden) for job in changed]})
    return ExitCode.OK if len(changed) == len(ids) else ExitCode.NO


def _for_many(change: Change) -> click.Command:
    """Make a command that changes the jobs whose ids it is given."""

    def command(operator: Operator, ids: tuple[int, ...], reason: str | None) -> int:
        return _change_each(operator, change, ids, reason)

    decorated = _ids(with_reason(for_operator(command)))
    return click.command(change.__name__, help=change.__doc__)(decorated)


@_for_many
def cancel(store: Store, job_id: int, by: Actor) -> tuple[Job, str]:
    """Cancel waiting jobs; ask running ones to stop."""
    job, at_once = store.jobs.cancel(job_id, by)
    return job, "cancelled" if at_once else "asked to stop"


@click.command()
@_ids
@click.option(
    "--from-step", type=Text(), metavar="NAME", help="Forget this step and those kept after it."
)
@with_reason
@for_operator
def retry(
    operator: Operator, ids: tuple[int, ...], from_step: str | None, reason: str | None
) -> int:
    """Run failed or cancelled jobs again, with all their retries.

    A durable function goes on behind what it has kept.
    """

    def change(store: Store, job_id: int, by: Actor) -> tuple[Job, str]:
        due_ms = store.jobs.get(job_id).run_at_ms
        job = store.jobs.retry(job_id, by, from_step)
        early = f", due now instead of {local_time(due_ms)}" if due_ms > job.run_at_ms else ""
        step = f" from the step {from_step}" if from_step else ""
        return job, f"{job.status} again{step}{early}"

    return _change_each(operator, change, ids, reason)


@_for_many
def delete(store: Store, job_id: int, by: Actor) -> tuple[int, str]:
    """Delete jobs that have ended, with their attempts and logs."""
    store.jobs.delete(job_id, by)
    return job_id, "deleted"


@click.command()
@click.argument("id", type=JobId, shell_complete=live("jobs"))
@with_reason
@for_operator
def run(operator: Operator, id: int, reason: str | None) -> int:
    """Run a pending job now instead of waiting for its time."""
    return _change_each(operator, _run, (id,), reason)


def _run(store: Store, job_id: int, by: Actor) -> tuple[Job, str]:
    return store.jobs.run_now(job_id, by), "due now"


def _end_dependents(store: Store) -> None:
    """End the jobs that depend on ended ones: perhaps no supervisor is running that would."""
    from orpheus.shared.operations.upkeep import continue_cascades  # noqa: PLC0415 - no completion needs it

    while continue_cascades(store):
        pass
