"""Commands: job types that run a program, without Python code.

A program is started from a list of arguments, never through a shell, so a payload cannot add a
second command. `{field}` in an argument is replaced by that field of the payload, and `{{field}}`
by the text `{field}`. Other braces stay as they are, so `awk '{print $1}'` needs no escapes.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from orpheus.shared.records import dataclass

FIELD = re.compile(r"\{\{([A-Za-z_]\w*)\}\}|\{([A-Za-z_]\w*)\}", re.ASCII)
"""A field in braces (group 2), or one that is not replaced (group 1)."""
FIELD_SCHEMA: Mapping[str, Any] = {"type": ["string", "number", "boolean"]}
"""The JSON Schema of each field."""


@dataclass(frozen=True, slots=True)
class CommandSettings:
    """A `[[commands]]` entry. None: the default of [jobs]; `cwd` empty: where Orpheus runs."""

    name: str
    argv: tuple[str, ...]
    timeout_s: float | None
    max_retries: int | None
    cwd: str
    env: Mapping[str, str]
    success_codes: tuple[int, ...]


def fields_of(argv: Sequence[str]) -> tuple[str, ...]:
    """Return the payload fields that a command uses, in the order in which it names them."""
    found = (match[2] for item in argv for match in FIELD.finditer(item))
    return tuple(dict.fromkeys(name for name in found if name))


def arguments(argv: Sequence[str], payload: Mapping[str, str | float]) -> list[str]:
    """Return the arguments with the fields filled in. Raises KeyError for a missing field."""

    def put_in(match: re.Match[str]) -> str:
        return f"{{{match[1]}}}" if match[1] else _text(payload[match[2]])

    return [FIELD.sub(put_in, item) for item in argv]


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
    }


def _digest_of(command: CommandSettings) -> str:
    """Return what changes with the command, but not with its environment: that may be secret."""
    text = json.dumps(asdict(replace(command, env={})), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _text(value: str | float) -> str:
    """Return a string unchanged, and numbers and booleans as JSON."""
    return value if isinstance(value, str) else json.dumps(value)
