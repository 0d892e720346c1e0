"""The options that every click command of every program takes."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pathlib import Path

Function = TypeVar("Function", bound=Callable[..., object])


class _File(click.Path):
    """The path of a file, as a `Path`. `pathlib` is imported if one is given: not for --help."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> "Path":
        """Return the path."""
        from pathlib import Path  # noqa: PLC0415 - only for a path that is given

        return Path(os.fsdecode(super().convert(value, param, ctx)))


def config_options(command: Function) -> Function:
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
        type=_File(),
        metavar="FILE",
        help="The configuration file (default: config/orpheus.toml or orpheus.toml).",
    )(command)
