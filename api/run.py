"""Runs the API in this process: services, server and heartbeats, until it is stopped.

It stops at a signal to stop (SIGTERM, SIGINT, SIGHUP), on `drain` (a new API process accepts
already) or `stop` from the supervisor, or when the supervisor's end of the channel closes. The exit
code is always 0: what was acknowledged is committed, so stopping loses nothing.
"""

import asyncio
import contextlib
import secrets
import socket
import sys
from collections.abc import Callable, Iterator, Sequence

from prometheus_client import Metric

from orpheus.api.app import create_app
from orpheus.api.beats import Beats
from orpheus.api.http.auth import Key
from orpheus.api.routes.metrics import figures
from orpheus.api.server.uvicorn import Server
from orpheus.api.services import Services, open_services
from orpheus.shared.domain.handover import ApiHandover
from orpheus.shared.domain.processes import API_SLOT, Role
from orpheus.shared.logs import get_logger
from orpheus.shared.operations.configuration import ConfigurationEditor
from orpheus.shared.process.channel import Channel
from orpheus.shared.process.clock import SystemClock
from orpheus.shared.process.listener import address_of
from orpheus.shared.process.own_record import own_record
from orpheus.shared.process.stop_signals import stop_signals

_INTERPRETER_TURN_S = 0.001
"""How long a busy thread may keep Python from the others. A request waits for several such turns.
With Python's own 5 ms, a batch being checked would delay other requests by tens of ms."""

_EXPORT_S = 1.0
"""How long a stop waits for the last spans to be exported."""

log = get_logger()


async def run_api(
    options: ApiHandover,
    listener: socket.socket,
    *,
    keys: Sequence[Key],
    configuration: Callable[[], ConfigurationEditor],
    channel: Channel | None,
    incarnation: str | None,
) -> None:
    """Serve on `listener` until told to stop. Main thread only, because it handles signals."""
    sys.setswitchinterval(_INTERPRETER_TURN_S)
    opening = open_services(options, keys=keys, configuration=configuration)
    async with opening as services:
        record = own_record(
            SystemClock(),
            options.host_name,
            Role.API,
            API_SLOT,
            incarnation or secrets.token_hex(8),
        )
        beats = Beats(channel, record, services.writer, options.beat_interval_s)
        server = _server(services, listener, beats)
        _listen_to_signals(server)
        if channel is not None:
            _listen_to_supervisor(channel, server)
        beats.start()
        with _otel(services, record.slot):
            await server.serve(sockets=[listener])
        await beats.stop()
    log.info("api_stopped")


def _server(services: Services, listener: socket.socket, beats: Beats) -> Server:
    address = address_of(listener)

    def started() -> None:
        beats.ready()
        log.info("api_ready", address=address)

    return Server(
        create_app(services),
        max_clients=services.options.max_clients,
        on_started=started,
        on_stopping=services.release_all,
    )


@contextlib.contextmanager
def _otel(services: Services, slot: str) -> Iterator[None]:
    """Export spans and figures to the collector, if there is one."""
    options = services.options
    if options.otel_endpoint is None:
        yield
        return
    from orpheus import otel  # noqa: PLC0415 - an extra

    def read() -> list[Metric]:
        return services.with_own_store(lambda store: figures(store, options))

    otel.start(options.otel_endpoint, options.host_name, slot, figures=read)
    services.submit_span = otel.submit_span
    yield
    otel.stop(_EXPORT_S)


def _listen_to_signals(server: Server) -> None:
    loop = asyncio.get_running_loop()
    for number in stop_signals():
        loop.add_signal_handler(number, server.stop)


def _listen_to_supervisor(channel: Channel, server: Server) -> None:
    loop = asyncio.get_running_loop()

    def listen() -> None:
        orders = {message.get("do") for message in channel.receive()}
        if channel.closed:
            loop.remove_reader(channel)
            log.warning("supervisor_gone")
        if channel.closed or "stop" in orders:
            server.stop()
        elif "drain" in orders:
            server.drain()

    loop.add_reader(channel, listen)
