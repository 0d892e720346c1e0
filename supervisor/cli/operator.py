"""What every command starts from: its options, the settings, the database and who types it.

The models of the settings are imported when they are needed, which is seldom (config/known.py).
"""

import contextlib
import functools
import gc
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from orpheus.config.handovers import for_command_line
from orpheus.config.known import known_handover, named_database
from orpheus.config.options import config_options
from orpheus.config.sources import NO_DATABASE, read_sources
from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.domain.limits import LARGEST_ID, LONGEST_REASON
from orpheus.shared.errors import ConfigurationError, DatabaseMissing
from orpheus.shared.storage import (
    Actor,
    Store,
    local_actor,
    locked_file,
    open_storage,
    relative_path,
    state_files,
)
from orpheus.supervisor.cli.given import as_called, errors_as_called, given_to
from orpheus.supervisor.cli.output import print_json, warn

if TYPE_CHECKING:
    from orpheus.config.running_settings import RunningSettings
    from orpheus.config.settings import Database, Settings


class Operator(msgspec.Struct, frozen=True):
    """The person who typed the command, and the options that all commands share."""

    config: Path | None
    sets: tuple[str, ...]
    as_json: bool

    def handover(self, *, certain: bool = False) -> CommandLineHandover:
        """Return what commands need of `settings`, which says what `certain` means."""
        return self._known() or for_command_line(self.settings(certain=certain))

    def checked_settings(self) -> "Settings":
        """Load the configuration. Raises ConfigurationError if it is wrong, whatever runs."""
        from orpheus.config.load import load_settings  # noqa: PLC0415 - see above

        return load_settings(self.config, self.sets, os.environ)

    def _known(self) -> CommandLineHandover | None:
        """Return what the running supervisor has stored for commands with the same sources."""
        try:
            sources = read_sources(self.config, self.sets, os.environ)
            database = named_database(sources)
            return database and known_handover(state_files(*database).running_settings, sources)
        except (ConfigurationError, OSError, ValueError):  # the full check says what is wrong
            return None

    def settings(self, *, certain: bool = False) -> "Settings":
        """Load the configuration; if it is wrong, warn, and use that of the running supervisor.

        If none runs, each wrong setting has its default; `certain` is for a command that could do
        harm by that. Raises ConfigurationError then, and if it is not known which database is
        meant.
        """
        from orpheus.config.load import load_for_database  # noqa: PLC0415 - see above

        try:
            settings, problems = load_for_database(self.config, self.sets, os.environ)
        except ConfigurationError as error:
            running = self.settings_that_run()
            if running is None:
                raise
            self._warn(str(error).splitlines()[:-1], runs=True)
            return running
        if not problems:
            return self._beside_empty_file(settings) or settings
        running = self.settings_that_run() if self._guesses() else self._running_on(settings)
        if running is None and certain:
            raise ConfigurationError(*problems)
        self._warn(problems, runs=running is not None)
        return running or settings

    def settings_that_run(self) -> "Settings | None":
        """Return the settings of the supervisor that was started with this file.

        None if no supervisor or several were, or if the URL of the database has a password.
        """
        from orpheus.config.running_settings import running_settings_of  # noqa: PLC0415 - see above

        return self._with_options(running_settings_of(self.config, os.environ))

    def _beside_empty_file(self, settings: "Settings") -> "Settings | None":
        """Return the settings of the supervisor that was started with a file that is empty now.

        That supervisor does not take it (`emptied` in config/changes.py). None if its file was
        empty before, or if no such supervisor runs. Its versions are beside the database that it
        runs on, which an option of this command does not change.
        """
        if settings.source is None or settings.source_text.strip():
            return None
        from orpheus.config.editing.earlier import Earlier  # noqa: PLC0415 - see above
        from orpheus.config.running_settings import running_settings_of  # noqa: PLC0415 - see above

        kept = running_settings_of(self.config, os.environ)
        running = self._with_options(kept)
        if kept is None or running is None:
            return None
        state_dir = kept.tables["database"].get("state_dir", "")
        state = state_files(kept.url or running.database.url, state_dir)
        taken = Earlier(settings.source, state).in_force()
        if taken is None:  # it is not known what the file held
            return running
        if not taken.text.strip():
            return None
        self._warn([f"{settings.source} is empty"], runs=True)
        return running

    def _guesses(self) -> bool:
        """Return whether the file is no valid TOML, so the default database is only a guess."""
        sources = read_sources(self.config, self.sets, os.environ)
        by_file = (None, str(sources.file))
        return sources.guesses_database and sources.origin(("database", "url")) in by_file

    def _running_on(self, settings: "Settings") -> "Settings | None":
        """Return the settings of the supervisor that runs on the database of `settings`.

        The supervisor that holds the lock of its folder may run on another SQLite file there.
        """
        from orpheus.config.running_settings import running_settings_at  # noqa: PLC0415 - see above

        named = settings.database
        path = state_files(named.url, named.state_dir).running_settings
        owner = path.parent  # its owner can replace the database itself
        kept = running_settings_at(path, of_owner=owner)
        if kept is not None and locked_file(kept.url or named.url) != locked_file(named.url):
            return None
        return self._with_options(kept, named)

    def _with_options(
        self, kept: "RunningSettings | None", named: "Database | None" = None
    ) -> "Settings | None":
        """Return the settings with the options of this command; None if those are wrong."""
        from orpheus.config.running_settings import load_running_settings  # noqa: PLC0415 - see above

        if kept is None:
            return None
        try:
            return load_running_settings(kept, self.sets, os.environ, named)
        except ConfigurationError:
            return None

    @staticmethod
    def _warn(problems: Sequence[str], *, runs: bool) -> None:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        goes_on = "; the running Orpheus keeps its earlier settings" if runs else ""
        advice = f"see {as_called('orpheus config check')}"
        warn(f"{problems[0]}{more}{goes_on} ({advice})")

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
    def opened(self, *, certain: bool = False) -> Iterator[tuple[Store, CommandLineHandover]]:
        """Open the database for a while, and give the settings that were used beside it."""
        handover = self.handover(certain=certain)
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

    def actor(self, reason: str | None, *, may_guess: bool = False) -> Actor:
        """Return who acts and why, for the audit log.

        Raises ConfigurationError if the file leaves open which database; not if it `may_guess`.
        """
        if not may_guess and self._guesses() and self.settings_that_run() is None:
            raise ConfigurationError(NO_DATABASE)
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
