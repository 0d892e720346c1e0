"""`python -m api`: the HTTP API, as the supervisor's child (`--control-fd`) or alone.

Alone, it reads the configuration, binds its own socket, makes the database if there is none, and
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
from orpheus.api.services import ApiOptions
from orpheus.config.options import config_options
from orpheus.config.settings import Settings, for_commands, for_storage, load_settings
from orpheus.config.token_file import read_token
from orpheus.shared.errors import CannotBind, ConfigurationError, DatabaseUnusable, OrpheusError
from orpheus.shared.job_types.admission import JobDefaults
from orpheus.shared.job_types.describe import describe_types
from orpheus.shared.logs import configure_logging, stop_logging
from orpheus.shared.operations.configuration import ConfigurationEditor
from orpheus.shared.process.child_start import enter_child
from orpheus.shared.process.failpoints import name_program
from orpheus.shared.process.listener import bind_listener
from orpheus.shared.storage import open_storage

_EXIT_CODES: dict[type[OrpheusError], int] = {
    CannotBind: 69,
    DatabaseUnusable: 74,
    ConfigurationError: 78,
}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--control-fd", type=int, hidden=True, help="Set by the supervisor.")
@config_options
def main(control_fd: int | None, config: Path | None, sets: tuple[str, ...]) -> None:
    """Serve the API alone, without a supervisor, until Ctrl-C."""
    name_program("api")
    try:
        if control_fd is None:
            settings = load_settings(config, sets, os.environ)
            _run_alone(settings, _configuration(settings.source, sets))
        else:
            _run_supervised(control_fd)
    except OrpheusError as error:
        click.echo(f"api: {error}", err=True)
        sys.exit(next((c for kind, c in _EXIT_CODES.items() if isinstance(error, kind)), 1))
    finally:
        stop_logging()


def _run_alone(settings: Settings, configuration: Callable[[], ConfigurationEditor]) -> None:
    # Until the server takes the signals itself, there is nothing to finish.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    configure_logging(settings.logging.level, settings.logging.format, SLOT)
    listener = bind_listener(settings.api.host, settings.api.port)
    store = open_storage(for_storage(settings), create=True)
    modules, timeout_s = settings.jobs.modules, settings.supervisor.start_timeout
    store.types.replace(describe_types(modules, for_commands(settings), timeout_s))
    store.close()
    asyncio.run(run_api(_options(settings, configuration, supervised=False), listener))


def _run_supervised(control_fd: int) -> None:
    start = enter_child(control_fd)
    settings = Settings.model_validate(start.handover["settings"])
    configure_logging(settings.logging.level, settings.logging.format, start.slot)
    listener = socket.socket(fileno=start.handover["socket_fd"])
    try:
        file = start.handover["config_file"]
        configuration = _configuration(file and Path(file), start.handover["sets"])
        options = _options(settings, configuration, supervised=True)
        asyncio.run(
            run_api(options, listener, channel=start.channel, incarnation=start.incarnation)
        )
    except OrpheusError as error:
        start.channel.send({"say": "failed", "reason": str(error)})
        raise


def _configuration(path: Path | None, sets: Sequence[str]) -> Callable[[], ConfigurationEditor]:
    """Opens the configuration at the first call: its editor and pydantic-settings take 6 MB."""

    @functools.cache
    def editor() -> ConfigurationEditor:
        from orpheus.config.editing.file import ConfigurationFile  # noqa: PLC0415

        return ConfigurationFile(path, sets, os.environ)

    return editor


def _options(
    settings: Settings, configuration: Callable[[], ConfigurationEditor], *, supervised: bool
) -> ApiOptions:
    return ApiOptions(
        storage=for_storage(settings),
        defaults=JobDefaults(settings.jobs.max_retries, settings.jobs.timeout),
        beat_interval_s=settings.heartbeats.interval,
        beat_timeout_s=settings.heartbeats.timeout,
        host=settings.api.host,
        allowed_hosts=settings.api.allowed_hosts,
        cors_origins=settings.api.cors_origins,
        max_body_bytes=settings.api.max_body,
        max_batch_body_bytes=settings.api.max_batch_body,
        max_clients=settings.api.max_clients,
        read_only=settings.api.read_only,
        token=read_token(settings.api.token_file),
        supervised=supervised,
        configuration=configuration,
    )


if __name__ == "__main__":
    main()
