"""Mask the secrets of a TOML text and put them back, with its comments and layout. Pure.

Each result is parsed again and compared with what it should contain: an editor that keeps the
layout has more special cases than a parser, and must never write a wrong value silently.
"""

import tomllib
from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from orpheus.config.shown import secrets_in
from orpheus.config.sources import read_toml
from orpheus.shared.domain.hidden import MASK, Path


class CannotMask(Exception):
    """The text cannot be shown or taken; `lines` are wrong, as far as that is known."""

    def __init__(self, message: str, lines: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.lines = tuple(lines)


@lru_cache(maxsize=64)  # texts are shown again and again, and masking a long one takes 2 s
def masked(text: str, also: Sequence[Path] = ()) -> str:
    """Return the text with every secret masked. `also`: see `secrets_in`.

    Raises CannotMask if the secrets cannot be told apart from the rest.
    """
    try:
        expected = read_toml(text)
    except tomllib.TOMLDecodeError as error:
        raise CannotMask(f"is not TOML: {error}") from None
    if not _mask_all(expected, also):
        return text
    document = _parsed(text)
    _mask_all(document, also)
    hidden = tomlkit.dumps(document)
    if read_toml(hidden) != expected:
        raise CannotMask("the secrets in it cannot be told apart from the rest")
    return hidden


def masked_or_none(text: str, also: Sequence[Path] = ()) -> str | None:
    """Return the masked text; None if it cannot be masked."""
    try:
        return masked(text, also)
    except CannotMask:
        return None


def _mask_all(tables: MutableMapping[str, Any], also: Sequence[Path]) -> bool:
    """Replace every secret by a mask; return whether there was one."""
    found = list(secrets_in(tables, also))
    for secret in found:
        secret.table[secret.key] = MASK
    return bool(found)


def unmasked(text: str, original: str) -> str:
    """Return the text with each mask replaced by the secret at the same path of `original`.

    Raises CannotMask if there is no such secret, or if a mask is anywhere else.
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
        read_toml(text)
        return tomlkit.parse(text)
    except (TOMLKitError, ValueError) as error:
        raise CannotMask(f"is not TOML: {error}") from None
