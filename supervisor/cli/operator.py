"""What every command starts from: its options, the settings, the database and who types it."""

import contextlib
import functools
import gc
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from orpheus.config.handovers import for_storage
from orpheus.config.load import load_for_database, load_settings
from orpheus.config.options import config_options
from orpheus.config.settings import Settings
from orpheus.shared.domain.limits import LONGEST_REASON
from orpheus.shared.operations.audit import Actor, local_actor
from orpheus.shared.storage import Store, open_storage


@dataclass(frozen=True, slots=True)
class Operator:
    """The person who typed the command, and the options that all commands share."""

    config: Path | None
    sets: tuple[str, ...]
    as_json: bool

    def settings(self) -> Settings:
        """Load the configuration, for a command that needs only the database.

        A problem is a warning, and its setting has the default. Raises ConfigurationError if it is
        not known which database is meant.
        """
        settings, problems = load_for_database(self.config, self.sets, os.environ)
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            click.echo(f"orpheus: warning: {problems[0]}{more}: see orpheus config check", err=True)
        return settings

    def checked_settings(self) -> Settings:
        """Load the configuration for a command that needs more. Raises ConfigurationError."""
        return load_settings(self.config, self.sets, os.environ)

    @contextlib.contextmanager
    def store(self, settings: Settings | None = None) -> Iterator[Store]:
        """Open the database for a while; it is never created. Raises DatabaseUnusable."""
        gc.enable()  # everything is imported by now; supervisor/__main__.py switched it off
        store = open_storage(for_storage(settings or self.settings()))
        try:
            yield store
        finally:
            store.close()

    def actor(self, reason: str | None) -> Actor:
        """Return who acts and why, for the audit log."""
        return local_actor("cli", reason)


class Text(click.ParamType[str]):
    """Text that the database can hold: an argument may be any bytes but NUL."""

    name = "text"

    def __init__(self, longest: int | None = None) -> None:
        self._longest = longest

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text. Raises BadParameter unless it is UTF-8 of 1 to `longest` characters."""
        text = str(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail("is not UTF-8", param, ctx)
        if not text or (self._longest is not None and len(text) > self._longest):
            most = "" if self._longest is None else f" to {self._longest}"
            self.fail(f"must have 1{most} characters", param, ctx)
        return text


JobId = click.IntRange(1, 2**63 - 1)

with_reason = click.option(
    "--reason",
    type=Text(LONGEST_REASON),
    metavar="TEXT",
    help="Why; it is kept in the audit log (GET /audit).",
)


def for_operator(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command `--config`, `--set` and `--json`, and pass it the Operator they make.

    `--config` and `--set` may stand before the command's name or after it.
    """

    @config_options
    @click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
    @functools.wraps(command)
    def with_operator(
        *, config: Path | None, sets: tuple[str, ...], as_json: bool, **options: Any
    ) -> int:
        before = click.get_current_context().find_root().params
        operator = Operator(config or before["config"], (*before["sets"], *sets), as_json)
        return command(operator, **options)

    return with_operator
