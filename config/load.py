"""Load the settings: merge every source, check the values, and collect every problem."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orpheus.config.checks import problems_between
from orpheus.config.problems import KeyPath, Problem, problems_of, without
from orpheus.config.settings import Settings
from orpheus.config.sources import Sources, read_sources
from orpheus.shared.errors import ConfigurationError


def load_settings(config: Path | None, sets: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """Return the settings: `--set` wins over the environment, the TOML file and the defaults.

    `config` is the file that `--config` named; without it `$ORPHEUS_CONFIG` is read, else
    config/orpheus.toml, else orpheus.toml, which may both be missing.
    Raises ConfigurationError with every problem, one a line.
    """
    return settings_of(read_sources(config, sets, environ))


def settings_of(sources: Sources) -> Settings:
    """Return the settings that the sources give. Raises ConfigurationError with every problem."""
    settings, problems = checked(sources)
    if problems or settings is None:
        raise ConfigurationError(*map(sources.line, problems))
    return settings


def checked(sources: Sources) -> tuple[Settings | None, list[Problem]]:
    """Return the settings that the sources give together, and all their problems.

    With problems, the settings (if any) have the default in place of each invalid value.
    """
    problems = list(sources.problems)
    values = sources.merged()
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        invalid = problems_of(error, Settings)
        problems += invalid
        found = _validated_or_none(without(values, [problem.key for problem in invalid]))
        if found is None:
            return None, problems
        settings = found
    settings.remember(sources)
    wrong = [problem.key for problem in problems if problem.key]
    problems += [
        problem
        for problem in problems_between(settings)
        if not any(_overlap(key, other) for key in (problem.key, *problem.also) for other in wrong)
    ]
    return settings, problems


def _overlap(key: KeyPath, other: KeyPath) -> bool:
    """Return whether one of two keys is below the other: then a problem may only follow from it."""
    return all(a == b for a, b in zip(key, other, strict=False))


def _validated_or_none(values: dict[str, Any]) -> Settings | None:
    try:
        return Settings.model_validate(values)
    except ValidationError:
        return None
