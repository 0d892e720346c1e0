"""Find the settings that name code, those of them that an edit changes, and other secrets. Pure.

They cannot be changed over HTTP: config/editing/file.py says why.
"""

import tomllib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from orpheus.config.problems import KeyPath
from orpheus.config.secret_values import secrets_in
from orpheus.config.settings import Settings
from orpheus.config.toml_text import read_toml

_CODE, _DATABASE = "names code", "names a database"
NAMING_CODE: Mapping[KeyPath, str] = {
    ("jobs", "modules"): _CODE,
    ("jobs", "around"): _CODE,
    ("commands",): _CODE,
    ("programs",): _CODE,
    ("outboxes",): _DATABASE,
    ("database", "url"): _DATABASE,
    ("database", "state_dir"): "names the folder of its own files",
    ("database", "listen_url"): _DATABASE,
    ("api", "token_file"): "names a file with a secret",
}
"""The keys, each with what it does."""
_ONLY_OF_FILE: KeyPath = ("api", "token_file")
"""What it names runs nothing, and whoever has an old token must not be able to bring it back."""
_DEFAULTS = Settings().model_dump(mode="json")


def changed_code(
    text: str,
    runs: str | None,
    new: str,
    secrets: Collection[KeyPath],
    fixed: Collection[KeyPath],
) -> list[KeyPath]:
    """Return the `fixed` keys that have another value in `text` than in `new`.

    Empty if `new` is not TOML. `runs`: a text whose code may come back; None: there is none.
    """
    after = tables_of(new)
    if after is None:
        return []
    before = tables_of(text)
    running = before if runs is None else tables_of(runs)
    return [
        key
        for key in fixed
        if (
            _value_at(after, key) != _value_at(before, key)
            and (key == _ONLY_OF_FILE or _value_at(after, key) != _value_at(running, key))
        )
        or any(is_below(one, [key]) for one in secrets)
    ]


def why_fixed(key: KeyPath, secrets: Iterable[KeyPath], version: int | None) -> str:
    """Return why a changed key cannot be, and what to do instead.

    `secrets`: what the edit writes out. `version`: the one to go back to.
    """
    instead = "change it in the file on the machine"
    if version is not None:
        instead = f"go back on the machine, by orpheus config rollback {version}"
    why = f"cannot be changed here, as it {NAMING_CODE[key]}: {instead}"
    if any(is_below(one, [key]) for one in secrets):
        why += " (a secret that is written out is a change: put its mask back)"
    return why


def is_below(path: KeyPath, keys: Iterable[KeyPath]) -> bool:
    """Return whether the path is at one of the keys, or below it."""
    return any(path[: len(key)] == key for key in keys)


def secret_tables(text: str) -> tuple[str, ...]:
    """Return the tables of a text with secrets that name no code, so that anybody may change them.

    To compare them would tell a caller who guesses such a secret whether a version has the same.
    """
    paths = [secret.path for secret in secrets_in(tables_of(text) or {})]
    return tuple(sorted({str(one[0]) for one in paths if not is_below(one, NAMING_CODE)}))


def tables_of(text: str) -> Any:
    """Return the tables of a text; None if it is not TOML."""
    try:
        return read_toml(text)
    except tomllib.TOMLDecodeError:
        return None


def is_toml(text: str) -> bool:
    """Return whether a text is TOML."""
    return tables_of(text) is not None


def _value_at(tables: Any, key: KeyPath) -> Any:
    """Return the value at `key`, or its default."""
    value: Any = tables
    default: Any = _DEFAULTS
    for step in key:
        default = default[step]
        if not isinstance(value, Mapping):
            return value
        value = value.get(str(step), default)
    return value
