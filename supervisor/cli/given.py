"""The options that all commands share, wherever they stand: `orpheus --config F schedules pause X`.

A group such as `schedules` takes them, too. An option that was not looked at would let a command
act on another database than the named one.
"""

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from orpheus.shared.errors import OrpheusError

if TYPE_CHECKING:
    from pathlib import Path

_PROPOSED = re.compile(r"(?<!schema )`(orpheus[^`]*)`")
"""A command in a sentence. After `schema`, PostgreSQL quotes a name like this."""


def given_to(context: click.Context) -> "tuple[Path | None, tuple[str, ...], bool]":
    """Return `--config`, every `--set` and `--json` of a command and of what stands before it.

    The last `--config` counts, and each `--set` in its order.
    """
    at: click.Context | None = context
    options: list[dict[str, Any]] = []
    while at is not None:
        options.insert(0, at.params)
        at = at.parent
    configs = [one["config"] for one in options if one.get("config")]
    sets = tuple(text for one in options for text in one.get("sets") or ())
    return configs[-1] if configs else None, sets, any(one.get("as_json") for one in options)


def as_called(command: str) -> str:
    """Return a command to type next, with each `--config` and `--set` that this one was given.

    Without them another Orpheus would be meant, or a second one started. Secrets are masked: what
    is printed may be kept in a log.
    """
    context, (name, *rest) = click.get_current_context(silent=True), command.split(" ", 1)
    if context is None or name != "orpheus":
        return command
    config, sets, _ = given_to(context)
    options = [] if config is None else ["--config", shlex.quote(str(config))]
    for text in sets:
        options += ["--set", shlex.quote(_shown(text))]
    return " ".join([name, *options, *rest])


def text_as_called(text: str) -> str:
    """Return a sentence in which each `orpheus …` is `as_called`."""
    return _PROPOSED.sub(lambda found: f"`{as_called(found[1])}`", text)


@contextmanager
def errors_as_called() -> Iterator[None]:
    """Let each command that an error proposes be `as_called`."""
    try:
        yield
    except OrpheusError as error:
        error.args = (text_as_called(str(error)),)
        raise


def _shown(setting: str) -> str:
    from orpheus.config.shown import secrets_in  # noqa: PLC0415 - no completion needs it
    from orpheus.config.sources import key_path, nested  # noqa: PLC0415
    from orpheus.shared.operations.configuration import MASK  # noqa: PLC0415

    key, _, value = setting.partition("=")
    is_secret = any(secrets_in(nested(key_path(key) or (key,), value)))
    return f"{key}={MASK}" if is_secret else setting
