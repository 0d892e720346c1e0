"""`orpheus config versions`, `diff` and `rollback`: the earlier texts of the configuration file."""

import difflib
import functools
import os

import click

from orpheus.config.editing.file import ConfigurationFile
from orpheus.config.handovers import for_command_line
from orpheus.config.settings import Settings
from orpheus.config.sources import DEFAULT_PATH, given_file
from orpheus.shared.errors import ConfigurationError, ExitCode, NotFound
from orpheus.shared.operations.configuration import (
    Edit,
    EditOutcome,
    RefusedEntries,
    SettingProblem,
    ShownVersion,
    version_json,
)
from orpheus.shared.operations.refused import refused_entries
from orpheus.shared.operations.replace_configuration import replace_configuration
from orpheus.shared.storage import state_files
from orpheus.supervisor.cli.operator import Operator, for_operator, with_reason
from orpheus.supervisor.cli.output import local_time, print_json, print_table

_VERSION = click.IntRange(1, 2**63 - 1)


@click.command()
@for_operator
def versions(operator: Operator) -> int:
    """List what the file has held, newest first: when, by whom, why.

    Those of this host that are kept: up to 50. "file": an editor has saved it.
    """
    items = [version_json(one) for one in _editor(operator, operator.settings()).versions()]
    if operator.as_json:
        print_json({"items": items})
        return ExitCode.OK
    rows = [
        (one["version"], local_time(one["at"]), one["by"], _marks(one), one["reason"])
        for one in items
    ]
    print_table(("VERSION", "AT", "BY", "NOW", "REASON"), rows)
    return ExitCode.OK


@click.command()
@click.argument("before", type=_VERSION, required=False, metavar="[FROM]")
@click.argument("after", type=_VERSION, required=False, metavar="[TO]")
@for_operator
def diff(operator: Operator, before: int | None, after: int | None) -> int:
    """Show what differs between two versions; their secrets are masked.

    FROM is the version in force if it is not given, or else the newest one; TO is the file as it
    is. Exits 1 if something differs.
    """
    editor = _editor(operator, operator.settings())
    kept = editor.versions()
    old = _chosen(kept, before)
    new_text, name = editor.show().text, "the file"
    if after is not None:
        new_text, name = _chosen(kept, after).text, f"version {after}"
    if old.text is None or new_text is None:
        raise ConfigurationError("it is not shown: its secrets cannot be told apart from the rest")
    lines = list(
        difflib.unified_diff(
            old.text.splitlines(),
            new_text.splitlines(),
            f"version {old.version.number}",
            name,
            lineterm="",
        )
    )
    if operator.as_json:
        print_json({"from": old.version.number, "to": after, "diff": lines})
    else:
        for line in lines:
            click.secho(line, fg={"+": "green", "-": "red", "@": "cyan"}.get(line[:1]))
    return ExitCode.NO if lines else ExitCode.OK


@click.command()
@click.argument("version", type=_VERSION)
@click.option("--check", is_flag=True, help="Only tell the problems, and what would restart.")
@with_reason
@for_operator
def rollback(operator: Operator, version: int, check: bool, reason: str | None) -> int:
    """Put the text of VERSION into the file again, with the secrets that it had.

    It is checked like any edit, and a running supervisor takes it as if it had been saved.
    """
    settings = operator.settings()
    editor = _editor(operator, settings)
    with operator.store(for_command_line(settings)) as store:
        types = {row.name: row for row in store.types.all()}
        refused: RefusedEntries = (
            functools.partial(refused_entries, types) if types else lambda _: {}
        )
        planned = editor.plan(Edit(version=version), None, refused)
        if planned.outcome.problems:
            raise ConfigurationError("\n".join(map(_line, planned.outcome.problems)))
        if not check:
            replace_configuration(editor, planned, operator.actor(reason), version, store)
    _print_outcome(operator, version, planned.outcome, is_written=not check)
    return ExitCode.OK


def _editor(operator: Operator, settings: Settings) -> ConfigurationFile:
    """Return the file of this command, whose versions are beside its database."""
    path = given_file(operator.config, os.environ) or DEFAULT_PATH
    state = state_files(settings.database.url, settings.database.state_dir)
    return ConfigurationFile(path, operator.sets, os.environ, state, may_name_code=True)


def _chosen(kept: list[ShownVersion], number: int | None) -> ShownVersion:
    """Return a version; without a number the one in force, or else the newest."""
    if not kept:
        raise NotFound(
            "There is no version yet: the first start of Orpheus with this file keeps it"
        )
    if number is None:
        return next((one for one in kept if one.is_in_force), kept[0])
    found = next((one for one in kept if one.version.number == number), None)
    if found is None:
        raise NotFound(f"There is no version {number} (any more); see orpheus config versions")
    return found


def _marks(item: dict[str, object]) -> str | None:
    marks = [word for key, word in (("in_file", "file"), ("in_force", "in force")) if item[key]]
    return ", ".join(marks) or None


def _line(problem: SettingProblem) -> str:
    return ": ".join(part for part in (problem.place, problem.key, problem.detail) if part)


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
    for warning in outcome.warnings:
        click.echo(f"orpheus: warning: {_line(warning)}", err=True)
