"""What a client on the database needs of the configuration. Imports pydantic, so only when used."""

import logging
import os
from functools import lru_cache
from pathlib import Path

import msgspec

from orpheus.config.handovers import for_jobs, for_storage
from orpheus.config.load import load_for_database
from orpheus.config.regular_file import state_of
from orpheus.config.sources import PREFIX, config_file
from orpheus.shared.domain.handover import JobDefaults, StorageSettings
from orpheus.shared.storage import with_absolute_paths

_log = logging.getLogger("orpheus.client")


class DatabaseSettings(msgspec.Struct, frozen=True):
    """Where the database is, and limits and defaults for jobs submitted to it; sizes in bytes."""

    storage: StorageSettings
    defaults: JobDefaults
    max_body_bytes: int
    max_batch_body_bytes: int


def kept_settings(config: str | os.PathLike[str] | None) -> DatabaseSettings:
    """Return `database_settings`, kept until the file or the environment changes.

    An application makes a client for each of its transactions, and reading the file takes 3 ms.
    """
    file = config_file(None if config is None else Path(config), os.environ).absolute()
    environment = frozenset(one for one in os.environ.items() if one[0].startswith(PREFIX))
    return _kept(None if config is None else str(config), file, state_of(file), environment)


@lru_cache(maxsize=8)
def _kept(config: str | None, *_: object) -> DatabaseSettings:
    return database_settings(config)


def database_settings(config: str | os.PathLike[str] | None) -> DatabaseSettings:
    """Return the settings of the file; None: of the one that commands find.

    A problem elsewhere in the configuration is logged as a warning, and its setting has the
    default. Raises ConfigurationError if it is not known which database is meant.
    """
    path = None if config is None else Path(config)
    settings, problems = load_for_database(path, (), os.environ)
    for problem in problems:
        _log.warning("%s", problem)
    storage = for_storage(settings)
    # Absolute: the application may change its directory before the database is opened.
    return DatabaseSettings(
        with_absolute_paths(storage),
        for_jobs(settings),
        settings.api.max_body,
        settings.api.max_batch_body,
    )
