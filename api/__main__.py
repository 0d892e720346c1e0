"""`python -m api`: the HTTP API, as the supervisor's child (`--control-fd`) or alone.

Alone, it reads the configuration, binds its own socket, creates the database if there is none, and
has the job types described by a child process. So its jobs run as soon as a worker is started. It
listens for the commits of other hosts itself.
"""

import gc

from orpheus.shared.process.stop_signals import (
    end_at_stop_signals,
    exit_at_stop_signals,
    stop_signals,
)

if __name__ == "__main__":  # first: the imports below take their time
    exit_at_stop_signals()
    gc.disable()  # until `without_garbage` has ended

import asyncio
import contextlib
import functools
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
from msgspec.structs import replace

from orpheus.config.files import read_tokens
from orpheus.config.options import config_options
from orpheus.shared.domain.handover import ApiHandover
from orpheus.shared.domain.processes import API_SLOT
from orpheus.shared.errors import OrpheusError
from orpheus.shared.imports import without_garbage
from orpheus.shared.job_types.describe import describe_types
from orpheus.shared.logs import configure_logging, stop_logging
from orpheus.shared.operations.configuration import ConfigurationEditor
from orpheus.shared.operations.waiting import once_it_answers
from orpheus.shared.process.child_start import ChildStart, enter_child
from orpheus.shared.process.failpoints import name_program
from orpheus.shared.process.limits import share_one_arena
from orpheus.shared.process.listener import bind_listener
from orpheus.shared.process.standard_streams import open_missing_streams
from orpheus.shared.storage import listen, open_storage, settled, state_files


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--control-fd", type=int, hidden=True, help="Set by the supervisor.")
@config_options
def main(control_fd: int | None, config: Path | None, sets: tuple[str, ...]) -> None:
    """Serve the API without a supervisor, until Ctrl-C."""
    open_missing_streams()
    share_one_arena()
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
    # Imported late: a supervised API never loads the settings.
    from orpheus.config.handovers import for_api, for_commands  # noqa: PLC0415
    from orpheus.config.load import load_settings  # noqa: PLC0415

    settings = load_settings(config, sets, os.environ)
    handover = for_api(settings, supervised=False)
    # A link may be changed while the API runs.
    handover = replace(handover, storage=settled(handover.storage))
    configure_logging(handover.log_level, handover.log_format, API_SLOT)
    listener = bind_listener(handover.host, handover.port)
    modules, timeout_s = settings.jobs.modules, settings.supervisor.start_timeout

    def store_types() -> None:
        with contextlib.closing(open_storage(handover.storage, create=True)) as store:
            end_at_stop_signals()  # the child that imports the modules may have started others
            types = describe_types(modules, for_commands(settings), timeout_s)
            exit_at_stop_signals()
            store.types.replace(types)

    once_it_answers(store_types)
    listening = listen(handover.storage)
    try:
        _serve(handover, listener, settings.source, sets)
    finally:
        listening.stop()


def _run_supervised(control_fd: int) -> None:
    start = enter_child(control_fd)
    message = start.handover
    handover = msgspec.convert(message["settings"], ApiHandover)
    configure_logging(handover.log_level, handover.log_format, start.slot)
    listener = socket.socket(fileno=message["socket_fd"])
    file = message["config_file"] and Path(message["config_file"])
    try:
        _serve(handover, listener, file, message["sets"], start)
    except OrpheusError as error:
        start.channel.send({"say": "failed", "reason": str(error)})
        raise


def import_fastapi() -> None:
    """Import FastAPI. Its OpenAPI models are built at the first request for /openapi.json: 40 ms.

    Our own models are built at once: several threads may be the first to use one, and pydantic
    cannot build one safely in several.
    """
    from pydantic import BaseModel, ConfigDict  # noqa: PLC0415 - see _serve

    before = BaseModel.model_config
    BaseModel.model_config = ConfigDict(defer_build=True)
    import fastapi  # noqa: F401, PLC0415 - see _serve

    BaseModel.model_config = before


def _serve(
    handover: ApiHandover,
    listener: socket.socket,
    file: Path | None,
    sets: Sequence[str],
    start: ChildStart | None = None,
) -> None:
    # Imported late: it takes long, and a child must first be ready for its supervisor's death.
    with without_garbage():
        import_fastapi()
        from orpheus.api.http.auth import Key  # noqa: PLC0415 - see above
        from orpheus.api.run import run_api  # noqa: PLC0415 - see above

    @functools.cache
    def editor() -> ConfigurationEditor:
        from orpheus.config.editing.file import ConfigurationFile  # noqa: PLC0415 - 6 MB, for GET and PUT /config

        storage = handover.storage
        return ConfigurationFile(
            file, sets, os.environ, state_files(storage.url, storage.state_dir)
        )

    def read_keys() -> list[Key]:
        admin = Key(read_tokens(handover.token_file))
        named = [
            Key(read_tokens(token.file), token.role, token.scope, token.name)
            for token in handover.tokens
        ]
        return [key for key in (admin, *named) if key.secrets]

    async def serve() -> None:
        await run_api(
            handover,
            listener,
            keys=read_keys(),
            configuration=editor,
            channel=start.channel if start else None,
            incarnation=start.incarnation if start else None,
        )
        for number in stop_signals():  # it is about to exit, with its own code
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)

    asyncio.run(serve())


if __name__ == "__main__":
    main()
