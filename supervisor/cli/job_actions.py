"""Change jobs: cancel, retry, run, delete; those of some ids, or all of a filter."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Job, Status
from orpheus.shared.errors import ExitCode, NotFound, TransitionRefused
from orpheus.shared.messages.jobs import listed_job_of
from orpheus.shared.storage import Actor, BulkAction, Store
from orpheus.supervisor.cli.bulk import BulkOptions, bulk_options, change_matching, end_dependents
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.job_filter import filter_of, filter_options, hide_ended
from orpheus.supervisor.cli.operator import JobId, Operator, for_operator, with_reason
from orpheus.supervisor.cli.output import print_json
from orpheus.supervisor.cli.processes import read_workers
from orpheus.supervisor.cli.unknown_names import warn_if_nothing_runs, warn_of_paused
from orpheus.supervisor.cli.whole_number import CommandWithNumber

Change = Callable[[Store, int, Actor], tuple[Any, str]]
"""Changes a job for an operator; returns the job, and what became of it in words."""
Note = Callable[[Store, CommandLineHandover, int], str]
_WHILE_NOTHING_RUNS = {
    "cancel": (Status.IN_PROGRESS, "ends at the next start"),
    "retry": (Status.PENDING, "waits"),
    "run": (Status.PENDING, "waits"),
}
"""By action: which changed jobs need a worker, and what such a job does until there is one."""


def _change_each(
    operator: Operator,
    change: Change,
    ids: Sequence[int],
    reason: str | None,
    note: Note,
) -> int:
    """Change each job, each with a row in the audit log; a job that refuses stops no other.

    `note` returns what is added to the line that says what became of a job.
    """
    action, actor = change.__name__.lstrip("_"), operator.actor(reason)
    changed = []
    with operator.opened() as (store, handover):
        for job_id in ids:
            try:
                job, words = change(store, job_id, actor)
            except (NotFound, TransitionRefused) as error:
                click.echo(f"orpheus: {error}", err=True)
            else:
                changed.append(job)
                if not operator.as_json:
                    click.echo(f"job {job_id}: {words}{note(store, handover, job_id)}")
        status, then = _WHILE_NOTHING_RUNS.get(action, (None, ""))
        if any(job.status is status for job in changed if status is not None):
            warn_if_nothing_runs(store, handover, then)
        if action == "retry":
            warn_of_paused(store, {job.queue for job in changed if job.status is Status.PENDING})
        end_dependents(store)
    if operator.as_json and action == "delete":
        print_json({"deleted": changed})
    elif operator.as_json:
        print_json({"items": [listed_job_of(job) for job in changed]})
    return ExitCode.OK if len(changed) == len(ids) else ExitCode.NO


def _for_many(
    jobs: str,
    *,
    note: Note = lambda *_: "",
) -> Callable[[Change], click.Command]:
    """Make a command that changes the jobs whose ids it is given, or all jobs of a filter.

    `jobs` are those whose ids a shell completes.
    """

    def make(change: Change) -> click.Command:
        action = change.__name__

        @click.command(action, cls=CommandWithNumber, help=change.__doc__)
        @click.argument("ids", type=JobId, nargs=-1, metavar="[ID…]", shell_complete=live(jobs))
        @filter_options
        @bulk_options
        @with_reason
        @for_operator
        def command(
            operator: Operator, ids: tuple[int, ...], reason: str | None, **options: Any
        ) -> int:
            wanted, bulk = filter_of(options), BulkOptions(**options)
            if not ids:
                change_matching(operator, BulkAction(action), wanted, bulk, reason)
                return ExitCode.OK
            if wanted != JobFilter():
                raise click.UsageError("give the ids of jobs or a filter, not both")
            if bulk != BulkOptions():
                raise click.UsageError("--dry-run, --yes and the like need a filter, not ids")
            return _change_each(operator, change, ids, reason, note)

        if action == BulkAction.CANCEL:
            hide_ended(command)
        return command

    return make


def _and_dependents(store: Store, _handover: CommandLineHandover, job_id: int) -> str:
    """Say how many jobs ended with a cancelled one, once all of them have."""
    ended_ms = store.jobs.get(job_id).finished_at_ms
    if ended_ms is None:
        return ""
    end_dependents(store)
    count = store.graphs.ended_with(job_id, ended_ms)
    jobs = "1 job that depends" if count == 1 else f"{count:,} jobs that depend"
    return f"; {jobs} on it ended with it" if count else ""


def _but_not_dependents(store: Store, _handover: CommandLineHandover, job_id: int) -> str:
    """Say how many jobs that ended with it do not run again with a retried one."""
    count = store.graphs.ended_with(job_id)
    if count == 1:
        return "; 1 job that ended with it stays so until it is retried too"
    return f"; {count:,} jobs that ended with it stay so until each is retried" if count else ""


@_for_many("jobs that wait or run", note=_and_dependents)
def cancel(store: Store, job_id: int, by: Actor) -> tuple[Job, str]:
    """Cancel waiting jobs; ask running ones to stop."""
    job, at_once = store.jobs.cancel(job_id, by)
    return job, "cancelled" if at_once else "asked to stop"


@_for_many("jobs to retry", note=_but_not_dependents)
def retry(store: Store, job_id: int, by: Actor) -> tuple[Job, str]:
    """Run failed or cancelled jobs again, with all their attempts."""
    job = store.jobs.retry(job_id, by)
    return job, f"{job.status} again"


@click.command(cls=CommandWithNumber)
@click.argument("id", type=JobId, shell_complete=live("jobs that wait"))
@with_reason
@for_operator
def run(operator: Operator, id: int, reason: str | None) -> int:
    """Run a pending job now instead of at its time."""
    return _change_each(operator, _run, (id,), reason, _but_held_back)


def _run(store: Store, job_id: int, by: Actor) -> tuple[Job, str]:
    return store.jobs.run_now(job_id, by), "due now"


def _but_held_back(store: Store, handover: CommandLineHandover, job_id: int) -> str:
    """Say what still holds back a job that is due; of all that is held back there is a warning."""
    from orpheus.supervisor.cli.why import first_reason  # noqa: PLC0415 - no completion needs it

    reason = first_reason(store, handover, job_id) if read_workers(store, handover) else None
    return f", but {reason}" if reason else ""


@_for_many("jobs that have ended")
def delete(store: Store, job_id: int, by: Actor) -> tuple[int, str]:
    """Delete jobs that have ended, with their attempts and logs."""
    store.jobs.delete(job_id, by)
    return job_id, "deleted"
