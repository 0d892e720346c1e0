"""Change a TOML text and keep its comments and layout, by tomlkit. Pure.

Each result is parsed again and compared with what it should contain: an editor that keeps the
layout has more special cases than a parser, and must never write a wrong value silently.
"""

import re
import tomllib
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AbstractTable, Item, Table

from orpheus.config.secret_values import secrets_in
from orpheus.config.sources import key_path
from orpheus.config.toml_text import read_toml, refuse_deep
from orpheus.shared.operations.configuration import MASK

_PLAIN = re.compile(r'"(?:[^"\\\n]|\\.)*"')
"""A string of one line."""


class CannotEdit(Exception):
    """The text cannot be changed in this way; the message says which key, and why."""

    lines: Sequence[int | None] = (None,)
    """The lines of the text that are wrong; None: the whole text is."""


class MaskLeft(CannotEdit):
    """The text has masks, in `lines`, where no secret was."""

    def __init__(self, lines: Sequence[int]) -> None:
        super().__init__(
            f"{MASK} stands for a secret that is not shown: write the value in its place"
        )
        self.lines = tuple(lines)


def masked(text: str) -> tuple[str, int]:
    """Return the text with every secret masked, its lines kept, and the number of secrets.

    Raises CannotEdit if they cannot be told apart from the rest.
    """
    try:
        expected = read_toml(text)
    except tomllib.TOMLDecodeError as error:
        raise CannotEdit(f"is not TOML: {error}") from None
    found = list(secrets_in(expected))
    if not found:
        return text, 0
    values = [secret.table[secret.key] for secret in found]
    for secret in found:
        secret.table[secret.key] = MASK
    hidden = _with_masked_literals(text, values)
    if hidden is None or not _shows(hidden, expected):
        hidden = _with_masked_items(text)
        if not _shows(hidden, expected):
            raise CannotEdit("the secrets in it cannot be told apart from the rest")
    return hidden, len(found)


def _with_masked_literals(text: str, values: Sequence[object]) -> str | None:
    """Return the text with a mask for each of the values; None if they do not stand there plainly.

    Most do, and tomlkit takes a hundred times as long.
    """
    if MASK in text:
        return None
    secret = {f'"{value}"' for value in values}
    hidden = _PLAIN.sub(lambda m: f'"{MASK}"' if m[0] in secret else m[0], text)
    # More of them: one is in a comment, where `unmasked` could not tell what it was.
    return hidden if hidden.count(MASK) == len(values) else None


def _with_masked_items(text: str) -> str:
    """Return the text with a mask for each secret, in whatever form it has."""
    document = _parsed(text)
    for secret in list(secrets_in(document)):
        secret.table[secret.key] = _mask_like(secret.table[secret.key])
    return tomlkit.dumps(document)


def _shows(hidden: str, expected: Mapping[str, Any]) -> bool:
    """Return whether the text says what is expected, all of whose secrets are masks."""
    shown = read_toml(hidden)
    for secret in [one for one in secrets_in(shown) if one.is_masked()]:
        secret.table[secret.key] = MASK
    return shown == expected


def unmasked(text: str, original: str) -> str:
    """Return the text with each mask replaced by the secret at the same path of `original`.

    Raises MaskLeft if there is no such secret, or if a mask is anywhere else. A secret has as many
    lines as its mask, so the lines are those of `text`.
    """
    if MASK not in text:
        return text
    document, before = _parsed(text), _parsed(original)
    known = {secret.path: secret.table[secret.key] for secret in secrets_in(before)}
    for secret in [one for one in secrets_in(document) if one.is_masked()]:
        if secret.path in known:
            secret.table[secret.key] = known[secret.path]
    restored = tomlkit.dumps(document)
    if left := [n for n, line in enumerate(restored.split("\n"), start=1) if MASK in line]:
        raise MaskLeft(left)
    return restored


def with_value(text: str, key: str, value: Any) -> str:
    """Return the text with one setting changed; None removes it. Raises CannotEdit."""
    path = key_path(key)
    if path is None:
        raise CannotEdit("is no key, such as pools.default.workers")
    document = _parsed(text)
    expected = read_toml(text)
    try:
        _put(document, path, value)
        _put(expected, path, value)
        changed = tomlkit.dumps(document)
        if read_toml(changed) == expected:
            return changed
    except (TOMLKitError, tomllib.TOMLDecodeError, TypeError, ValueError) as error:
        raise CannotEdit(f"cannot have this value: {error}") from None
    raise CannotEdit("cannot be changed alone in a file of this form; change its text")


def _put(table: Any, path: list[str], value: Any) -> None:
    *above, name = path
    for step in above:
        if step not in table:
            if value is None:
                return
            table[step] = _new_table(table, is_last=step is above[-1])
        table = table[step]
        if not isinstance(table, MutableMapping):
            raise CannotEdit(f"{step} is no table")
    if value is None:
        table.pop(name, None)
        return
    is_new = name not in table
    table[name] = value
    if is_new and isinstance(table, Table):
        _move_to_the_keys(table, name)


def _new_table(parent: Any, *, is_last: bool) -> Any:
    if not isinstance(parent, (Table, tomlkit.TOMLDocument)):
        return {}
    made = tomlkit.table(is_super_table=not is_last)
    if is_last and isinstance(parent, Table):
        made.add(tomlkit.nl())  # as another table follows
    return made


def _move_to_the_keys(table: Table, name: str) -> None:
    """Move the key that was added last up to the other keys, before the comments after them.

    Those comments often belong to the next table. The document is inconsistent afterwards: only
    its text may be used.
    """
    body = table.value.body
    keys = [
        index
        for index, (key, item) in enumerate(body)
        if key is not None and not isinstance(item, AbstractTable)
    ]
    if keys and body[keys[-1]][0] == name:
        body.insert(keys[-2] + 1 if len(keys) > 1 else 0, body.pop(keys[-1]))


def _parsed(text: str) -> tomlkit.TOMLDocument:
    try:
        refuse_deep(text)
        return tomlkit.parse(text)
    except (TOMLKitError, ValueError) as error:
        raise CannotEdit(f"is not TOML: {error}") from None


def _mask_like(value: Any) -> Item:
    """Return a mask of as many lines as the value, so that the lines below keep their numbers."""
    lines = value.as_string().count("\n") + 1 if isinstance(value, Item) else 1
    return tomlkit.string("\n".join([MASK] * lines), multiline=lines > 1)
