"""Load the settings: read every source, merge them, validate them, and collect every problem."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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
from orpheus.config.known import digest_of
from orpheus.config.problems import NOT_SETTINGS, KeyPath, Problem, problems_of, without
from orpheus.config.settings import Database, Settings
from orpheus.config.sound import SoundPart, sound_part
from orpheus.config.sources import NO_DATABASE, Sources, read_sources
from orpheus.shared.errors import ConfigurationError
from orpheus.shared.sentences import similar

MoreChecks = Callable[[Settings, Collection[KeyPath]], Iterable[Problem]]
"""Checks of settings whose values at some keys are not valid, and replaced by their defaults."""
_MAKE_JOBS = ("schedules", "alerts")
_OTHERS_OF_DATABASE = frozenset(
    ("database", name) for name in Database.model_fields if name != "url"
)


def load_settings(config: Path | None, sets: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """Return the settings: `--set` wins over the environment, the TOML file and the defaults.

    `config` is the file that `--config` named; without it `$ORPHEUS_CONFIG` is read, else
    config/orpheus.toml, else orpheus.toml, which may both be missing.
    Raises ConfigurationError, whose text lists every problem, one a line.
    """
    return load_with_sources(config, sets, environ)[0]


def load_with_sources(
    config: Path | None, sets: Sequence[str], environ: Mapping[str, str]
) -> tuple[Settings, Sources]:
    """Return the settings as `load_settings` does, and where each value came from."""
    sources = read_sources(config, sets, environ)
    settings, problems = checked(sources)
    if problems or settings is None:
        raise ConfigurationError(*map(sources.line, problems))
    return settings, sources


def load_for_database(
    config: Path | None, sets: Sequence[str], environ: Mapping[str, str]
) -> tuple[Settings, list[str]]:
    """Return settings for what needs only the database, and every problem, one line each.

    A value that is not valid has its default. Raises ConfigurationError if the problems leave open
    which database is meant.
    """
    sources = read_sources(config, sets, environ)
    settings, problems = checked(sources)
    lines = [sources.line(problem) for problem in problems]
    if settings is None:
        settings = _validated_or_none({"database": _merged(sources.layers).get("database", {})})
    if settings is None or not _is_database_named(sources, problems):
        raise ConfigurationError(*lines, NO_DATABASE)
    return settings, lines


def _is_database_named(sources: Sources, problems: Sequence[Problem]) -> bool:
    """Return whether it is certain which database is meant, despite the problems.

    It is not if a wrong key may be a mistyped `database.url`: a command must not change another
    database than the one meant.
    """
    url = ("database", "url")
    if sources.origin(url) not in (None, str(sources.file)):
        return not any(
            problem.key and url[: len(problem.key)] == problem.key for problem in problems
        )
    return sources.tells_database and not any(_may_be_the_url(one.key) for one in problems)


def _may_be_the_url(key: KeyPath) -> bool:
    if not key or key in _OTHERS_OF_DATABASE:
        return False
    return similar(str(key[0]), ["database"]) is not None or key[-1] == "url"


def checked(
    sources: Sources, more: MoreChecks = lambda _settings, _invalid: ()
) -> tuple[Settings | None, list[Problem]]:
    """Return the settings that the sources give together, and all their problems.

    `more` is checked, too, in what is sound: without schedules and alerts that have a problem.
    With problems, the settings (if any) have the default in place of each invalid value.
    """
    problems = list(sources.problems)
    values = _merged(sources.layers)
    given = [name for name in NOT_SETTINGS if values.pop(name, None) is not None]
    problems += [Problem((name,), "unknown key") for name in given]
    settings = part = None
    try:
        settings = Settings.model_validate(
            {**values, "source": sources.file, "source_text": sources.text}
        )
    except ValidationError as error:
        invalid = problems_of(error, Settings)
        problems += invalid
        keys = [problem.key for problem in invalid]
        settings, part = _validated_or_none(without(values, keys)), sound_part(values, keys)
    if part is None and settings is not None:
        part = SoundPart(settings, {})
    if part is not None:
        keys = [problem.key for problem in problems]
        found = list(problems_between(part.settings))
        problems += part.problems(found, keys)
        rest = part.leaving_out({one.key[:2] for one in found if one.key[0] in _MAKE_JOBS})
        problems += rest.problems(more(rest.settings, keys), keys)
    if settings is not None and not problems:
        settings.remember_given(digest_of(sources))
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
