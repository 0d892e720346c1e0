"""Mask the secrets of a TOML text and put them back, with its comments and layout. Pure.

Each result is parsed again and compared with what it should contain: an editor that keeps the
layout has more special cases than a parser, and must never write a wrong value silently.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Item

from orpheus.config.shown import secrets_in
from orpheus.config.toml_text import read_toml, refuse_deep
from orpheus.shared.operations.configuration import MASK

_PLAIN = re.compile(r'"(?:[^"\\\n]|\\.)*"')
"""A string of one line."""


class CannotMask(Exception):
    """The text cannot be shown or taken; `lines` are wrong, as far as that is known."""

    def __init__(self, message: str, lines: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.lines = tuple(lines)


def masked(text: str) -> str:
    """Return the text with every secret masked and its lines kept.

    Raises CannotMask if the secrets cannot be told apart from the rest.
    """
    try:
        expected = read_toml(text)
    except tomllib.TOMLDecodeError as error:
        raise CannotMask(f"is not TOML: {error}") from None
    found = list(secrets_in(expected))
    if not found:
        return text
    values = [secret.table[secret.key] for secret in found]
    for secret in found:
        secret.table[secret.key] = MASK
    hidden = _with_masked_literals(text, values)
    if hidden is None or not _shows(hidden, expected):
        hidden = _with_masked_items(text)
        if not _shows(hidden, expected):
            raise CannotMask("the secrets in it cannot be told apart from the rest")
    return hidden


@lru_cache(maxsize=64)  # versions are shown again and again, and masking a long one takes 2 s
def masked_or_none(text: str) -> str | None:
    """Return the masked text; None if it cannot be masked."""
    try:
        return masked(text)
    except CannotMask:
        return None


def _with_masked_literals(text: str, values: Sequence[object]) -> str | None:
    """Return the text with a mask for each value; None if they are not plain strings.

    Most are, and tomlkit takes a hundred times as long.
    """
    if MASK in text:
        return None
    secret = {f'"{value}"' for value in values}
    hidden = _PLAIN.sub(lambda m: f'"{MASK}"' if m[0] in secret else m[0], text)
    # More of them: one is in a comment, where `unmasked` could not tell what it was.
    return hidden if hidden.count(MASK) == len(values) else None


def _with_masked_items(text: str) -> str:
    document = _parsed(text)
    for secret in list(secrets_in(document)):
        secret.table[secret.key] = _mask_like(secret.table[secret.key])
    return tomlkit.dumps(document)


def _mask_like(value: Any) -> Item:
    """Return a mask of as many lines as the value, so that the lines below keep their numbers."""
    lines = value.as_string().count("\n") + 1 if isinstance(value, Item) else 1
    return tomlkit.string("\n".join([MASK] * lines), multiline=lines > 1)


def _shows(hidden: str, expected: Mapping[str, Any]) -> bool:
    """Return whether the text says what is expected, all of whose secrets are masks."""
    shown = read_toml(hidden)
    for secret in [secret for secret in secrets_in(shown) if secret.is_masked()]:
        secret.table[secret.key] = MASK
    return shown == expected


def unmasked(text: str, original: str) -> str:
    """Return the text with each mask replaced by the secret at the same path of `original`.

    Raises CannotMask if there is no such secret, or if a mask is anywhere else. A secret has as
    many lines as its mask, so the lines are those of `text`.
    """
    if MASK not in text:
        return text
    document, before = _parsed(text), _parsed(original)
    known = {secret.path: secret.table[secret.key] for secret in secrets_in(before)}
    for secret in [secret for secret in secrets_in(document) if secret.is_masked()]:
        if secret.path in known:
            secret.table[secret.key] = known[secret.path]
    restored = tomlkit.dumps(document)
    if left := [n for n, line in enumerate(restored.split("\n"), start=1) if MASK in line]:
        message = f"{MASK} stands for a secret that is not shown: write the value in its place"
        raise CannotMask(message, left)
    return restored


def _parsed(text: str) -> tomlkit.TOMLDocument:
    try:
        refuse_deep(text)
        return tomlkit.parse(text)
    except (TOMLKitError, ValueError) as error:
        raise CannotMask(f"is not TOML: {error}") from None
