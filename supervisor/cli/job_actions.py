"""Change jobs by id, or all jobs of a filter: cancel, retry, run, delete.

A filter may match more jobs than its author expects. So the jobs are counted first, jobs that are
submitted meanwhile are left alone (`max_id`), and nothing is changed if more match by the time it
is confirmed. POST /jobs/bulk does the same.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Job
from orpheus.shared.domain.words import plural
from orpheus.shared.errors import ExitCode, NotFound, TransitionRefused
from orpheus.shared.messages.jobs import listed_job_of
from orpheus.shared.storage import Actor, BulkAction, Store, words_of
from orpheus.supervisor.cli.completing import live
from orpheus.supervisor.cli.job_filter import filter_of, filter_options
from orpheus.supervisor.cli.operator import JobId, Operator, for_operator, with_reason
from orpheus.supervisor.cli.output import print_json

Change = Callable[[Store, int, Actor], tuple[Any, str]]
"""Changes a job for an operator; returns the job, and what became of it in words."""
_WORDS = {
    BulkAction.CANCEL: ("can be cancelled", "cancelled or asked to stop"),
    BulkAction.RETRY: ("can be retried", "retried"),
    BulkAction.DELETE: ("can be deleted", "deleted"),
}
_BULK_OPTIONS = (
    click.option("--all", "of_all", is_flag=True, help="All jobs, in place of a filter."),
    click.option("--dry-run", is_flag=True, help="Only count the jobs of the filter."),
    click.option("--yes", is_flag=True, help="Do not ask, however many jobs there are."),
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
    if operator.as_json and action == "delete":
        print_json({"deleted": changed})
    elif operator.as_json:
        print_json({"items": [listed_job_of(job) for job in changed]})
    return ExitCode.OK if len(changed) == len(ids) else ExitCode.NO


def _for_many(change: Change) -> click.Command:
    """Make a command that changes the jobs whose ids it is given, or all jobs of a filter."""
    action = BulkAction(change.__name__)

    def command(
        operator: Operator, ids: tuple[int, ...], reason: str | None, **options: Any
    ) -> int:
        wanted = filter_of(options)
        if not ids:
            _change_matching(operator, action, wanted, reason, **options)
            return ExitCode.OK
        if wanted != JobFilter() or any(options.values()):
            raise click.UsageError("give the ids of jobs or a filter, not both")
        return _change_each(operator, change, ids, reason)

    decorated: Any = with_reason(for_operator(command))
    for option in reversed(_BULK_OPTIONS):
        decorated = option(decorated)
    decorated = filter_options(decorated)
    of_ids = click.argument(
        "ids", type=JobId, nargs=-1, metavar="[ID…]", shell_complete=live("jobs")
    )
    return click.command(action, help=change.__doc__)(of_ids(decorated))


@_for_many
def cancel(store: Store, job_id: int, by: Actor) -> tuple[Job, str]:
    """Cancel waiting jobs; ask running ones to stop."""
    job, at_once = store.jobs.cancel(job_id, by)
    return job, "cancelled" if at_once else "asked to stop"


@_for_many
def retry(store: Store, job_id: int, by: Actor) -> tuple[Job, str]:
    """Run failed or cancelled jobs again, with all their attempts."""
    job = store.jobs.retry(job_id, by)
    return job, f"{job.status} again"


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
    """Run a pending job now instead of at its time."""
    return _change_each(operator, _run, (id,), reason)


def _run(store: Store, job_id: int, by: Actor) -> tuple[Job, str]:
    return store.jobs.run_now(job_id, by), "due now"


def _change_matching(
    operator: Operator,
    action: BulkAction,
    wanted: JobFilter,
    reason: str | None,
    *,
    of_all: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Count the jobs, ask, and change them. Raises UsageError, CountChanged."""
    if (wanted != JobFilter()) == of_all:
        raise click.UsageError("give the ids of jobs, or a filter such as --status, or --all")
    if action is BulkAction.CANCEL and wanted.by_end:
        raise click.UsageError("--since and --until select ended jobs, which cannot be cancelled")
    with operator.store() as store:
        max_id = store.bulk.first_cursor(None).max_id
        count = store.bulk.count(action, wanted, max_id)
        parts = words_of(wanted)
        which = f"with {', '.join(parts)} " if parts else ""
        counted = f"{plural(count, 'job')} {which}{_WORDS[action][0]}"
        if dry_run or not count:
            operator.answer({"changed": count, "dry_run": dry_run}, counted)
            return
        if not yes:
            _confirm(action, counted)
        actor = operator.actor(reason)
        changed = store.bulk.change(
            action,
            wanted,
            max_id=max_id,
            expected_count=None if yes else count,
            or_fewer=True,
            by=actor.name,
            reason=actor.reason,
        )
        _end_dependents(store)
    said = f"{plural(changed, 'job')} {which}{_WORDS[action][1]}"
    operator.answer({"changed": changed, "dry_run": False}, said)


def _end_dependents(store: Store) -> None:
    """End the jobs that depend on ended ones: perhaps no supervisor is running that would."""
    from orpheus.shared.operations.upkeep import continue_cascades  # noqa: PLC0415 - no completion needs it

    while continue_cascades(store):
        pass


def _confirm(action: BulkAction, counted: str) -> None:
    """Raise Abort unless it is confirmed, and UsageError if there is no terminal to ask on."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"{counted}: confirm it with --yes")
    if not click.confirm(f"{counted}. {action.capitalize()} them?", err=True):
        click.echo("nothing was changed", err=True)
        raise click.Abort
