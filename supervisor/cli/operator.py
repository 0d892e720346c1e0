"""What every command starts from: its options, the settings, the database and who types it.

The models of the settings are imported when they are needed, which is seldom (config/effective.py).
"""

import contextlib
import functools
import gc
import os
import re
from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from orpheus.config.effective import command_settings
from orpheus.config.options import config_options
from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.domain.limits import LARGEST_ID, LONGEST_REASON
from orpheus.shared.durations import moment_ms, parse_moment
from orpheus.shared.moments import parse_time_ms
from orpheus.shared.storage import (
    Actor,
    Store,
    local_actor,
    open_storage,
)
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
            advice = "using the settings of the running Orpheus (see `orpheus config check`)"
            warn(f"{problems[0]}{more}; {advice}")
        return handover

    def settings(self) -> "Settings":
        """Load the configuration. Raises ConfigurationError if it is wrong, whatever runs."""
        from orpheus.config.load import load_settings  # noqa: PLC0415 - imports pydantic

        return load_settings(self.config, self.sets, os.environ)

    @contextlib.contextmanager
    def store(self, handover: CommandLineHandover | None = None) -> Iterator[Store]:
        """Open the database for a while; it is never created. Raises DatabaseUnusable."""
        gc.enable()  # everything is imported by now; supervisor/__main__.py switched it off
        with contextlib.closing(open_storage((handover or self.handover()).storage)) as store:
            yield store

    @contextlib.contextmanager
    def opened(self) -> Iterator[tuple[Store, CommandLineHandover]]:
        """Open the database for a while, and give the settings that were used beside it."""
        handover = self.handover()
        with self.store(handover) as store:
            yield store, handover

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


def given_to(context: click.Context) -> tuple[Path | None, tuple[str, ...], bool]:
    """Return `--config`, every `--set` and `--json` of a command and of what stands before it.

    The last `--config` counts, and each `--set` in its order.
    """
    at: click.Context | None = context
    options: list[dict[str, Any]] = []
    while at is not None:
        options.insert(0, at.params)
        at = at.parent
    configs = [given["config"] for given in options if given.get("config")]
    sets = tuple(text for given in options for text in given.get("sets") or ())
    return configs[-1] if configs else None, sets, any(given.get("as_json") for given in options)


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


class Moment(click.ParamType[int]):
    """A time in milliseconds, written in the zone of this computer."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the time. Raises BadParameter."""
        now, text = datetime.now().astimezone(), str(value).strip()
        midnight = datetime.combine(now.date(), time())
        try:
            if text in _DAYS_AGO:
                at = midnight - timedelta(days=_DAYS_AGO[text])
            elif _CLOCK.fullmatch(text):
                at = datetime.combine(now.date(), time.fromisoformat(text))
                at -= timedelta(days=at.astimezone() > now)
            else:
                at = datetime.fromisoformat(text)
            return parse_time_ms(at.astimezone())
        except ValueError:
            pass
        try:
            return moment_ms(parse_moment(text), round(now.timestamp() * 1000))
        except ValueError:
            self.fail(
                f"{text!r} is not a time. Use 15m, 14:02, yesterday, 2026-12-01 or "
                "2026-12-01T14:02:00Z",
                param,
                ctx,
            )


_DAYS_AGO = {"today": 0, "yesterday": 1}
_CLOCK = re.compile(r"\d\d:\d\d(:\d\d)?")

JobId = click.IntRange(1, LARGEST_ID)

with_reason = click.option(
    "--reason",
    type=Text(LONGEST_REASON),
    metavar="TEXT",
    help="Why; recorded in the audit log.",
)
on_host = click.option(
    "--host", type=Text(), metavar="HOST", help="The host, if there are several."
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
        return command(Operator(*given_to(click.get_current_context())), **options)

    return with_operator
