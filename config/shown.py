"""List the settings, each with what set it; secrets are masked."""

from collections.abc import Iterator, Mapping
from typing import Any

from orpheus.config.problems import dotted
from orpheus.config.secret_values import secrets_in
from orpheus.config.settings import Settings
from orpheus.config.sources import Sources
from orpheus.shared.operations.configuration import MASK, Setting

DEFAULT = "default"


def shown_values(settings: Settings) -> dict[str, Any]:
    """Return every table as JSON, its secrets masked."""
    values = settings.model_dump(mode="json")
    for secret in secrets_in(values):
        secret.table[secret.key] = MASK
    return values


def shown_settings(settings: Settings, sources: Sources) -> list[Setting]:
    """Return every setting, in the order of the tables."""
    values = shown_values(settings)
    del values["source"]
    return [
        Setting(dotted(path), value, sources.origin_with_line(path) or DEFAULT)
        for path, value in _leaves(values)
    ]


def _leaves(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[Any, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value
