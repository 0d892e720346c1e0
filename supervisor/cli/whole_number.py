"""A whole number on the command line."""

import re
from typing import Any

import click

from orpheus.shared.domain.limits import LARGEST_ID

_NEGATIVE = re.compile(r"-\d+")


class WholeNumber(click.IntRange):
    """A whole number in a range; what is none is told in plain words."""

    name = "whole number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number. Raises BadParameter if it is none, or out of the range."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            if _NEGATIVE.fullmatch(str(value)):
                self.fail(f"must be {self.min} or more, not {value}", param, ctx)
            if self.max is not None and str(value).isdecimal() and float(value) > self.max:
                self.fail(f"must be {self.max} or less, not {value}", param, ctx)
            raise

    def _describe_range(self) -> str:
        """Return the range for `--help`, without an end that only the database sets."""
        return f"x>={self.min}" if self.max == LARGEST_ID else super()._describe_range()


class CommandWithNumber(click.Command):
    """A command one of whose arguments is a whole number: `-1` is a number, and no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments. Raises BadParameter for a negative number."""
        given = list(args)  # the parser empties it
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if not any(_NEGATIVE.match(one) and one.startswith(error.option_name) for one in given):
                raise
            ctx.ignore_unknown_options = True
            return super().parse_args(ctx, given)
