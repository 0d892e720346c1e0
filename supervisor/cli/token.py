"""Make the tokens that open the API (docs/access.md)."""

import json
import os
import re
import secrets
import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from orpheus.config.files import is_there
from orpheus.config.sources import config_file
from orpheus.shared.domain.access import GLOB, GLOB_RULE, Role
from orpheus.shared.domain.limits import NAME, NAME_RULE
from orpheus.supervisor.cli.operator import Operator, for_operator

_TOKEN_BYTES = 32


@click.group()
def token() -> None:
    """Make the tokens that open the API."""


def _matching(pattern: re.Pattern[str], rule: str, text: str) -> str:
    if not pattern.fullmatch(text):
        raise click.BadParameter(f"{text!r} {rule}")
    return text


def _name(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    return _matching(NAME, NAME_RULE, text)


def _globs(
    _context: click.Context, _parameter: click.Parameter, texts: Sequence[str]
) -> tuple[str, ...]:
    return tuple(_matching(GLOB, GLOB_RULE, text) for text in texts)


@token.command()
@click.argument("name", callback=_name)
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.VIEWER.value,
    show_default=True,
    help="What the token may do.",
)
@click.option(
    "--queues",
    metavar="GLOB",
    multiple=True,
    callback=_globs,
    help="Only jobs of these queues; may be given several times.",
)
@click.option(
    "--types",
    metavar="GLOB",
    multiple=True,
    callback=_globs,
    help="Only jobs of these types; may be given several times.",
)
@click.option(
    "--file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Where to write it; else NAME.token beside the configuration file.",
)
@for_operator
def new(
    operator: Operator,
    name: str,
    role: str,
    queues: tuple[str, ...],
    types: tuple[str, ...],
    file: Path | None,
) -> None:
    """Write a new token to a file, and print the lines that add it to the configuration.

    Run it as the user that runs Orpheus: only the owner of the file can read it. A file that is
    there is not overwritten.
    """
    config = config_file(operator.config, os.environ)
    folder = config.parent if is_there(config) else Path()
    path = file or folder.absolute() / f"{name}.token"
    _write(path, secrets.token_hex(_TOKEN_BYTES))
    entry: dict[str, object] = {"name": name, "file": str(path), "role": role}
    entry |= {key: globs for key, globs in (("queues", queues), ("types", types)) if globs}
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in entry.items()]
    toml = "\n".join(["[[api.tokens]]", *lines])
    option = f" --config {shlex.quote(str(operator.config))}" if operator.config else ""
    text = f"wrote {path}\n\nAdd to the configuration:\n\n{toml}\n\nThen: orpheus reload{option}"
    operator.answer({**entry, "toml": toml}, text)


def _write(path: Path, text: str) -> None:
    """Write a new file that only its owner can read."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w", encoding="ascii") as file:
            file.write(f"{text}\n")
    except FileExistsError:
        raise click.ClickException(f"{path} already exists; nothing was written") from None
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error.strerror}") from None
