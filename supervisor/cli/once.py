"""Options that are refused if they are given twice, as HTTP refuses such parameters.

click takes the last one, so `retry --status failed --status cancelled` would leave the failed jobs
alone, and not say so.
"""

from functools import partial
from typing import Any

import click


class _Once(click.Option):
    """An option with one value."""

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:  # noqa: ARG002 - click's
        """Let the parser keep each value."""
        parser.add_option(obj=self, opts=self.opts, dest=self.name, action="append")

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """Return the value. Raises UsageError if there are several."""
        if isinstance(value, list):  # not its default
            if len(value) > 1:
                raise click.UsageError(f"{self.opts[0]} was given twice", ctx)
            (value,) = value
        return super().process_value(ctx, value)


once = partial(click.option, cls=_Once)
"""`click.option` of an option with one value."""
