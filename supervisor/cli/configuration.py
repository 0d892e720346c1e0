"""The configuration: check it, show what is in force."""

import json
import os
from typing import Any

import click

from orpheus.config.checks import missing_programs
from orpheus.config.editing.shown import DEFAULT, shown_settings, shown_values
from orpheus.config.load import load_with_sources
from orpheus.shared.errors import ConfigurationError, ExitCode
from orpheus.supervisor.cli.operator import Operator, for_operator
from orpheus.supervisor.cli.output import print_json


@click.group()
def config() -> None:
    """Check the configuration, or show what is in force."""


@config.command()
@for_operator
def check(operator: Operator) -> int:
    """Check the file, the environment and --set, and that commands find their programs.

    Exits 78 with every problem.
    """
    settings, sources = load_with_sources(operator.config, operator.sets, os.environ)
    problems = [sources.line(problem) for problem in missing_programs(settings)]
    if problems:
        raise ConfigurationError("\n".join(problems))
    if operator.as_json:
        print_json({"ok": True, "source": settings.source and str(settings.source)})
    else:
        click.echo(f"{settings.source or 'no file, the defaults'}: ok")
    return ExitCode.OK


@config.command("show")
@for_operator
def show_settings(operator: Operator) -> int:
    """Show every setting with its value and what set it; secrets of commands are masked."""
    settings, sources = load_with_sources(operator.config, operator.sets, os.environ)
    if operator.as_json:
        print_json(shown_values(settings))
        return ExitCode.OK
    for one in shown_settings(settings, sources):
        line = f"{one.key} = {_toml(one.value)}"
        click.echo(line if one.origin == DEFAULT else f"{line:<48}  # {one.origin}")
    return ExitCode.OK


def _toml(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False)
