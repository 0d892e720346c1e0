"""Print what the files of cron, supervisord and foreman are in orpheus.toml."""

import configparser
import getpass
import os
import platform
import pwd
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from orpheus.shared.errors import ExitCode
from orpheus.shared.text import printable
from orpheus.supervisor.cli.group import Group
from orpheus.supervisor.cli.host_zone import zone_of_host
from orpheus.supervisor.cli.operator import Operator, for_operator
from orpheus.supervisor.cli.output import print_json, warn
from orpheus.supervisor.importing import crontab, procfile, supervisord
from orpheus.supervisor.importing.imported import FileLine, Imported, Left, SourceFile
from orpheus.supervisor.importing.toml import to_toml

_LARGEST_FILE_BYTES = 4 * 2**20
_STDIN, _STDIN_NAME = "-", "standard input"
_USERS_OF_OTHERS = (
    "root nobody www-data ubuntu debian deploy nginx apache app django postgres vagrant admin"
)
"""Users that other hosts have: a crontab may come from one."""

file_argument = click.argument("file", metavar="FILE")


@click.group("import", cls=Group)
def import_files() -> None:
    """Print a crontab, supervisord.conf or Procfile as settings of Orpheus.

    Nothing is written: put the TOML into orpheus.toml, then run orpheus config check. FILE may be -
    for standard input. What could not be carried over is a comment in the TOML, and on stderr.
    """


@import_files.command("crontab")
@file_argument
@click.option("--timezone", metavar="ZONE", help="Of its times; default: that of this host.")
@click.option(
    "--users/--no-users",
    "has_users",
    default=None,
    help="Whether each line names a user, as in /etc/crontab; without it, the file tells.",
)
@for_operator
def from_crontab(
    operator: Operator, file: str, timezone: str | None, has_users: bool | None
) -> int:
    """Make a command and a schedule of each job of a crontab."""
    source = _read(Path(file), may_be_bytes=True)
    if has_users is None:
        is_of_system = str(Path(file).absolute()).startswith(("/etc/crontab", "/etc/cron.d/"))
        known = {one.pw_name for one in pwd.getpwall()} | set(_USERS_OF_OTHERS.split())
        has_users = is_of_system or crontab.has_user_column(source, known)
        if not has_users and crontab.may_have_user_column(source, known):
            warn("a command begins with a user's name: if that is a column, give --users")
    host = crontab.CronHost(timezone or zone_of_host(), _user(), has_users=has_users)
    try:
        imported = crontab.convert(source, host)
    except crontab.NoTimezone:
        why = "the time zone of this host has no name here: give --timezone"
        raise click.UsageError(why) from None
    return _print(operator, file, imported)


@import_files.command("supervisord")
@file_argument
@for_operator
def from_supervisord(operator: Operator, file: str) -> int:
    """Make a program of each [program:…] of a supervisord.conf, and of the files it includes."""
    source = _read(Path(file))
    host = supervisord.SupervisordHost(_user(), platform.node())
    try:
        patterns = supervisord.include_patterns(source, dict(os.environ))
        included, not_found = _included(patterns, source.folder)
        imported = supervisord.convert([source, *included], host, not_found)
    except configparser.Error as error:
        raise click.ClickException(f"{file} is no file of supervisord: {error}") from None
    return _print(operator, file, imported)


@import_files.command("procfile")
@file_argument
@for_operator
def from_procfile(operator: Operator, file: str) -> int:
    """Make a program of each line of a Procfile; .env beside it becomes their env_file."""
    source = _read(Path(file))
    folder = "" if file == _STDIN else str(Path(file).parent)
    beside = Path(folder, ".env")
    env_file = _read(beside) if beside.is_file() else None
    folder = "" if folder == "." else folder
    return _print(operator, file, procfile.convert(source, folder, env_file))


def _read(path: Path, *, may_be_bytes: bool = False) -> SourceFile:
    """Return a file; `may_be_bytes`: with lone surrogates for what is not UTF-8.

    Raises ClickException if it cannot be read, or is no text.
    """
    is_stdin = str(path) == _STDIN
    try:
        with click.open_file(str(path), "rb") as file:
            content: bytes = file.read(_LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise click.ClickException(f"cannot read {path}: {error.strerror}") from None
    if len(content) > _LARGEST_FILE_BYTES:
        raise click.ClickException(f"{path} is larger than {_LARGEST_FILE_BYTES // 2**20} MiB")
    try:
        text = content.decode("utf-8-sig", "surrogateescape" if may_be_bytes else "strict")
    except UnicodeDecodeError:
        raise click.ClickException(f"{path} is not UTF-8 text") from None
    if "\0" in text and not may_be_bytes:
        raise click.ClickException(f"{path} is no text: it contains NUL")
    folder = Path.cwd() if is_stdin else path.absolute().parent
    return SourceFile(
        _STDIN_NAME if is_stdin else str(path), text.replace("\r\n", "\n"), str(folder)
    )


def _included(
    patterns: list[tuple[FileLine, str]], folder: str
) -> tuple[list[SourceFile], list[tuple[FileLine, str]]]:
    """Return the files that the patterns name, and the patterns that name none."""
    sources, not_found = [], []
    for position, pattern in patterns:
        anchor = Path("/") if pattern.startswith("/") else Path(folder)
        paths = sorted(anchor.glob(pattern.lstrip("/"))) if pattern.lstrip("/") else []
        files = [path for path in paths if path.is_file()]
        sources += [_called_from(folder, _read(path)) for path in files]
        not_found += [] if files else [(position, pattern)]
    return sources, not_found


def _called_from(folder: str, source: SourceFile) -> SourceFile:
    """Return a file with its name as the file in that folder would call it."""
    path = Path(source.name)
    is_below = path.is_relative_to(folder)
    return replace(source, name=str(path.relative_to(folder))) if is_below else source


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number that has no name
        return str(os.getuid())


def _print(operator: Operator, file: str, imported: Imported) -> int:
    left = list(imported.left())
    shown = _STDIN_NAME if file == _STDIN else file
    tables = imported.tables()
    toml = to_toml(imported, shown) if tables else ""
    if operator.as_json:
        print_json({"toml": toml, **tables, "left": [_as_data(*one) for one in left]})
    else:
        click.echo(toml, nl=False)
        for one, name in left:
            of = "" if name is None else f" ({name})"
            click.echo(printable(f"{one.position}{of}: not carried over: {one}"), err=True)
    if not tables:
        click.echo(f"orpheus: nothing in {shown} could be carried over", err=True)
    return ExitCode.OK if tables else ExitCode.NO


def _as_data(left: Left, entry: str | None) -> dict[str, Any]:
    return {
        "file": _text(left.position.file),
        "line": left.position.line,
        "entry": entry,
        "what": _text(left.what),
        "why": left.why,
        "instead": left.instead,
    }


def _text(text: str) -> str:
    """Return text that JSON can hold."""
    return text.encode("utf-8", "backslashreplace").decode()
