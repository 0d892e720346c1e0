"""A group of commands: its help is never cut, and a name that it does not know has a near one."""

import click

_WHOLE = 1_000


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
        """Return the command that is meant. Raises UsageError, with a near name."""
        name = args[0]
        is_name = name[:1].isalpha() and not ctx.resilient_parsing
        if is_name and self.get_command(ctx, name) is None:
            from orpheus.shared.sentences import did_you_mean  # noqa: PLC0415 - not for --help

            near = did_you_mean(name, self.list_commands(ctx))
            raise click.UsageError(f"No such command {name!r}{near or '.'}", ctx)
        return super().resolve_command(ctx, args)
