"""What a client on the database needs of the configuration."""

import logging
import os
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from orpheus.config.effective import command_settings
from orpheus.config.files import state_of
from orpheus.config.sources import PREFIX, config_file
from orpheus.shared.domain.handover import JobDefaults, StorageSettings
from orpheus.shared.storage import with_absolute_paths

_log = logging.getLogger("orpheus.client")


class DatabaseSettings(Struct, frozen=True):
    """Where the database is, and limits and defaults for jobs submitted to it."""

    storage: StorageSettings
    defaults: JobDefaults
    max_body_bytes: int
    max_batch_body_bytes: int
    beat_timeout_s: float
    waits_long_s: float


def kept_settings(config: str | os.PathLike[str] | None) -> DatabaseSettings:
    """Return `database_settings`, kept until the file or the environment changes.

    An application makes a client for each of its transactions, and reading the file takes 3 ms.
    """
    file = config_file(None if config is None else Path(config), os.environ).absolute()
    environment = frozenset(
        variable for variable in os.environ.items() if variable[0].startswith(PREFIX)
    )
    return _kept(None if config is None else str(config), file, state_of(file), environment)


@lru_cache(maxsize=8)
def _kept(config: str | None, *_: object) -> DatabaseSettings:
    return database_settings(config)


def database_settings(config: str | os.PathLike[str] | None) -> DatabaseSettings:
    """Return the settings of the file; None: of the default file of commands.

    If it has a problem, that is logged, and the settings of the running supervisor are used.
    Raises ConfigurationError if none runs.
    """
    path = None if config is None else Path(config)
    handover, problems = command_settings(path, (), os.environ)
    for problem in problems:
        _log.warning("%s", problem)
    # Absolute: the application may change its directory before the database is opened.
    return DatabaseSettings(
        with_absolute_paths(handover.storage),
        handover.defaults,
        handover.max_body_bytes,
        handover.max_batch_body_bytes,
        handover.beat_timeout_s,
        handover.waits_long_s,
    )
