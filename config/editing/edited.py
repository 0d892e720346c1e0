"""Make the text of an edit, and tell the problems of a text with their lines. Pure."""

from collections.abc import Iterable
from itertools import islice

from orpheus.config.editing.toml import CannotEdit, unmasked, with_value
from orpheus.config.naming_code import tables_of
from orpheus.config.problems import KeyPath, Problem
from orpheus.config.secret_values import secrets_in
from orpheus.config.sources import DEFAULT_PATHS, Sources, key_path, nested, sources_with
from orpheus.shared.operations.configuration import MASK, Edit, SettingProblem

_MOST_PROBLEMS = 100


def edited_text(text: str, edit: Edit) -> tuple[str | None, list[SettingProblem]]:
    """Return the text after the edit, with its secrets; or why there is none."""
    if edit.text is not None:
        try:
            return unmasked(edit.text, text), []
        except CannotEdit as error:
            syntax = _syntax_problem(edit.text)
            found = [SettingProblem("", str(error), None, line) for line in error.lines]
            return None, found if syntax is None else [syntax]
    problems, original = [], text
    for key, value in edit.values.items():
        try:
            text = with_value(text, key, value)
            if MASK in str(value):
                text = unmasked(text, original)
        except CannotEdit as error:
            problems.append(SettingProblem(key, str(error), None, None))
    return text, problems


def _syntax_problem(text: str) -> SettingProblem | None:
    """Return why the text is not TOML; it may hold masks, which are read as text."""
    sources = sources_with(text, DEFAULT_PATHS[0], (), {})
    return problems_in(sources.problems, sources)[0] if sources.problems else None


def secrets_written_out(edit: Edit) -> list[KeyPath]:
    """Return the paths of secrets for which the edit has no mask."""
    parts = [] if edit.text is None else [tables_of(edit.text)]
    parts += [nested(key_path(key) or (), value) for key, value in edit.values.items()]
    found = (one for part in parts if isinstance(part, dict) for one in secrets_in(part))
    return [one.path for one in found if not one.is_masked()]


def problems_in(problems: Iterable[Problem], sources: Sources) -> tuple[SettingProblem, ...]:
    """Return the problems with the places where they are to be mended; not too many."""
    return tuple(_problem_of(problem, sources) for problem in islice(problems, _MOST_PROBLEMS))


def _problem_of(problem: Problem, sources: Sources) -> SettingProblem:
    origin, line = sources.where_to_fix(problem), None
    if origin is not None and sources.file is not None and origin.startswith(f"{sources.file}:"):
        line = int(origin.removeprefix(f"{sources.file}:").partition(":")[0])
    return SettingProblem(sources.named(problem.key), problem.reason, origin, line)
