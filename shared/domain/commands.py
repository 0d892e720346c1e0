"""Commands: job types that run a program, without Python code.

A program is started from a list of arguments, never through a shell, so a payload cannot add a
second command. `{field}` in an argument is replaced by that field of the payload, and `{{field}}`
by the text `{field}`. Other braces stay as they are, so `awk '{print $1}'` needs no escapes.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

_FIELD = re.compile(r"\{\{([A-Za-z_]\w*)\}\}|\{([A-Za-z_]\w*)\}", re.ASCII)
"""A field in braces (group 2), or an escaped field (group 1)."""
FIELD_SCHEMA: Mapping[str, Any] = {"type": ["string", "number", "boolean"]}
"""The JSON Schema of each field."""


class CommandSettings(msgspec.Struct, frozen=True):
    """A `[[commands]]` entry. None: the default of [jobs]; `cwd` empty: where Orpheus runs."""

    name: str
    argv: tuple[str, ...]
    timeout_s: float | None
    max_retries: int | None
    cwd: str
    env: Mapping[str, str]
    success_codes: tuple[int, ...]
    retention_s: float | None = None


def fields_in(text: str) -> list[str]:
    """Return the names of the fields in braces."""
    return [match[2] for match in _FIELD.finditer(text) if match[2]]


def only_field(text: str) -> str | None:
    """Return the name of the field that is all of a text; None: there is more, or no field."""
    whole = _FIELD.fullmatch(text)
    return whole and whole[2]


def filled_in(text: str, value_of: Callable[[str], object]) -> str:
    """Return a text with the values of the fields in their places: numbers and the like as JSON."""

    def put_in(match: re.Match[str]) -> str:
        if match[1]:
            return f"{{{match[1]}}}"
        value = value_of(match[2])
        return value if isinstance(value, str) else json.dumps(value)

    return _FIELD.sub(put_in, text)


def fields_of(argv: Sequence[str]) -> tuple[str, ...]:
    """Return the payload fields that a command uses, in the order in which it names them."""
    return tuple(dict.fromkeys(name for item in argv for name in fields_in(item)))


def arguments(argv: Sequence[str], payload: Mapping[str, str | float]) -> list[str]:
    """Return the arguments with the fields filled in. Raises KeyError for a missing field."""
    return [filled_in(item, payload.__getitem__) for item in argv]


def describe_command(command: CommandSettings) -> dict[str, Any]:
    """Return a command in the form in which `python -m worker --describe` prints job types."""
    fields = fields_of(command.argv)
    return {
        "name": command.name,
        "schema": {
            "title": command.name,
            "type": "object",
            "properties": {name: dict(FIELD_SCHEMA) for name in fields},
            "required": list(fields),
            "additionalProperties": False,
        },
        "max_retries": command.max_retries,
        "timeout_s": command.timeout_s,
        "queue": None,
        "description": f"Runs the program {command.argv[0]}.",
        "code": _digest_of(command),
        **({} if command.retention_s is None else {"retention_s": command.retention_s}),
    }


def _digest_of(command: CommandSettings) -> str:
    """Return what changes with the command, but not with its environment: that may be secret."""
    text = json.dumps(msgspec.to_builtins(replace(command, env={})), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
