"""The command `orpheus`: start everything, or run one of the commands listed here.

`orpheus --help` and the completion of command names must answer at once, so a command's module,
and with it pydantic and the database, is imported only when that command is used, as is `pathlib`:
it takes a tenth of `orpheus --help`.
"""

import os
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

import click

from orpheus.config.options import config_options
from orpheus.shared.errors import ExitCode
from orpheus.shared.version import VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from click.shell_completion import CompletionItem

_COMMANDS: Mapping[str, tuple[str, str]] = {
    "acknowledge": ("acknowledge", "Say that you know of a problem; for a time it is no news."),
    "alerts": ("alerts", "List the alert rules and when each last fired."),
    "audit": ("audit", "List what operators did, newest first: who, what, when, why."),
    "cancel": ("job_actions", "Cancel waiting jobs; ask running ones to stop."),
    "completion": ("completing", "Print the script that lets a shell complete commands and ids."),
    "config": ("configuration", "Check the configuration, show it, or go back to a version."),
    "db": ("database", "Check, verify, back up or move the database."),
    "delete": ("job_actions", "Delete jobs that have ended, with their attempts and logs."),
    "dev": ("dev", "Start everything for development: no file needed, saved job code is reloaded."),
    "drain": ("workers", "Let each SLOT finish its job, then keep it down until a restart."),
    "errors": ("types", "Count the failed jobs by type, error and location."),
    "healthcheck": ("service", "Ask the API whether it is ready; exit 1 if it is not."),
    "import": ("import_files", "Convert a crontab, supervisord.conf or Procfile to settings."),
    "init": ("init", "Write a starter orpheus.toml, jobs.py and a test; overwrite nothing."),
    "jobs": ("jobs", "List jobs, newest first."),
    "logs": ("logs", "Print the log of a job, or the output of a program's SLOT."),
    "mcp": ("mcp", "Let an assistant look at the system, and mend it if its token may."),
    "outbox": ("outbox", "Print the SQL of an application's outbox table."),
    "pause": ("queues", "Start no more jobs of QUEUE until it is resumed."),
    "programs": ("workers", "List programs with their state and resource use."),
    "queues": ("queues", "List queues with their state, limits and jobs by status."),
    "release": ("types", "Run jobs of a quarantined TYPE again."),
    "reload": ("service", "Reload the configuration and the job code."),
    "restart": ("workers", "Let each SLOT finish its job, then start it again."),
    "resume": ("queues", "Start jobs of QUEUE again."),
    "retry": ("job_actions", "Run failed or cancelled jobs again, with all their retries."),
    "run": ("job_actions", "Run a pending job now instead of waiting for its time."),
    "scale": ("workers", "Run N workers of a pool, or N instances of a program."),
    "schedules": (
        "schedules",
        "List schedules and when they run next; put, run, pause or backfill one.",
    ),
    "show": ("jobs", "Show a job, its steps, its attempts and its error."),
    "signal": ("durable", "Send the signal NAME of KEY to the durable functions that wait for it."),
    "stack": ("service", "Show the current stack of SLOT without stopping it."),
    "status": ("status", "Show the whole system; exit 1 if something needs attention."),
    "stop": ("service", "Stop Orpheus cleanly, as Ctrl-C does, and wait until it has ended."),
    "submit": ("submit", "Submit a job of TYPE."),
    "timeline": ("timeline", "List what happened, newest first: workers, queues, operators."),
    "token": ("token", "Make a token that opens the API, with a role."),
    "top": ("top", "Show pools, queues and problems live, with keys for the actions."),
    "types": ("types", "List the job types and their payloads."),
    "why": ("why", "Say why a job does not run, or why QUEUE starts none."),
    "workers": ("workers", "List every process with its state, job and resource use."),
}
"""Name -> its module in this folder, and the line of `orpheus --help`."""
_ATTRIBUTES = {"import": "import_files"}
"""Commands with another function name."""

_EPILOG = """Without a command, starts the API and every worker, until Ctrl-C.

\b
Completion, in bash, zsh or fish:
  eval "$(orpheus completion bash)"
  eval "$(orpheus completion zsh)"
  orpheus completion fish | source

Exit codes: 0 success, 1 failure (a job failed, an unknown id, a problem in `status`), 2 wrong
usage, 4 something had to be killed, 69 cannot bind, 70 crash loop, 74 database, 75 already running,
78 configuration, 130 Ctrl-C, 141 closed pipe.
"""


class LazyGroup(click.Group):
    """A group that imports the module of a command when the command is used."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read `help COMMAND` as `COMMAND --help`."""
        if args[:1] == ["help"]:
            args = [*args[1:], "--help"]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """Return the names of all commands."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command; None if there is none of that name."""
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"orpheus.supervisor.cli.{_COMMANDS[cmd_name][0]}")
        command = getattr(module, _ATTRIBUTES.get(cmd_name, cmd_name))
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is meant. Raises UsageError, which names a similar one."""
        name = args[0]
        if name[:1].isalpha() and name not in _COMMANDS and not ctx.resilient_parsing:
            from orpheus.shared.sentences import did_you_mean  # noqa: PLC0415 - not for --help

            near = did_you_mean(name, _COMMANDS)
            raise click.UsageError(f"No such command {name!r}{near or '.'}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help) for name, (_, help) in _COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Return the commands and options that begin so, without importing any command."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - not for --help

        return [
            *(
                CompletionItem(name, help=help)
                for name, (_, help) in _COMMANDS.items()
                if name.startswith(incomplete)
            ),
            *click.Command.shell_complete(self, ctx, incomplete),
        ]


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(VERSION, message="%(prog)s %(version)s")
@config_options
@click.pass_context
def orpheus(context: click.Context, config: "Path | None", sets: tuple[str, ...]) -> int:
    """Run jobs, and supervise the processes that work on them."""
    return ExitCode.OK if context.invoked_subcommand is not None else _start(config, sets)


def _start(config: "Path | None", sets: tuple[str, ...]) -> int:
    """Start the API and every worker, and return the exit code once all have ended."""
    from orpheus.supervisor.linux.signals import Signals  # noqa: PLC0415 - not for --help

    signals = Signals()
    try:
        # Imported only now: a signal meanwhile is handled already.
        from orpheus.shared.imports import without_garbage  # noqa: PLC0415

        with without_garbage():
            from orpheus.config.load import load_settings  # noqa: PLC0415
            from orpheus.supervisor.run import run_supervisor  # noqa: PLC0415

        return run_supervisor(lambda: load_settings(config, sets, os.environ), signals, sets)
    except KeyboardInterrupt:
        return ExitCode.OK
