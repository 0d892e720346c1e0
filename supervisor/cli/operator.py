"""What every command starts from: its options, the settings, the database and who types it.

The models of the settings are imported when they are needed, which is seldom (config/effective.py).
"""

import contextlib
import functools
import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from orpheus.config.effective import command_settings
from orpheus.config.options import config_options
from orpheus.config.sources import read_sources
from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.domain.limits import LARGEST_ID, LONGEST_REASON
from orpheus.shared.errors import DatabaseMissing
from orpheus.shared.storage import (
    Actor,
    Store,
    local_actor,
    locked_file,
    open_storage,
    relative_path,
)
from orpheus.supervisor.cli.given import as_called, errors_as_called, given_to
from orpheus.supervisor.cli.output import print_json, warn

if TYPE_CHECKING:
    from orpheus.config.settings import Settings


class Operator(msgspec.Struct, frozen=True):
    """The person who typed the command, and the options that all commands share."""

    config: Path | None
    sets: tuple[str, ...]
    as_json: bool

    def handover(self) -> CommandLineHandover:
        """Return the settings that commands need.

        If the configuration is wrong, warn, and return those of the running supervisor. Raises
        ConfigurationError if none runs.
        """
        handover, problems = command_settings(self.config, self.sets, os.environ)
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            advice = f"see {as_called('orpheus config check')}"
            warn(f"{problems[0]}{more}; the settings of the file are not used ({advice})")
        return handover

    def settings(self) -> "Settings":
        """Load the configuration. Raises ConfigurationError if it is wrong, whatever runs."""
        from orpheus.config.load import load_settings  # noqa: PLC0415 - imports pydantic

        return load_settings(self.config, self.sets, os.environ)

    @contextlib.contextmanager
    def store(self, handover: CommandLineHandover | None = None) -> Iterator[Store]:
        """Open the database for a while; it is never created. Raises DatabaseUnusable."""
        gc.enable()  # everything is imported by now; supervisor/__main__.py switched it off
        storage = (handover or self.handover()).storage
        try:
            store = open_storage(storage)
        except DatabaseMissing as error:
            if (missing := self._missing(storage.url)) is None:
                raise
            raise missing from error
        with contextlib.closing(store):
            yield store

    @contextlib.contextmanager
    def opened(self) -> Iterator[tuple[Store, CommandLineHandover]]:
        """Open the database for a while, and give the settings that were used beside it."""
        handover = self.handover()
        with self.store(handover) as store:
            yield store, handover

    def _missing(self, url: str) -> DatabaseMissing | None:
        """Return the error for a database that is missing at a relative path that somebody set.

        Whoever means an Orpheus in another folder must not be told to start a second one here.
        """
        path = relative_path(url)
        sources = read_sources(self.config, self.sets, os.environ)
        origin = sources.origin_with_line(("database", "url"))
        if path is None or origin is None:
            return None
        return DatabaseMissing(
            f"there is no database at {locked_file(url)}: {path} of {origin} is taken from the "
            "current folder; call it where Orpheus was started, or start Orpheus once (`orpheus` "
            "alone) to make it here"
        )

    def answer(self, data: Any, text: str) -> None:
        """Print what the command answers, as JSON or in words."""
        if self.as_json:
            print_json(data)
        else:
            click.echo(text)

    @staticmethod
    def actor(reason: str | None) -> Actor:
        """Return who acts and why, for the audit log."""
        return local_actor("cli", reason or None)


class Text(click.ParamType[str]):
    """Text that the database can hold: a command-line argument may be any bytes but NUL."""

    name = "text"

    def __init__(self, longest: int | None = None) -> None:
        self._longest = longest

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text. Raises BadParameter if it is not UTF-8, or longer than `longest`."""
        text = str(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail("is not UTF-8", param, ctx)
        if self._longest is not None and len(text) > self._longest:
            self.fail(f"must have at most {self._longest} characters", param, ctx)
        return text


JobId = click.IntRange(1, LARGEST_ID)

with_reason = click.option(
    "--reason",
    type=Text(LONGEST_REASON),
    metavar="TEXT",
    help="Why; it is kept in the audit log (GET /audit).",
)
on_host = click.option(
    "--host", type=Text(), metavar="HOST", help="Which host is meant, if there are several."
)


def for_operator(
    command: Callable[..., int | None], json_help: str = "Print JSON instead of a table."
) -> Callable[..., int | None]:
    """Give a command `--config`, `--set` and `--json`, and pass it the Operator they make.

    They may stand before the command's name, where its group has them, or after it. The command
    returns its exit code; None, as one does that only an error can end otherwise, is 0.
    """

    @config_options
    @click.option("--json", "as_json", is_flag=True, help=json_help)
    @functools.wraps(command)
    def with_operator(**options: Any) -> int | None:
        for name in ("config", "sets", "as_json"):  # these, and what stands before the command
            del options[name]
        with errors_as_called():
            return command(Operator(*given_to(click.get_current_context())), **options)

    return with_operator
