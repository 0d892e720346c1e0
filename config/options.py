"""The options that every click command of every program takes."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., object])


def config_options(command: Command) -> Command:
    """Add `--config FILE` and `--set KEY=VALUE`: arguments `config` (Path | None) and `sets`."""
    command = click.option(
        "--set",
        "sets",
        multiple=True,
        metavar="KEY=VALUE",
        help="Override a setting, such as api.port=9000; may be repeated.",
    )(command)
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The configuration file (default: $ORPHEUS_CONFIG, else config/orpheus.toml).",
    )(command)
