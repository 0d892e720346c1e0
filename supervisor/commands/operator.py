"""What every command starts from: its options, the settings they lead to, the database."""

import contextlib
import functools
import gc
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from config.options import config_options

if TYPE_CHECKING:
    from config.settings import Settings
    from shared.storage import Store
    from shared.validation import JobDefaults


@dataclass(frozen=True, slots=True)
class Operator:
    """Whoever typed the command, and the options that all commands share."""

    config: Path | None
    sets: tuple[str, ...]
    as_json: bool

    def settings(self) -> "Settings":
        """The configuration the options lead to. Raises ConfigurationError."""
        from config.settings import load_settings  # noqa: PLC0415 - 150 ms that --help need not pay

        return load_settings(self.config, self.sets, os.environ)

    @contextlib.contextmanager
    def store(self, settings: "Settings | None" = None) -> "Iterator[Store]":
        """The database, opened for a while; never created. Raises DatabaseUnusable."""
        from config.settings import for_storage  # noqa: PLC0415
        from shared.storage import open_storage  # noqa: PLC0415

        gc.enable()  # everything is imported; see supervisor/__main__.py
        store = open_storage(for_storage(settings or self.settings()))
        try:
            yield store
        finally:
            store.close()


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
    from shared.validation import JobDefaults  # noqa: PLC0415

    return JobDefaults(settings.jobs.max_retries, settings.jobs.timeout)
