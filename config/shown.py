"""Show settings with their secrets masked.

Secrets are everything in an `env`, the URL of a database that has a password, the URL of a check
that has a query, the webhook and the payload of an alert, what `[privacy] hide` names in the
payload of a schedule, and everything that the settings do not know: a mistyped `enw` has the same
secrets in it. Keys are shown, so that a problem can name them.
"""

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, get_origin

from msgspec import Struct

from orpheus.config.problems import KeyPath, dotted, table_in
from orpheus.config.settings import Alert, Alive, Database, Outbox, Ready, Settings
from orpheus.config.sources import leaves
from orpheus.shared.domain.hidden import MASK, Path, below, rules_of
from orpheus.shared.messages.configuration import Setting

if TYPE_CHECKING:
    from pydantic import BaseModel

DEFAULT = "default"
_SECRETS = ((Alert, "webhook"), (Alert, "payload"))
_URLS = (
    (Outbox, "url"),
    (Database, "url"),
    (Database, "listen_url"),
    (Ready, "http"),
    (Alive, "http"),
)


class Secret(Struct, frozen=True):
    """The value `table[key]`. `path` has the names of list items in place of their indexes."""

    table: MutableMapping[str, Any]
    key: str
    path: KeyPath

    def is_masked(self) -> bool:
        """Return whether its value is a mask."""
        value = self.table[self.key]
        return isinstance(value, str) and MASK in value


def secrets_in(tables: MutableMapping[str, Any], also: Sequence[Path] = ()) -> Iterator[Secret]:
    """Yield every secret of a parsed TOML text. `also`: hidden paths that it need not name."""
    yield from _in_table(tables, Settings, ())
    schedules, paths = tables.get("schedules"), [*hidden_paths(tables), *also]
    for schedule in schedules if schedules and _is_list_of_tables(schedules) else ():
        path = ("schedules", str(schedule.get("name")), "payload")
        yield from _hidden_in(schedule.get("payload"), paths, path)


def hidden_paths(tables: Mapping[str, Any]) -> Sequence[Path]:
    """Return the paths of payloads in `[privacy] hide`; none if it is not valid."""
    try:
        return rules_of(" ".join(tables["privacy"]["hide"])).payload
    except (LookupError, ValueError, TypeError):
        return ()


def _hidden_in(payload: Any, paths: Sequence[Path], path: KeyPath) -> Iterator[Secret]:
    keys: Iterable[Any] = ()
    if isinstance(payload, MutableMapping):
        keys = list(payload)
    elif isinstance(payload, list):
        keys = range(len(payload))
    for key in keys:
        inside, here = below(paths, str(key)), (*path, str(key))
        if () in inside:
            yield from _all_of(payload, key, here)
        else:
            yield from _hidden_in(payload[key], inside, here)


def _in_table(
    table: MutableMapping[str, Any], model: "type[BaseModel]", path: KeyPath
) -> Iterator[Secret]:
    for key in list(table):
        value, here = table[key], (*path, str(key))
        field = model.model_fields.get(key)
        if field is None or key == "env" or (model, key) in _SECRETS:
            yield from _all_of(table, key, here)
            continue
        inner, several = table_in(field.annotation)
        if inner is None:  # a plain setting
            has_password = (model, key) in _URLS and may_have_password(value)
            is_misplaced = isinstance(value, Mapping) and get_origin(field.annotation) is not dict
            if value is not None and (has_password or is_misplaced):
                yield from _all_of(table, key, here)
            else:
                yield from _envs_in(value, here)
        elif isinstance(value, MutableMapping):
            yield from _in_tables(value, inner, here) if several else _in_table(value, inner, here)
        elif _is_list_of_tables(value):
            for index, item in enumerate(value):
                yield from _in_table(item, inner, (*here, str(item.get("name", index))))
        elif value not in (None, []):  # a value where a table belongs
            yield Secret(table, key, here)


def _in_tables(
    tables: MutableMapping[str, Any], model: "type[BaseModel]", path: KeyPath
) -> Iterator[Secret]:
    """Yield the secrets of tables with names of their own, such as `[pools.NAME]`."""
    for name in list(tables):
        if isinstance(tables[name], MutableMapping):
            yield from _in_table(tables[name], model, (*path, str(name)))
        else:
            yield from _all_of(tables, name, (*path, str(name)))


def _envs_in(value: Any, path: KeyPath) -> Iterator[Secret]:
    """Yield what is in an `env` anywhere in a payload."""
    if isinstance(value, MutableMapping):
        for key in list(value):
            if key == "env":
                yield from _all_of(value, key, (*path, key))
            else:
                yield from _envs_in(value[key], (*path, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _envs_in(item, (*path, index))


def _all_of(table: MutableMapping[str, Any], key: str, path: KeyPath) -> Iterator[Secret]:
    """Yield everything at `key` that is not a table."""
    value = table[key]
    if isinstance(value, MutableMapping):
        for name in list(value):
            yield from _all_of(value, name, (*path, str(name)))
    elif _is_list_of_tables(value):
        for index, item in enumerate(value):
            for name in list(item):
                yield from _all_of(item, name, (*path, index, str(name)))
    elif value is not None:
        yield Secret(table, key, path)


def _is_list_of_tables(value: object) -> bool:
    is_list = isinstance(value, list) and len(value) > 0
    return is_list and all(isinstance(item, MutableMapping) for item in value)  # type: ignore[attr-defined]


def may_have_password(url: object) -> bool:
    """Return whether there may be a password in the URL of a database, or a token in another."""
    text = str(url)
    user = text.partition("://")[2].rpartition("@")[0]
    if text.startswith("sqlite:///"):
        return False
    if "?" in text and not text.startswith("postgresql://"):
        return True
    return MASK in text or ":" in user or "password" in text.lower()


def shown_values(settings: Settings) -> dict[str, Any]:
    """Return every table as JSON, its secrets masked."""
    values = settings.model_dump(mode="json")
    for secret in secrets_in(values):
        secret.table[secret.key] = MASK
    return values


def shown_settings(settings: Settings) -> list[Setting]:
    """Return every setting with what set it, in the order of the tables."""

    def origin(path: KeyPath) -> str:
        return settings.sources.origin_with_line(path) or DEFAULT

    return [
        Setting(
            dotted(path),
            value,
            origin(path),
            tuple(
                origin((*path, index))
                for index in range(len(value) if _is_list_of_tables(value) else 0)
            ),
        )
        for path, value in leaves(shown_values(settings))
    ]
