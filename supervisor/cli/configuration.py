"""The configuration: check it, show it or its schema, go back to an earlier version."""

import json
import os
from collections.abc import Sequence
from itertools import starmap
from typing import Any

import click

from orpheus.config.effective import command_sources, effective_for
from orpheus.config.files import schema_of_settings
from orpheus.config.handovers import for_commands, for_database
from orpheus.config.load import checked
from orpheus.config.problems import Problem
from orpheus.config.settings import Settings
from orpheus.config.shown import DEFAULT, shown_settings
from orpheus.config.sources import key_path, merged, nested
from orpheus.shared.errors import ConfigurationError
from orpheus.shared.job_types.describe import describe_types
from orpheus.shared.messages.configuration import Setting
from orpheus.shared.operations.stored_settings import refused_entries
from orpheus.supervisor.cli.operator import Operator, for_operator
from orpheus.supervisor.cli.output import print_json, warn
from orpheus.supervisor.cli.versions import rollback, versions


@click.group()
def config() -> None:
    """Check the configuration, show it or its schema, or go back to an earlier version."""


@config.command()
@click.option("--modules", is_flag=True, help="Import the job modules too, in another process.")
@for_operator
def check(operator: Operator, modules: bool) -> None:
    """Check the file, the environment and --set.

    Exits 78 with every problem. --modules also checks what needs the job modules: that they
    import, that `around` exists, and that the jobs of schedules and alerts fit their types.
    """
    try:
        settings = _checked(operator, modules)
    except ConfigurationError as error:
        if operator.as_json:
            print_json({"ok": False, "problems": error.problems})
        raise
    source = settings.source and str(settings.source)
    rest = "" if modules else " (--modules also checks the job modules, schedules and alerts)"
    told = {"ok": True, "problems": [], "source": source, "modules_checked": modules}
    operator.answer(told, f"{source or 'no file, the defaults'}: ok{rest}")


def _checked(operator: Operator, modules: bool) -> Settings:
    """Return the settings. Raises ConfigurationError with every problem."""
    sources = command_sources(operator.config, operator.sets, os.environ)
    settings, problems = checked(sources)
    of_types: Sequence[str] = ()
    if settings is not None and modules and not problems:
        jobs, timeout_s = settings.jobs, settings.supervisor.start_timeout
        try:
            rows = describe_types(jobs.modules, for_commands(settings), timeout_s, jobs.around)
            types = {row.name: row for row in rows}
            # The start and a reload check the same.
            problems += starmap(Problem, refused_entries(types, for_database(settings)).items())
        except ConfigurationError as error:
            of_types = error.problems
    if settings is None or problems or of_types:
        raise ConfigurationError(*map(sources.line, problems), *of_types)
    return settings


@config.command("show")
@for_operator
def show_settings(operator: Operator) -> None:
    """Show every setting with its value and what set it; secrets are masked.

    If the file is wrong, warn and show the settings of the running Orpheus.
    """
    sources = command_sources(operator.config, operator.sets, os.environ)
    settings, problems = checked(sources)
    if settings is not None and not problems:
        shown: Sequence[Setting] = shown_settings(settings)
    else:
        effective = effective_for(sources)
        lines = list(map(sources.line, problems))
        if effective is None:
            raise ConfigurationError(*lines)
        warn(f"{lines[0]}; showing the settings of the running Orpheus")
        shown = effective.settings
    if operator.as_json:
        tables: dict[str, Any] = {}
        for setting in shown:
            tables = merged(tables, nested(key_path(setting.key) or (), setting.value))
        print_json(tables)
        return
    for setting in shown:
        line = f"{setting.key} = {_toml(setting.value)}"
        click.echo(line if setting.origin == DEFAULT else f"{line:<48}  # {setting.origin}")


@config.command()
@for_operator
def schema(operator: Operator) -> None:  # noqa: ARG001 - it takes the options of every command
    """Print the JSON Schema of the configuration, for editors."""
    click.echo(schema_of_settings(), nl=False)


for command in (versions, rollback):
    config.add_command(command)


def _toml(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False)
