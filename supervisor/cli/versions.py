"""`orpheus config versions`, `diff` and `rollback`: the earlier texts of the configuration file."""

import contextlib
import difflib
import functools
import os
from collections.abc import Iterator
from typing import Any

import click
from msgspec.structs import replace

from orpheus.config.editing.file import ConfigurationFile, masked_or_none
from orpheus.config.handovers import for_command_line
from orpheus.config.naming_code import tables_of
from orpheus.config.problems import dotted
from orpheus.config.secret_values import differing_secrets
from orpheus.config.settings import Settings
from orpheus.config.sources import config_file
from orpheus.shared.domain.limits import LARGEST_ID
from orpheus.shared.errors import ConfigurationError, ExitCode, NotFound, StorageError
from orpheus.shared.moments import rfc3339
from orpheus.shared.operations.configuration import (
    Edit,
    EditOutcome,
    PlannedEdit,
    RefusedEntries,
    SettingProblem,
    ShownVersion,
    version_json,
)
from orpheus.shared.operations.left_waiting import left_by_edit
from orpheus.shared.operations.replace_configuration import replace_configuration
from orpheus.shared.operations.stored_settings import refused_entries
from orpheus.shared.storage import Actor, Store, state_files
from orpheus.shared.text import printable
from orpheus.supervisor.cli.given import as_called
from orpheus.supervisor.cli.operator import Operator, for_operator, with_reason
from orpheus.supervisor.cli.output import Column, local_time, print_items, print_json, styled, warn

_COLUMNS = (
    "VERSION",
    Column("AT", 3),
    Column("BY", 2, least=8),
    Column("NOW", least=8),
    Column("REASON", 1, least=12),
)
_STYLES = {"+": {"fg": "green"}, "-": {"fg": "red"}, "@": {"fg": "cyan"}}
_VERSION = click.IntRange(1, LARGEST_ID)


@click.command()
@for_operator
def versions(operator: Operator) -> None:
    """List what the file has held, newest first: when, by whom, why.

    Those of this host that are kept: up to 50. "file": an editor has saved it.
    """
    kept = _editor(operator, _settings(operator)).versions()
    items = [version_json(one) for one in kept]
    print_items(items, _COLUMNS, map(_row, kept), as_json=operator.as_json)


@click.command()
@click.argument("before", type=_VERSION, required=False, metavar="[FROM]")
@click.argument("after", type=_VERSION, required=False, metavar="[TO]")
@for_operator
def diff(operator: Operator, before: int | None, after: int | None) -> int:
    """Show what differs between two versions; their secrets are masked.

    FROM is the version in force if it is not given, or else the newest one; TO is the file as it
    is. Exits 1 if something differs.
    """
    editor = _editor(operator, _settings(operator))
    kept = editor.versions()
    chosen = _chosen(kept, before)
    old, number = chosen.version.text, chosen.version.number
    if after is None:
        new, name = editor.text(), "the file"
    else:
        new, name = _chosen(kept, after).version.text, f"version {after}"
    lines, secrets = _difference(old, new, f"version {number}", name)
    code = ExitCode.NO if old != new else ExitCode.OK
    if operator.as_json:
        print_json({"from": number, "to": after, "diff": lines, "secrets": secrets})
        return code
    for line in lines:
        shown = "\t".join(map(printable, line.split("\t")))
        click.echo(styled(shown, **_STYLES.get(line[:1], {})))
    for secret in secrets:
        click.echo(f"a secret differs: {secret}")
    if old == new:
        click.echo("nothing differs", err=True)
    elif not lines and not secrets:
        click.echo("only the ends of lines differ")
    return code


def _difference(old: str, new: str, old_name: str, new_name: str) -> tuple[list[str], list[str]]:
    """Return the lines that differ, secrets masked, and the names of the secrets that do."""
    (old_lines, old_tables), (new_lines, new_tables) = _shown(old, old_name), _shown(new, new_name)
    lines = list(difflib.unified_diff(old_lines, new_lines, old_name, new_name, lineterm=""))
    return lines, [dotted(path) for path in differing_secrets(old_tables, new_tables)]


def _shown(text: str, name: str) -> tuple[list[str], Any]:
    """Return the lines of a text, secrets masked, and its tables. Raises ConfigurationError."""
    shown, tables = masked_or_none(text), tables_of(text)
    if shown is None or tables is None:
        raise ConfigurationError(
            f"{name} is not shown: its secrets cannot be told apart from the rest"
        )
    return shown.splitlines(), tables


@click.command()
@click.argument("version", type=_VERSION)
@click.option("--check", is_flag=True, help="Only tell the problems, and what would restart.")
@with_reason
@for_operator
def rollback(operator: Operator, version: int, check: bool, reason: str | None) -> None:
    """Put the text of VERSION into the file again, with the secrets that it had.

    It is checked like any edit, and a running supervisor takes it as if it had been saved. It
    needs no database. Versions are kept beside it: if the file names another one by now and
    nothing runs, name the earlier one by --set database.url=….
    """
    settings = _settings(operator)
    editor = _editor(operator, settings)
    with _store(operator, settings) as store:
        types = {} if store is None else {row.name: row for row in store.types.all()}
        refused: RefusedEntries = (
            functools.partial(refused_entries, types) if types else lambda _: {}
        )
        planned = editor.plan(Edit(version=version), None, refused)
        if planned.outcome.problems:
            told = (_line_of_version(one, version) for one in planned.outcome.problems)
            raise ConfigurationError("\n".join(told))
        left = () if store is None else left_by_edit(store, planned.outcome, types)
        outcome = replace(planned.outcome, notes=(*left, *planned.outcome.notes))
        is_there = planned.content == planned.replaces
        if not check and not is_there:
            _replace(editor, planned, operator.actor(reason, may_guess=True), version, store)
    if is_there and not operator.as_json:
        click.echo(f"version {version} is in the file already")
        return
    is_written = not check and not is_there
    _print_outcome(operator, version, outcome, is_written=is_written)


def _settings(operator: Operator) -> Settings:
    """Return the settings that tell where the versions are: those that run, else the file's.

    The file may name another database by now, and then somebody wants to go back.
    """
    return operator.settings_that_run() or operator.settings()


def _editor(operator: Operator, settings: Settings) -> ConfigurationFile:
    """Return the editor of the file, whose versions are beside the database of `settings`."""
    path = config_file(operator.config, os.environ)
    state = state_files(settings.database.url, settings.database.state_dir)
    return ConfigurationFile(path, operator.sets, os.environ, state, may_name_code=True)


@contextlib.contextmanager
def _store(operator: Operator, settings: Settings) -> Iterator[Store | None]:
    """Open the database, to check jobs and to write the audit log; None if it cannot be used."""
    with contextlib.ExitStack() as stack:
        store = None
        try:
            store = stack.enter_context(operator.store(for_command_line(settings)))
        except StorageError as error:
            warn(f"{error}; so the jobs of schedules and alerts are not checked")
        yield store


def _replace(
    editor: ConfigurationFile,
    planned: PlannedEdit,
    actor: Actor,
    version: int,
    store: Store | None,
) -> None:
    """Replace the file; without its row in the audit log if the database cannot be used."""
    if store is not None:
        try:
            replace_configuration(editor, planned, actor, version, store)
        except StorageError as error:  # before the file was replaced
            warn(str(error))
        else:
            return
    see = as_called("orpheus config versions")
    warn(f"the audit log cannot be written; {see} tells who did this, and why")
    replace_configuration(editor, planned, actor, version, None)


def _chosen(kept: list[ShownVersion], number: int | None) -> ShownVersion:
    """Return a version; without a number the one in force, or else the newest."""
    if not kept:
        raise NotFound(
            "there is no version yet: the first start of Orpheus with this file keeps it"
        )
    if number is None:
        return next((one for one in kept if one.is_in_force), kept[0])
    found = next((one for one in kept if one.version.number == number), None)
    if found is None:
        raise NotFound(f"there is no version {number} (any more); see `orpheus config versions`")
    return found


def _row(shown: ShownVersion) -> tuple[object, ...]:
    version = shown.version
    in_file = "file" if shown.is_in_file else None
    in_force = "in force" if shown.is_in_force else None
    now = ", ".join(filter(None, (in_file, in_force, shown.fault))) or None
    at = local_time(rfc3339(version.at_ms))
    return version.number, at, version.by, now, version.reason


def _line(problem: SettingProblem) -> str:
    return ": ".join(part for part in (problem.place, problem.key, problem.detail) if part)


def _line_of_version(problem: SettingProblem, version: int) -> str:
    """Return a problem at its line of the version: the same line of the file may be right."""
    if problem.line is None:
        return _line(problem)
    return _line(replace(problem, place=f"version {version}, line {problem.line}"))


def _print_outcome(
    operator: Operator, version: int, outcome: EditOutcome, *, is_written: bool
) -> None:
    lists = {
        "changes": outcome.changed,
        "restarts": outcome.restarts,
        "starts": outcome.starts,
        "stops": outcome.stops,
    }
    if operator.as_json:
        print_json({"version": version, "written": is_written, **lists})
        return
    said = "is in the file again" if is_written else "can be put into the file again"
    click.echo(f"version {version} {said}")
    for label, names in lists.items():
        if names:
            click.echo(f"  {label} {', '.join(names)}")
    if outcome.changed is not None and not outcome.changed:
        click.echo("  no setting changes its value")
    for note in outcome.notes:
        click.echo(f"  {note}")
    for warning in outcome.warnings:
        warn(_line(warning))
