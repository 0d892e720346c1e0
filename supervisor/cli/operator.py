"""What every command starts from: its options, the settings they lead to, the database."""

import contextlib
import functools
import gc
import getpass
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orpheus.config.options import config_options

if TYPE_CHECKING:
    from orpheus.config.settings import Settings
    from orpheus.shared.domain.handover import JobDefaults
    from orpheus.shared.operations.audit import Actor
    from orpheus.shared.storage import Store


@dataclass(frozen=True, slots=True)
class Operator:
    """Whoever typed the command, and the options that all commands share."""

    config: Path | None
    sets: tuple[str, ...]
    as_json: bool

    def settings(self) -> "Settings":
        """The configuration the options lead to. Raises ConfigurationError."""
        from orpheus.config.load import load_settings  # noqa: PLC0415 - 150 ms that --help need not pay

        return load_settings(self.config, self.sets, os.environ)

    @contextlib.contextmanager
    def store(self, settings: "Settings | None" = None) -> "Iterator[Store]":
        """The database, opened for a while; never created. Raises DatabaseUnusable."""
        from orpheus.config.handovers import for_storage  # noqa: PLC0415
        from orpheus.shared.storage import open_storage  # noqa: PLC0415

        gc.enable()  # everything is imported; see supervisor/__main__.py
        store = open_storage(for_storage(settings or self.settings()))
        try:
            yield store
        finally:
            store.close()

    def actor(self, reason: str | None) -> "Actor":
        """Whoever typed the command, for the trail."""
        from orpheus.shared.operations.audit import Actor  # noqa: PLC0415 - the database, not for --help

        return Actor(f"cli:{getpass.getuser()}", reason)


class Text(click.ParamType[str]):
    """Text that the database can hold: arguments may be any bytes but NUL."""

    name = "text"

    def __init__(self, longest: int | None = None) -> None:
        self._longest = longest

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text. Raises BadParameter unless it is UTF-8 of 1 to `longest` characters."""
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
    "--reason", type=Text(1_000), metavar="TEXT", help="Why; it stands in GET /audit."
)


def for_operator(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command `--config`, `--set` and `--json`, and hand it the Operator they make.

    The first two may stand before the command's name or after it.
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


def job_defaults(settings: "Settings") -> "JobDefaults":
    """What [jobs] says for types without defaults of their own."""
    from orpheus.shared.domain.handover import JobDefaults  # noqa: PLC0415

    return JobDefaults(settings.jobs.max_retries, settings.jobs.timeout)
