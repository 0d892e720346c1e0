"""Where a database is, and where this host has its files of it, from a URL.

Nothing returned here contains the password of a PostgreSQL database.
"""

import os
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

from msgspec.structs import replace

from orpheus.shared.domain.handover import StorageSettings
from orpheus.shared.errors import ConfigurationError
from orpheus.shared.process.files import refuse_link
from orpheus.shared.process.state_files import LOCK_NAME, StateFiles, prefix_in

_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")
_STATE_DIR = "data"
"""The folder of these files, for a database that has no folder itself."""


def is_on_postgres(url: str) -> bool:
    """Return whether the URL names a database on PostgreSQL, which many hosts may use."""
    return url.startswith(_POSTGRES)


def database_path(url: str) -> Path:
    """Return the file that a `sqlite:///…` URL names, as an absolute path without symbolic links.

    SQLite keeps its log and its locks beside the file itself: whoever names it otherwise must find
    them. Raises ConfigurationError for any other URL.
    """
    return Path(os.path.realpath(_named_file(url)))


def relative_path(url: str) -> str | None:
    """Return the path of a SQLite file that is taken from the current folder; else None."""
    path = url.removeprefix(_SQLITE)
    return None if path == url or Path(path).is_absolute() else path


def locked_file(url: str) -> Path | None:
    """Return the file that one process at a time locks for writing; None on PostgreSQL."""
    return None if is_on_postgres(url) else database_path(url)


def shown_url(url: str) -> str:
    """Return the URL as it may be shown, and used where the password comes from elsewhere."""
    if not is_on_postgres(url):
        return url
    parts = urlsplit(url)
    said = parse_qs(parts.query).get("user", [parts.netloc.rpartition("@")[0].partition(":")[0]])
    user = quote(unquote(said[-1]))
    return f"postgresql://{user}{'@' if user else ''}{_address_of(url)}"


def whole_url(url: str) -> str:
    """Return the URL to show, with the whole path of a SQLite file: the reader may be elsewhere."""
    return shown_url(url) if relative_path(url) is None else f"{_SQLITE}{database_path(url)}"


def state_files(url: str, state_dir: str = "") -> StateFiles:
    """Return where this host has its files of the database that `url` names.

    Those of a SQLite file are beside it without a `state_dir`, so all that open it find the same.
    The lock always is: supervisors with different folders must exclude each other. On PostgreSQL
    they need not: supervisors with different folders are as those of different hosts.
    """
    if is_on_postgres(url):
        address, folder = _address_of(url), Path(os.path.realpath(state_dir or _STATE_DIR))
        prefix = prefix_in(folder, address, address.rpartition("/")[2])
        database = f"postgresql://{address}, state_dir {folder}"
        return StateFiles(database, prefix, Path(f"{prefix}-{LOCK_NAME}"))
    path = database_path(url)
    prefix = str(path)
    if state_dir:
        prefix = prefix_in(Path(os.path.realpath(state_dir)), prefix, path.name)
    return StateFiles(str(path), prefix, path.parent / LOCK_NAME)


def with_absolute_paths(settings: StorageSettings) -> StorageSettings:
    """Return settings of the same files, whatever becomes of links and the current directory."""
    url, state_dir = _absolute(settings.url, settings.state_dir)
    return replace(settings, url=url, state_dir=state_dir)


def settled(settings: StorageSettings) -> StorageSettings:
    """Return the settings `with_absolute_paths`, for a program that makes files there.

    Raises DatabaseUnusable if a folder is a symbolic link: somebody else may have made that.
    """
    url, state_dir = settled_paths(settings.url, settings.state_dir)
    return replace(settings, url=url, state_dir=state_dir)


def settled_paths(url: str, state_dir: str) -> tuple[str, str]:
    """Return both as `settled` does. Raises DatabaseUnusable."""
    refuse_links(url, state_dir)
    return _absolute(url, state_dir)


def refuse_links(url: str, state_dir: str) -> None:
    """Raise DatabaseUnusable if a folder is a symbolic link: somebody else may have made that."""
    if is_on_postgres(url):
        state_dir = state_dir or _STATE_DIR
    else:
        refuse_link(_named_file(url).parent)
    if state_dir:
        refuse_link(Path(state_dir))


def _absolute(url: str, state_dir: str) -> tuple[str, str]:
    if is_on_postgres(url):
        return url, os.path.realpath(state_dir or _STATE_DIR)
    return f"{_SQLITE}{database_path(url)}", state_dir and os.path.realpath(state_dir)


def _named_file(url: str) -> Path:
    if not url.startswith(_SQLITE) or len(url) == len(_SQLITE):
        raise ConfigurationError(
            f"database.url: {url.partition(':')[0]!r} is not a supported database; use "
            "sqlite:///FILE (relative), sqlite:////FILE or postgresql://USER@HOST/DATABASE"
        )
    return Path(url.removeprefix(_SQLITE)).absolute()


def _address_of(url: str) -> str:
    """Return `HOST:PORT/DATABASE` of a URL, whoever connects: the same for all programs."""
    parts = urlsplit(url)
    said = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    server = said.get("host") or said.get("hostaddr") or unquote(parts.netloc.rpartition("@")[2])
    port, service = said.get("port"), said.get("service")
    database = said.get("dbname") or unquote(parts.path.removeprefix("/"))
    return f"{server or service or 'localhost'}{f':{port}' if port else ''}/{database}"
