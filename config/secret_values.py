"""Find the values of a configuration that are not shown over HTTP. Pure.

They are everything in an `env`, wherever it is, the URL of a database that has a password, the URL
of a program's check that has a query, where tokens are, the webhook and the payload of an alert,
which may have tokens in them, too, and everything that the settings do not know: a mistyped `enw`
has the same secrets in it. Keys are shown, so that a problem can name them.

One kind of unknown value is shown: that of a mistyped key that can only mean a plain setting, if it
fits that setting, as `max_retires = 4`. Otherwise nobody could mend it over HTTP.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from functools import lru_cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec.structs import replace
from pydantic import TypeAdapter, ValidationError

from orpheus.config.problems import KeyPath, meant_key, table_in
from orpheus.config.settings import Alert, Alive, Database, Outbox, Ready, Settings
from orpheus.config.values import Cron, Rate, Timezone
from orpheus.shared.operations.configuration import MASK

if TYPE_CHECKING:
    from pydantic import BaseModel


_SECRETS = ((Alert, "webhook"), (Alert, "payload"))
_URLS = (
    (Outbox, "url"),
    (Database, "url"),
    (Database, "listen_url"),
    (Ready, "http"),
    (Alive, "http"),
)
_PLAIN = (bool, int, float, NoneType, Cron, Rate, Timezone)
"""Kinds of values that cannot be a secret. All other text can."""
_LIKENESS = 0.8
"""A key so similar to a setting's can only mean that one: `nonce` is no mistyped `done`."""


class Secret(msgspec.Struct, frozen=True):
    """The value `table[key]`. `path` has the names of list items in place of their index."""

    table: MutableMapping[str, Any]
    key: str
    path: KeyPath

    def is_masked(self) -> bool:
        """Return whether its value is a mask."""
        value = self.table[self.key]
        return isinstance(value, str) and MASK in value


class _Expected(msgspec.Struct, frozen=True):
    """What the settings have at a path: a table (None: anything), or several by name or index."""

    table: "type[BaseModel] | None" = None
    several: bool = False
    is_value: bool = False
    """No table of any kind belongs here."""
    is_secret: bool = False
    is_url: bool = False
    """A password or a token may be in it."""

    def below(self, key: str) -> "_Expected":
        if self.several:
            return _Expected(self.table)
        if self.is_secret or self.is_value or key == "env" or (self.table, key) in _SECRETS:
            return _Expected(is_secret=True)
        if self.table is None:
            return self
        field = self.table.model_fields.get(key)
        if field is None:
            return _Expected(is_secret=True)
        table, several = table_in(field.annotation)
        is_value = table is None and get_origin(field.annotation) is not dict
        return _Expected(table, several, is_value, is_url=(self.table, key) in _URLS)


def secrets_in(tables: MutableMapping[str, Any]) -> Iterator[Secret]:
    """Yield every secret of a parsed TOML text; where a table belongs, any other value is one."""
    yield from _in_table(tables, _Expected(Settings), ())


def differing_secrets(
    one: MutableMapping[str, Any], other: MutableMapping[str, Any]
) -> list[KeyPath]:
    """Return the paths at which both have a secret, and not the same."""
    values = {secret.path: secret.table[secret.key] for secret in secrets_in(one)}
    return [
        secret.path
        for secret in secrets_in(other)
        if secret.path in values and values[secret.path] != secret.table[secret.key]
    ]


def _in_table(
    table: MutableMapping[str, Any], expected: _Expected, path: KeyPath
) -> Iterator[Secret]:
    for key in list(table):
        value, below, here = table[key], expected.below(key), (*path, str(key))
        if isinstance(value, MutableMapping):
            yield from _in_table(value, below, here)
        elif isinstance(value, list) and value and all(isinstance(v, Mapping) for v in value):
            item = replace(below, several=False)
            for index, one in enumerate(value):
                # The name of something unknown is masked itself.
                name = index if below.is_secret else str(one.get("name", index))
                yield from _in_table(one, item, (*here, name))
        elif value is None or (value == [] and not below.is_secret):  # nothing is set
            continue
        elif (
            below.table is not None
            or (below.is_secret and not _is_mistyped(expected, here, value))
            or (below.is_url and _may_tell(value))
        ):
            yield Secret(table, key, here)


def _may_tell(url: object) -> bool:
    """Return whether there may be a password in the URL of a database, or a token in another."""
    text = str(url)
    user = text.partition("://")[2].rpartition("@")[0]
    if text.startswith("sqlite:///"):
        return False
    if "?" in text and not text.startswith("postgresql://"):
        return True
    return MASK in text or ":" in user or "password" in text.lower()


def _is_mistyped(expected: _Expected, path: KeyPath, value: object) -> bool:
    """Return whether the value of an unknown key can only be meant for a plain setting.

    A table that has secrets of any kind shows nothing that is unknown.
    """
    if expected.table is None or expected.several or path[-1] == "env":
        return False
    if not isinstance(value, bool | int | float | str) or _has_secrets(expected.table):
        return False
    meant = meant_key(path, Settings, _LIKENESS)
    if meant is None:
        return False
    owner = _Expected(Settings)
    for step in meant[:-1]:
        owner = owner.below(str(step))
    if owner.table is None or _has_secrets(owner.table):
        return False
    plain = _plain_values(owner.table, str(meant[-1]))
    try:
        return plain is not None and plain.validate_python(value) is not None
    except ValidationError:
        return False


def _has_secrets(table: "type[BaseModel]") -> bool:
    return "env" in table.model_fields or any(table is one for one, _ in (*_SECRETS, *_URLS))


@lru_cache(maxsize=256)
def _plain_values(table: "type[BaseModel]", key: str) -> TypeAdapter[Any] | None:
    """Return what checks the values of a setting; None if one of them could be a secret."""
    field = table.model_fields.get(key)
    annotation: Any = None if field is None else field.rebuild_annotation()
    return TypeAdapter(annotation) if field is not None and _is_plain(annotation) else None


def _is_plain(kind: Any) -> bool:
    if kind in _PLAIN or get_origin(kind) is Literal:
        return True
    if get_origin(kind) is Annotated:
        return _is_plain(get_args(kind)[0])
    return get_origin(kind) in (Union, UnionType) and all(map(_is_plain, get_args(kind)))
