"""Load the settings: read every source, merge them, validate them, and collect every problem."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from orpheus.config.checks import problems_between
from orpheus.config.problems import Problem, problems_of, without
from orpheus.config.settings import Settings
from orpheus.config.sources import Sources, read_sources
from orpheus.shared.errors import ConfigurationError

DEFAULT_PATH = Path("config/orpheus.toml")


def load_settings(config: Path | None, sets: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """Return the settings: `--set` wins over the environment, the TOML file and the defaults.

    `config` is the file that `--config` named; without it `$ORPHEUS_CONFIG` is read, else
    config/orpheus.toml, which alone may be missing.
    Raises ConfigurationError, whose text lists every problem, one a line.
    """
    return load_with_sources(config, sets, environ)[0]


def load_with_sources(
    config: Path | None, sets: Sequence[str], environ: Mapping[str, str]
) -> tuple[Settings, Sources]:
    """Return the settings as `load_settings` does, and where each value came from."""
    sources = read_sources(config, DEFAULT_PATH, sets, environ)
    settings, problems = checked(sources)
    if problems or settings is None:
        raise ConfigurationError("\n".join(sources.line(problem) for problem in problems))
    return settings, sources


def checked(sources: Sources) -> tuple[Settings | None, list[Problem]]:
    """Return the settings that the sources give together, and all their problems.

    With problems, the settings (if any) have the default in place of each invalid value.
    """
    problems = list(sources.problems)
    values = _merged(sources.layers)
    if values.pop("source", None) is not None:
        problems.append(Problem(("source",), "unknown key"))
    settings = None
    try:
        settings = Settings.model_validate({**values, "source": sources.file})
    except ValidationError as error:
        invalid = problems_of(error, Settings)
        problems += invalid
        # Check the other values too, with each invalid one at its default.
        settings = _validated_or_none(without(values, [problem.key for problem in invalid]))
    if settings is not None:
        invalid_keys = {problem.key for problem in problems}
        problems += [
            problem
            for problem in problems_between(settings)
            if not invalid_keys.intersection((problem.key, *problem.also))
        ]
    return settings, problems


def _validated_or_none(values: dict[str, Any]) -> Settings | None:
    try:
        return Settings.model_validate(values)
    except ValidationError:
        return None


def _merged(layers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Merge the tables of the sources key by key; later ones win.

    pydantic-settings merges, but its own readers are not used: they ignore unknown names, and keep
    no file and line with a value (docs/adr/0005).
    """

    class Layers(BaseSettings):
        model_config = SettingsConfigDict(extra="allow")

        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_: Any, **__: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            """Return the layers backwards, as the first source wins here."""
            return tuple(InitSettingsSource(settings_cls, layer) for layer in reversed(layers))

    return dict(Layers().model_extra or {})
