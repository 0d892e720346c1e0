"""Print what the files of cron, supervisord and foreman are in orpheus.toml."""

import configparser
import getpass
import os
from pathlib import Path

import click
import msgspec

from orpheus.shared.errors import ExitCode
from orpheus.shared.text import printable
from orpheus.supervisor.cli.operator import Operator, for_operator
from orpheus.supervisor.cli.output import print_json
from orpheus.supervisor.importing import crontab, procfile, supervisord
from orpheus.supervisor.importing.imported import Imported, SourceFile

_STDIN = "-"

file_argument = click.argument("file", metavar="FILE")


@click.group("import")
def import_files() -> None:
    """Convert a crontab, supervisord.conf or Procfile to Orpheus settings.

    Nothing is written: put the TOML into orpheus.toml, then run orpheus config check. FILE may be -
    for standard input. What could not be carried over is a comment in the TOML, and on stderr.
    """


@import_files.command("crontab")
@file_argument
@click.option("--timezone", metavar="ZONE", help="Its time zone; default: that of this host.")
@click.option(
    "--users", "has_users", is_flag=True, help="Each line names a user, as in /etc/crontab."
)
@for_operator
def from_crontab(operator: Operator, file: str, timezone: str | None, has_users: bool) -> int:
    """Make a command and a schedule of each job of a crontab."""
    has_users |= str(Path(file).absolute()).startswith(("/etc/crontab", "/etc/cron.d/"))
    zone = timezone or _zone_of_host()
    if not zone:
        raise click.UsageError("the time zone of this host has no name: give --timezone")
    return _print(operator, crontab.convert(_read(file), zone, _user(), has_users=has_users), file)


@import_files.command("supervisord")
@file_argument
@for_operator
def from_supervisord(operator: Operator, file: str) -> int:
    """Make a program of each [program:…] of a supervisord.conf."""
    try:
        imported = supervisord.convert(_read(file), _user())
    except configparser.Error as error:
        raise click.ClickException(f"{file} is not a supervisord configuration: {error}") from None
    return _print(operator, imported, file)


@import_files.command("procfile")
@file_argument
@for_operator
def from_procfile(operator: Operator, file: str) -> int:
    """Make a program of each line of a Procfile; .env beside it becomes their env_file."""
    folder = "" if file == _STDIN else str(Path(file).parent)
    beside = Path(folder, ".env")
    env_file = str(beside) if beside.is_file() else ""
    folder = "" if folder == "." else folder
    return _print(operator, procfile.convert(_read(file), folder, env_file), file)


def _read(file: str) -> SourceFile:
    """Return a text file. Raises ClickException if it cannot be read, or is not text."""
    try:
        with click.open_file(file, "rb") as opened:
            text: str = opened.read().decode("utf-8-sig")
    except OSError as error:
        raise click.ClickException(f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise click.ClickException(f"{file} is not UTF-8 text") from None
    folder = Path.cwd() if file == _STDIN else Path(file).absolute().parent
    return SourceFile(_name(file), text.replace("\r\n", "\n"), str(folder))


def _name(file: str) -> str:
    return "standard input" if file == _STDIN else file


def _zone_of_host() -> str:
    """Return the name of the zone that /etc/localtime links to; "" if it is not a link."""
    return os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number that has no name
        return str(os.getuid())


def _print(operator: Operator, imported: Imported, file: str) -> int:
    left, tables = imported.left(), imported.tables()
    toml = imported.to_toml(_name(file)) if tables else ""
    if operator.as_json:
        print_json({"toml": toml, **tables, "left": msgspec.to_builtins(left)})
    else:
        click.echo(toml, nl=False)
        for line in left:
            click.echo(printable(str(line)), err=True)
    if not tables:
        click.echo(f"orpheus: nothing in {_name(file)} could be carried over", err=True)
    return ExitCode.OK if tables else ExitCode.NO
