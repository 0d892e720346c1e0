"""`python -m api`: the HTTP API, as the supervisor's child (`--control-fd`) or alone.

Alone, it reads the configuration, binds its own socket, creates the database if there is none, and
has the job types described by a child process; so its jobs run as soon as a worker is started.
"""

import asyncio
import functools
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from orpheus.api.run import SLOT, run_api
from orpheus.config.options import config_options
from orpheus.config.token_file import read_token
from orpheus.shared.domain.handover import ApiHandover, from_json
from orpheus.shared.errors import OrpheusError
from orpheus.shared.job_types.describe import describe_types
from orpheus.shared.logs import configure_logging, stop_logging
from orpheus.shared.operations.configuration import ConfigurationEditor
from orpheus.shared.process.child_start import enter_child
from orpheus.shared.process.failpoints import name_program
from orpheus.shared.process.listener import bind_listener
from orpheus.shared.storage import open_storage


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--control-fd", type=int, hidden=True, help="Set by the supervisor.")
@config_options
def main(control_fd: int | None, config: Path | None, sets: tuple[str, ...]) -> None:
    """Serve the API alone, without a supervisor, until Ctrl-C."""
    name_program("api")
    try:
        if control_fd is None:
            _run_alone(config, sets)
        else:
            _run_supervised(control_fd)
    except OrpheusError as error:
        click.echo(f"api: {error}", err=True)
        sys.exit(error.exit_code)
    finally:
        stop_logging()


def _run_alone(config: Path | None, sets: Sequence[str]) -> None:
    # A supervised API never loads these.
    from orpheus.config.handovers import for_api, for_commands  # noqa: PLC0415
    from orpheus.config.load import load_settings  # noqa: PLC0415

    # Until the server handles the signals itself, there is nothing to finish.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    settings = load_settings(config, sets, os.environ)
    handover = for_api(settings, supervised=False)
    configure_logging(handover.log_level, handover.log_format, SLOT)
    listener = bind_listener(handover.host, handover.port)
    store = open_storage(handover.storage, create=True)
    modules, timeout_s = settings.jobs.modules, settings.supervisor.start_timeout
    store.types.replace(describe_types(modules, for_commands(settings), timeout_s))
    store.close()
    asyncio.run(
        run_api(
            handover,
            listener,
            token=read_token(handover.token_file),
            configuration=_configuration(settings.source, sets),
        )
    )


def _run_supervised(control_fd: int) -> None:
    start = enter_child(control_fd)
    handover = from_json(ApiHandover, start.handover["settings"])
    configure_logging(handover.log_level, handover.log_format, start.slot)
    listener = socket.socket(fileno=start.handover["socket_fd"])
    file = start.handover["config_file"]
    try:
        asyncio.run(
            run_api(
                handover,
                listener,
                token=read_token(handover.token_file),
                configuration=_configuration(file and Path(file), start.handover["sets"]),
                channel=start.channel,
                incarnation=start.incarnation,
            )
        )
    except OrpheusError as error:
        start.channel.send({"say": "failed", "reason": str(error)})
        raise


def _configuration(path: Path | None, sets: Sequence[str]) -> Callable[[], ConfigurationEditor]:
    """Return what opens the configuration, at the first call: the editor takes 6 MB."""

    @functools.cache
    def editor() -> ConfigurationEditor:
        from orpheus.config.editing.file import ConfigurationFile  # noqa: PLC0415

        return ConfigurationFile(path, sets, os.environ)

    return editor


if __name__ == "__main__":
    main()
