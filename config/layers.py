"""Lays the tables of the sources over each other, by pydantic-settings.

Its own readers are not used: they ignore unknown names, and keep no file and line with a value
(docs/adr/0005). Only where settings are loaded is this module imported, as it costs 18 MB.
"""

from collections.abc import Sequence
from typing import Any

from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)


def merged(layers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The tables as one, key by key; later layers win."""

    class Layers(BaseSettings):
        model_config = SettingsConfigDict(extra="allow")

        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_: Any, **__: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            """The first source wins here, so the layers go in backwards."""
            return tuple(InitSettingsSource(settings_cls, layer) for layer in reversed(layers))

    return dict(Layers().model_extra or {})
