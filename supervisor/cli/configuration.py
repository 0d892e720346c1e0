"""The configuration: check it, show what is in force, go back to an earlier version."""

import contextlib
import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from orpheus.config.checks import missing_programs
from orpheus.config.editing.earlier import Earlier
from orpheus.config.handovers import for_command_line, for_commands, for_database, serving
from orpheus.config.load import checked, load_with_sources
from orpheus.config.problems import KeyPath, Problem
from orpheus.config.settings import Settings
from orpheus.config.shown import DEFAULT, shown_settings, shown_values
from orpheus.config.sources import Sources, config_file, read_sources, sources_with
from orpheus.shared.domain.serving import NO_QUEUES, left_waiting
from orpheus.shared.errors import ConfigurationError, StorageError
from orpheus.shared.job_types.describe import describe_types
from orpheus.shared.operations.configuration import Setting
from orpheus.shared.operations.overruled import noted
from orpheus.shared.operations.stored_settings import refused_entries
from orpheus.shared.process.host import own_host
from orpheus.shared.storage import TypeRow, state_files
from orpheus.shared.text import printable
from orpheus.supervisor.cli.operator import Operator, for_operator
from orpheus.supervisor.cli.output import print_json, warn
from orpheus.supervisor.cli.versions import diff, rollback, versions

_OUR_MODULES = {"orpheus.worker.handlers"}
"""Modules that `config check` imports without `--modules`."""
_OF_MODULES = (
    *("jobs.modules: ", "jobs.around: ", "job type "),
    *("commands: ", "schedules: ", "alerts: "),
)
"""If a rejection begins with one of these, `--modules` checks its cause, too."""

_NO_JOBS = "[jobs] modules is empty, and there are no [[commands]]: no job can run"


@click.group()
def config() -> None:
    """Check the configuration, show it, or go back to an earlier version."""


@config.command()
@click.option("--modules", is_flag=True, help="Import the job modules too, in another process.")
@for_operator
def check(operator: Operator, modules: bool) -> None:
    """Check the file, the environment and --set, and that commands find their programs.

    Exits 78 with every problem. --modules also checks what needs the job modules: that they
    import, that `around` is there, and that the jobs of schedules and alerts fit their types.
    What the running Orpheus has rejected of this very file is a problem, too, unless that was
    looked at here and is mended. With --json, the problems are printed as JSON, too.
    """
    try:
        told = _checked(operator, modules)
    except ConfigurationError as error:
        if operator.as_json:
            print_json({"ok": False, "problems": error.problems})
        raise
    for warning in told["warnings"]:
        warn(warning)
    looked, name = told["modules_checked"], told["source"] or "no file, the defaults"
    rest = "" if looked else " (--modules also checks the job modules, schedules and alerts)"
    operator.answer({"ok": True, "problems": [], **told}, f"{name}: ok{rest}")


def _checked(operator: Operator, modules: bool) -> dict[str, Any]:
    """Return what was checked, and the warnings. Raises ConfigurationError with every problem."""
    types: dict[str, TypeRow] = {}
    of_types: list[str] = []

    def more(part: Settings, invalid: Collection[KeyPath]) -> Iterator[Problem]:
        """Yield what a start does not check before it describes the job types."""
        yield from missing_programs(part)
        try:
            types.update(_described(part, modules))
        except ConfigurationError as error:
            of_types.extend(error.problems)
            types.update(_by_name(describe_types((), for_commands(part), 0)))
        is_sound = not any(key[:1] in ((), ("jobs",), ("commands",)) for key in invalid)
        knows_all = _knows_all(part, modules) and is_sound and not of_types
        yield from _refused_entries(part, types, knows_all)

    sources = read_sources(operator.config, operator.sets, os.environ)
    settings, problems = checked(sources, more=more)
    if settings is None or problems or of_types:
        raise ConfigurationError(*map(sources.line, problems), *of_types)
    all_types = _knows_all(settings, modules)
    queues = {row.name: row.queue for row in types.values()}
    has_looked = modules or (all_types and not settings.jobs.around)
    rejections = _mended_rejection(operator, settings, has_looked)
    left = left_waiting(NO_QUEUES, serving(settings), {}, queues)
    source = settings.source and str(settings.source)
    none = [] if settings.jobs.modules or settings.commands or settings.programs else [_NO_JOBS]
    warnings = [*rejections, *left, *none]
    return {"source": source, "modules_checked": all_types, "warnings": warnings}


def _mended_rejection(operator: Operator, settings: Settings, has_looked: bool) -> Iterator[str]:
    """Yield a warning that the running Orpheus has rejected the file because of its modules.

    `has_looked`: they were checked and are in order now. Raises ConfigurationError if the file may
    still be wrong.
    """
    reason = _rejection(operator, settings)
    if reason is None:
        return
    told = f"the running Orpheus has rejected it: {printable(reason)}"
    again = "it looks again when the file is saved"
    is_of_modules = reason.startswith(_OF_MODULES)
    if not (is_of_modules and has_looked):
        hint = "--modules checks whether that is mended" if is_of_modules else again
        raise ConfigurationError(f"{settings.source}: {told} ({hint})")
    yield f"{told} ({again})"


def _rejection(operator: Operator, settings: Settings) -> str | None:
    """Return why the running Orpheus has not taken what is in the file now; None: it may have."""
    state = state_files(settings.database.url, settings.database.state_dir)
    earlier = Earlier(settings.source, state)
    running = earlier.running()
    if settings.source is None or running is None:
        return None
    is_ours = running.config == os.path.realpath(settings.source)
    if not is_ours or earlier.versions.rejection(settings.source_text) is None:
        return None
    with contextlib.suppress(StorageError), operator.store(for_command_line(settings)) as store:
        for slot in store.processes.slots():
            if slot.rejected is not None and slot.host == own_host():
                return slot.rejected
    return None


def _knows_all(settings: Settings, modules: bool) -> bool:
    """Return whether every job type is looked at: with `modules`, those of all of them."""
    return modules or set(settings.jobs.modules) <= _OUR_MODULES


def _described(settings: Settings, modules: bool) -> dict[str, TypeRow]:
    """Return the job types that are looked at, and the commands. Raises ConfigurationError."""
    timeout_s, jobs = settings.supervisor.start_timeout, settings.jobs
    names = jobs.modules if _knows_all(settings, modules) else ()
    around = jobs.around if modules else ()
    return _by_name(describe_types(names, for_commands(settings), timeout_s, around))


def _by_name(rows: Sequence[TypeRow]) -> dict[str, TypeRow]:
    return {row.name: row for row in rows}


def _refused_entries(
    settings: Settings, types: Mapping[str, TypeRow], all_types: bool
) -> Iterator[Problem]:
    """Yield the entries whose job the start would refuse; an unknown type only if all are known.

    The start and a reload check the same, in shared/operations/stored_settings.py.
    """
    stored = for_database(settings)
    named = {
        "schedules": [one.type for one in stored.schedules],
        "alerts": [one.type for one in stored.alerts],
    }
    for (table, index), why in refused_entries(types, stored).items():
        if all_types or named[table][index] in types:
            yield Problem((table, index), why)


@config.command("show")
@for_operator
def show_settings(operator: Operator) -> None:
    """Show every setting with its value and what set it; secrets are masked.

    A queue that stays as an operator has paused or resumed it says so. If the file is wrong, it is
    what the running Orpheus works by, and a warning says so.
    """
    try:
        settings, sources = load_with_sources(operator.config, operator.sets, os.environ)
    except ConfigurationError as wrong:
        settings, sources = _in_force(operator, wrong)
    shown: Sequence[Setting] = shown_settings(settings, sources)
    if settings.queues:
        with contextlib.suppress(StorageError), operator.store(for_command_line(settings)) as store:
            shown = noted(shown, store)
    if operator.as_json:
        notes = {one.key: one.note for one in shown if one.note}
        print_json({**shown_values(settings), "notes": notes})
        return
    for one in shown:
        line = f"{one.key} = {_toml(one.as_written)}"
        said = [text for text in (one.origin, one.note) if text and text != DEFAULT]
        click.echo(f"{line:<48}  # {'. '.join(said)}" if said else line)


def _in_force(operator: Operator, wrong: ConfigurationError) -> tuple[Settings, Sources]:
    """Return what the running Orpheus works by, and warn. Raises `wrong` if none runs."""
    try:
        running = operator.settings(certain=True)
    except ConfigurationError:
        raise wrong from None
    path = config_file(operator.config, os.environ)
    state = state_files(running.database.url, running.database.state_dir)
    version = Earlier(path, state).in_force()
    if version is not None:
        name = Path(f"version {version.number} of {path}")  # its lines are not those of the file
        sources = sources_with(version.text, name, operator.sets, os.environ)
        settings, problems = checked(sources)
        if settings is not None and not problems:
            return settings, sources
    sources = Sources()
    sources.add(running.model_dump(mode="json", exclude_defaults=True), "the running Orpheus")
    return running, sources


for command in (versions, diff, rollback):
    config.add_command(command)


def _toml(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False)
