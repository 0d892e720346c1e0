"""List the settings, each with what set it; secrets are masked."""

from collections.abc import Mapping
from typing import Any

from orpheus.config.problems import KeyPath, dotted
from orpheus.config.secret_values import secrets_in
from orpheus.config.settings import Settings
from orpheus.config.sources import Sources, leaves
from orpheus.config.values import AS_WRITTEN
from orpheus.shared.operations.configuration import MASK, Setting

DEFAULT = "default"


def shown_values(settings: Settings, *, as_written: bool = False) -> dict[str, Any]:
    """Return every table as JSON, its secrets masked.

    `as_written`: durations and sizes as they stand in the file, such as `"100ms"`.
    """
    values = settings.model_dump(mode="json", context=AS_WRITTEN if as_written else None)
    for secret in secrets_in(values):
        secret.table[secret.key] = MASK
    return values


def shown_settings(settings: Settings, sources: Sources) -> list[Setting]:
    """Return every setting, in the order of the tables."""
    tables = [shown_values(settings, as_written=as_written) for as_written in (False, True)]
    for values in tables:
        del values["source"]

    def origin(path: KeyPath) -> str:
        return sources.origin_with_line(path) or DEFAULT

    return [
        Setting(
            dotted(path),
            value,
            written,
            origin(path),
            tuple(origin((*path, index)) for index in range(_tables_in(value))),
        )
        for (path, value), (_, written) in zip(*map(leaves, tables), strict=True)
    ]


def _tables_in(value: Any) -> int:
    """Return how many tables a list of tables has; 0 for any other value."""
    is_list = isinstance(value, list) and all(isinstance(one, Mapping) for one in value)
    return len(value) if is_list else 0
