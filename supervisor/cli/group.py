"""A group of commands: its help is never cut, and for an unknown name it proposes a similar one.

The help of every command fits into a narrow terminal, and no word of it is broken.
"""

from collections.abc import Iterable

import click

_WHOLE = 1_000
_LEAST_WIDTH = 20
_SPARE = 2
"""The number of columns that click leaves free."""


class Formatter(click.HelpFormatter):
    """Writes help as wide as the terminal; click's own takes at least 50 columns."""

    def __init__(
        self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None
    ) -> None:
        from shutil import get_terminal_size  # noqa: PLC0415 - only for help

        columns = min(get_terminal_size().columns, max_width or 80)
        super().__init__(indent_increment, width or max(columns - _SPARE, _LEAST_WIDTH), max_width)

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Write names and what they mean; the meaning has two thirds of the width."""
        super().write_dl(rows, min(col_max, self.width // 3), col_spacing)


click.Context.formatter_class = Formatter  # also of commands that no Group makes


class Group(click.Group):
    """A group of commands."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each command does, over as many lines as it takes."""
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, one.get_short_help_str(_WHOLE)) for name, one in commands if one]
            )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is meant. Raises UsageError, with a similar name."""
        name = args[0]
        is_name = name[:1].isalpha() and not ctx.resilient_parsing
        if is_name and self.get_command(ctx, name) is None:
            from orpheus.shared.sentences import did_you_mean  # noqa: PLC0415 - not for --help

            near = did_you_mean(name, self.list_commands(ctx))
            raise click.UsageError(f"No such command {name!r}{near or '.'}", ctx)
        return super().resolve_command(ctx, args)
