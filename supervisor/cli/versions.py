"""`orpheus config versions` and `rollback`: the earlier texts of the configuration file."""

import contextlib
import functools
import os
from collections.abc import Iterator

import click

from orpheus.config.editing.file import ConfigurationFile
from orpheus.config.effective import command_sources, named_database
from orpheus.config.sources import config_file
from orpheus.shared.domain.limits import LARGEST_ID
from orpheus.shared.errors import ConfigurationError, StorageError
from orpheus.shared.messages.configuration import SettingProblem
from orpheus.shared.moments import rfc3339
from orpheus.shared.operations.configuration import (
    Edit,
    RefusedEntries,
    ShownVersion,
    version_of,
)
from orpheus.shared.operations.replace_configuration import replace_configuration
from orpheus.shared.operations.stored_settings import refused_entries
from orpheus.shared.storage import Store, open_store, state_files
from orpheus.supervisor.cli.operator import Operator, for_operator, with_reason
from orpheus.supervisor.cli.output import Column, local_time, print_items, warn

_COLUMNS = (
    "VERSION",
    Column("AT", 3),
    Column("BY", 2, least=8),
    Column("NOW", least=8),
    Column("REASON", 1, least=12),
)
_VERSION = click.IntRange(1, LARGEST_ID)


@click.command()
@for_operator
def versions(operator: Operator) -> None:
    """List the versions of the file, newest first: when, by whom, why.

    Up to 50 versions are kept on this host. BY "file": saved in an editor.
    """
    kept = _editor(operator).versions()
    items = [version_of(version) for version in kept]
    print_items(items, _COLUMNS, map(_row, kept), as_json=operator.as_json)


@click.command()
@click.argument("version", type=_VERSION)
@with_reason
@for_operator
def rollback(operator: Operator, version: int, reason: str | None) -> None:
    """Put the text of VERSION into the file again, with the secrets that it had.

    It is checked like any edit, and a running supervisor reloads it. No database is needed, but
    versions are kept beside it: if the file now names another one, give the earlier one with
    --set database.url=….
    """
    editor = _editor(operator)
    with _store(operator) as store:
        types = {} if store is None else {row.name: row for row in store.types.all()}
        refused: RefusedEntries = (
            functools.partial(refused_entries, types) if types else lambda _: {}
        )
        planned = editor.plan(Edit(version=version), None, refused)
        outcome = planned.outcome
        if outcome.problems:
            raise ConfigurationError(*(_line(problem, version) for problem in outcome.problems))
        is_there = planned.content == planned.replaces
        if not is_there:
            replace_configuration(editor, planned, operator.actor(reason), version, store)
    changed = outcome.changed or ()
    told = "is already in the file" if is_there else "is back in the file"
    text = f"version {version} {told}" + (f"; changes {', '.join(changed)}" if changed else "")
    operator.answer({"version": version, "written": not is_there, "changes": changed}, text)


def _editor(operator: Operator) -> ConfigurationFile:
    """Return the editor of the file; its versions are beside the database."""
    sources = command_sources(operator.config, operator.sets, os.environ)
    path, named = config_file(operator.config, os.environ), named_database(sources)
    if named is None:
        raise ConfigurationError("database.url is not text: name it by --set database.url=…")
    state = state_files(named.url, named.state_dir)
    return ConfigurationFile(path, operator.sets, os.environ, state, may_name_code=True)


@contextlib.contextmanager
def _store(operator: Operator) -> Iterator[Store | None]:
    """Open the database, to check jobs and to write the audit log; None if it cannot be used."""
    named = named_database(command_sources(operator.config, operator.sets, os.environ))
    with contextlib.ExitStack() as stack:
        store = None
        try:
            if named is not None:
                opened = open_store(
                    named.url, state_dir=named.state_dir, listen_url=named.listen_url
                )
                store = stack.enter_context(contextlib.closing(opened))
        except StorageError as error:
            warn(f"{error}; so no job is checked, and the audit log is not written")
        yield store


def _row(shown: ShownVersion) -> tuple[object, ...]:
    version = shown.version
    in_file = "file" if shown.is_in_file else None
    in_force = "in force" if shown.is_in_force else None
    now = ", ".join(filter(None, (in_file, in_force))) or None
    at = local_time(rfc3339(version.at_ms))
    return version.number, at, version.by, now, version.reason


def _line(problem: SettingProblem, version: int) -> str:
    """Return a problem at its line of the version: the same line of the file may be right."""
    place = problem.place if problem.line is None else f"version {version}, line {problem.line}"
    return ": ".join(part for part in (place, problem.key, problem.detail) if part)
