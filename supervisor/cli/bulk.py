"""Cancel, retry or delete all jobs of a filter: as many as were counted and confirmed, or fewer.

A filter may match more jobs than its author expects. So the jobs are counted first, jobs that are
submitted meanwhile are left alone (`max_id`), and nothing is changed if more match by the time it
is confirmed; with --expected-count, if not exactly so many do. Only the number is compared: if one
job has left the filter meanwhile and another has entered it, the other one is changed. POST
/jobs/bulk does the same.
"""

import sys
from collections.abc import Callable

import click
import msgspec
from msgspec.structs import replace

from orpheus.shared.domain.job_filter import JobFilter
from orpheus.shared.domain.jobs import Status
from orpheus.shared.domain.words import plural
from orpheus.shared.storage import BulkAction, Store, words_of
from orpheus.supervisor.cli.once import once
from orpheus.supervisor.cli.operator import JobId, Operator
from orpheus.supervisor.cli.unknown_names import warn_of_filter, warn_of_paused
from orpheus.supervisor.cli.whole_number import WholeNumber

_MANY = 100
"""From so many jobs on, their number must be typed, as on the dashboard."""

_WORDS = {
    BulkAction.CANCEL: ("can be cancelled", "cancelled or asked to stop"),
    BulkAction.RETRY: ("can be retried", "retried"),
    BulkAction.DELETE: ("can be deleted", "deleted"),
}
_BY_END = (
    "--since and --until select jobs by when they ended, and what has ended cannot be cancelled; "
    "use --type, --queue, --tag or --q"
)

_OPTIONS = (
    click.option("--all", "of_all", is_flag=True, help="All jobs, in place of a filter."),
    once(
        "--max-id", type=JobId, metavar="ID", help="Leave newer jobs alone (default: the newest)."
    ),
    click.option("--dry-run", is_flag=True, help="Only count the jobs of the filter."),
    click.option("--yes", is_flag=True, help="Do not ask, however many jobs there are."),
    once(
        "--expected-count",
        type=WholeNumber(0),
        metavar="N",
        help="Do not ask; do nothing if not exactly so many jobs match.",
    ),
)


def bulk_options(command: Callable[..., object]) -> Callable[..., object]:
    """Add the options of which BulkOptions are made."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


class BulkOptions(msgspec.Struct, frozen=True):
    """How far to go, and whether to ask."""

    of_all: bool = False
    max_id: int | None = None
    dry_run: bool = False
    yes: bool = False
    expected_count: int | None = None


def change_matching(
    operator: Operator,
    action: BulkAction,
    wanted: JobFilter,
    options: BulkOptions,
    reason: str | None,
) -> None:
    """Count the jobs, ask, and change them. Raises UsageError, CountChanged."""
    if wanted != JobFilter() and options.of_all:
        raise click.UsageError("give a filter such as --status or --all, not both")
    if wanted == JobFilter() and not options.of_all:
        raise click.UsageError("give the ids of jobs, a filter such as --status, or --all")
    if action is BulkAction.CANCEL and wanted.by_end:
        raise click.UsageError(_BY_END)
    with operator.opened() as (store, handover):
        max_id = store.bulk.first_cursor(options.max_id).max_id
        count = store.bulk.count(action, wanted, max_id)
        if not count:
            warn_of_filter(store, handover, wanted)
        which = _in_words(wanted)
        counted = f"{plural(count, 'job')} {which}{_WORDS[action][0]}"
        expected = options.expected_count
        if options.dry_run or (not count and expected is None):
            operator.answer({"changed": count, "dry_run": options.dry_run}, counted)
            return
        # Before the question: between its answer and the change, the number may become another.
        paused = _paused(store, wanted, max_id) if action is BulkAction.RETRY else []
        if expected is None and not options.yes:
            _ask(action, count, counted)
            expected = count
        actor = operator.actor(reason)
        changed = store.bulk.change(
            action,
            wanted,
            max_id=max_id,
            expected_count=expected,
            or_fewer=options.expected_count is None,
            by=actor.name,
            reason=actor.reason,
        )
        warn_of_paused(store, paused)
        end_dependents(store)
    said = f"{plural(changed, 'job')} {which}{_WORDS[action][1]}"
    operator.answer({"changed": changed, "dry_run": False}, said)


def end_dependents(store: Store) -> None:
    """End the jobs that depend on ended ones: perhaps no supervisor is running that would."""
    from orpheus.shared.operations.upkeep import continue_cascades  # noqa: PLC0415 - no completion needs it

    while continue_cascades(store):
        pass


def _paused(store: Store, wanted: JobFilter, max_id: int) -> list[str]:
    """Return the paused queues in which jobs of the filter would wait."""
    paused = [one for one in store.waiting.pauses() if wanted.queue in (None, one)]
    counts = store.stats.counts_by_queue() if paused else {}
    return [
        name
        for name in paused
        if name in counts
        and any(counts[name][status] for status in (Status.FAILED, Status.CANCELLED))
        and store.bulk.would_change(BulkAction.RETRY, replace(wanted, queue=name), max_id)
    ]


def _ask(action: BulkAction, count: int, counted: str) -> None:
    """Raise Abort unless it is confirmed, and UsageError if nobody is there to answer.

    Where many jobs match, their number must be typed: a `y` is typed too easily.
    """
    if not sys.stdin.isatty():
        raise click.UsageError(f"{counted}: confirm it with --yes")
    try:
        if not _is_confirmed(action, count, counted):
            raise click.Abort
    except click.Abort:  # also at the end of the input, or at Ctrl-C
        click.echo("nothing was changed", err=True)
        raise


def _is_confirmed(action: BulkAction, count: int, counted: str) -> bool:
    if count < _MANY:
        them = "it" if count == 1 else "them"
        return click.confirm(f"{counted}. {action.capitalize()} {them}?", err=True)
    question = f"{counted}. Type {count} to {action} them"
    answer: str = click.prompt(question, default="", show_default=False, err=True)
    return answer.replace(",", "").strip() == str(count)


def _in_words(wanted: JobFilter) -> str:
    parts = words_of(wanted)
    return f"with {', '.join(parts)} " if parts else ""
