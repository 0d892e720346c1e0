"""The operator's command line. Without a command it starts Orpheus.

`--help` must take 100 ms, so what a command needs (pydantic, the database, rich) is imported when
it runs, not here. The commands are in supervisor/commands/, by subject.
"""

import gc
import os
import signal
from pathlib import Path

import click

from orpheus.config.options import config_options
from orpheus.supervisor.cli.actions import cancel, delete, retry, run
from orpheus.supervisor.cli.configuration import config
from orpheus.supervisor.cli.database import db
from orpheus.supervisor.cli.jobs import jobs, logs, show
from orpheus.supervisor.cli.queues import pause, queues, resume, schedules
from orpheus.supervisor.cli.slots import drain, restart, scale, stack
from orpheus.supervisor.cli.submit import submit
from orpheus.supervisor.cli.system import healthcheck, status, types, workers

_EPILOG = """\b
Without a command, starts the API and every worker, until Ctrl-C.

\b
Completion: eval "$(_ORPHEUS_COMPLETE=bash_source orpheus)"
            (or zsh_source; fish: _ORPHEUS_COMPLETE=fish_source orpheus | source)

\b
Exit codes: 0 done, 1 the answer is no, 2 usage, 4 something had to be killed,
            69 cannot bind, 70 crash loop, 74 database, 75 already running,
            78 configuration.
"""


@click.group(
    invoke_without_command=True,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="orpheus", message="%(prog)s %(version)s")
@config_options
@click.pass_context
def orpheus(context: click.Context, config: Path | None, sets: tuple[str, ...]) -> int:
    """Run jobs and the processes that work on them, from one SQLite file."""
    if context.invoked_subcommand is not None:
        return 0
    # From here until the supervisor takes them itself, there is nothing to finish.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    try:
        from orpheus.config.load import load_settings  # noqa: PLC0415 - see the module
        from orpheus.supervisor.run import run_supervisor  # noqa: PLC0415

        gc.enable()
        return run_supervisor(lambda: load_settings(config, sets, os.environ), sets)
    except KeyboardInterrupt:
        return 0


for _command in (
    submit,
    jobs,
    show,
    logs,
    cancel,
    retry,
    run,
    delete,
    workers,
    restart,
    drain,
    scale,
    stack,
    queues,
    pause,
    resume,
    schedules,
    types,
    status,
    healthcheck,
    config,
    db,
):
    orpheus.add_command(_command)
