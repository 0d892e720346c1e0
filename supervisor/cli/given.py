"""The options that all commands share, wherever they stand: `orpheus --config F schedules pause X`.

A group such as `schedules` takes them too. One that is not looked at would let a command act on
another database than the one that was named.
"""

import shlex
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pathlib import Path


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
    """Return a command to type next, with the `--config` that this one was given.

    Without it another Orpheus would be meant, or a second one started.
    """
    config, _, _ = given_to(click.get_current_context())
    if config is None or command.split()[:1] != ["orpheus"]:
        return command
    return command.replace("orpheus", f"orpheus --config {shlex.quote(str(config))}", 1)
