"""The command `orpheus`: start everything, or run one of the commands listed here.

`orpheus --help` and the completion of command names must answer at once, so a command's module,
and with it pydantic and the database, is imported only when that command is used, as is `pathlib`:
it takes a tenth of `orpheus --help`.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

import click

from orpheus.config.options import config_options
from orpheus.shared.errors import ExitCode
from orpheus.shared.version import VERSION
from orpheus.supervisor.cli.group import Group

if TYPE_CHECKING:
    from pathlib import Path

    from click.shell_completion import CompletionItem

_COMMANDS: Mapping[str, tuple[str, str]] = {
    "alerts": ("alerts:alerts", "List the rules of [[alerts]] and when each fired last."),
    "audit": (
        "audit:audit",
        "List what operators did, newest first: who, what, when, why; of entry ID, tell all.",
    ),
    "cancel": ("job_actions:cancel", "Cancel waiting jobs; ask running ones to stop."),
    "completion": (
        "completion:completion",
        "Print what completes commands, ids, slots, queues and types in a shell.",
    ),
    "config": (
        "configuration:config",
        "Check the configuration, show it, or go back to an earlier version.",
    ),
    "db": (
        "database:db",
        "Check, verify or back up the database while Orpheus runs; move it while it is stopped.",
    ),
    "delete": ("job_actions:delete", "Delete jobs that have ended, with their attempts and logs."),
    "drain": (
        "slots:drain",
        "Let each SLOT finish its job or stop its program; it stays down until a restart.",
    ),
    "errors": ("errors:errors", "Count the failed jobs by type, error and location."),
    "healthcheck": (
        "healthcheck:healthcheck",
        "Ask the API whether it is ready; exit 1 if it is not.",
    ),
    "import": (
        "import_files:import_files",
        "Print a crontab, supervisord.conf or Procfile as settings of Orpheus.",
    ),
    "init": ("init:init", "Write a starter orpheus.toml, jobs.py and a test; overwrite nothing."),
    "jobs": (
        "jobs:jobs",
        "List jobs, newest first; with --since or --until, those that ended last first.",
    ),
    "logs": ("logs:logs", "Print the log of a job, or the output of a program's SLOT."),
    "outbox": ("outbox:outbox", "Print the table of an outbox in an application's database."),
    "pause": ("queues:pause", "Start no more jobs of QUEUE until it is resumed."),
    "pause-schedule": (
        "schedules:pause_schedule",
        "Submit no job of a schedule until it is resumed, even after restarts.",
    ),
    "programs": ("processes:programs", "List programs with their state and resource use."),
    "queues": (
        "queues:queues",
        "List queues with their state, limits and jobs by status; of QUEUE, tell all.",
    ),
    "release": (
        "quarantine:release",
        "Run jobs of TYPE again, which is quarantined because its jobs killed their workers.",
    ),
    "reload": (
        "supervision:reload",
        "Read the configuration and the job code again; exit 1 if they are rejected.",
    ),
    "restart": (
        "slots:restart",
        "Let each SLOT finish its job or stop its program, then start it again.",
    ),
    "resume": ("queues:resume", "Start jobs of QUEUE again."),
    "resume-schedule": (
        "schedules:resume_schedule",
        "Submit jobs of a schedule again; times missed meanwhile are skipped.",
    ),
    "retry": ("job_actions:retry", "Run failed or cancelled jobs again, with all their attempts."),
    "run": ("job_actions:run", "Run a pending job now instead of at its time."),
    "run-schedule": (
        "schedules:run_schedule",
        "Submit the job of a schedule now; its own times stay as they are.",
    ),
    "scale": (
        "slots:scale",
        "Run N workers or instances of NAME until the file's number changes, or a restart.",
    ),
    "schedules": (
        "schedules:schedules",
        "List schedules and when they run next; show, run, pause or resume one.",
    ),
    "show": ("jobs:show", "Show a job, its attempts and its error."),
    "stack": ("slots:stack", "Show what the code of SLOT is doing, without stopping it."),
    "status": ("status:status", "Show the whole system; exit 1 if something needs attention."),
    "stop": (
        "supervision:stop",
        "Stop Orpheus in order, as Ctrl-C does, and wait until it has ended.",
    ),
    "submit": ("submit:submit", "Submit a job of TYPE."),
    "types": ("types:types", "List the job types and their payloads."),
    "why": (
        "why:why",
        "Say why a job does not run, who holds it back, and until when; exit 0 if it runs.",
    ),
    "workers": (
        "processes:workers",
        "List every process with its state, job and resource use; of SLOT, tell all.",
    ),
}
"""Name -> `module:attribute` in this folder, and the line of `orpheus --help`."""

_EPILOG = """Without a command, starts the API and every worker, until Ctrl-C.

\b
Completion, in bash, zsh or fish:
  eval "$(orpheus completion bash)"
  eval "$(orpheus completion zsh)"
  orpheus completion fish | source

Exit codes: 0 done, 1 the answer is no, 2 usage, 4 something had to be killed, 69 cannot bind,
70 crash loop, 74 database, 75 already running, 78 configuration, 130 Ctrl-C, 141 the reader left.
"""


class LazyGroup(Group):
    """A group that imports the module of a command when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return [*super().list_commands(ctx), *_COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if there is none of that name."""
        if cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, attribute = _COMMANDS[cmd_name][0].split(":")
        command = getattr(import_module(f"orpheus.supervisor.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][1]) for name in self.list_commands(ctx)])

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
    """Run jobs and the processes that work on them, from one SQLite file."""
    if context.invoked_subcommand is not None:
        return ExitCode.OK
    from orpheus.supervisor.cli.start import start  # noqa: PLC0415 - not for --help

    return start(config, sets)
