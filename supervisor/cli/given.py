"""The options that all commands share, wherever they stand: `orpheus --config F schedules pause X`.

A group such as `schedules` takes them too. One that is not looked at would let a command act on
another database than the one that was named.
"""

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
