"""`orpheus dev`: start everything for development, and reload job code as it is saved."""

import contextlib
import errno
import os
import sys
import termios
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from orpheus.config.dev import DEV_DATABASE, dev_sources
from orpheus.config.load import settings_of
from orpheus.config.options import config_options
from orpheus.config.settings import Settings
from orpheus.shared.errors import CannotBind, ExitCode
from orpheus.shared.process.files import cannot_make, make_folder
from orpheus.shared.process.listener import bind_listener
from orpheus.supervisor.cli.operator import given_to
from orpheus.supervisor.linux.signals import Signals
from orpheus.supervisor.run import Development, run_supervisor

_PORTS = 20
"""How many ports are tried, from the configured one on."""
_BUILT_IN = "orpheus.worker.handlers"


@click.command()
@click.argument("modules", nargs=-1, metavar="[MODULE]...")
@click.option("--debug", is_flag=True, help="One worker, on the terminal: breakpoint() works.")
@config_options
@click.pass_context
def dev(
    context: click.Context,
    modules: tuple[str, ...],
    debug: bool,
    config: Path | None,
    sets: tuple[str, ...],
) -> int:
    """Start everything for development, in an empty or existing project.

    MODULE is a module with jobs, such as `jobs`, `shop.jobs` or `shop/jobs.py`. Without one they
    are those of the configuration file, else jobs.py in this folder.

    No file is needed. The database is in .orpheus/, unless the configuration names one. Job code
    is reloaded when it is saved, what jobs print is in the log, and if the port is in use, the next
    free one is taken.
    """
    signals = Signals()
    try:
        config, sets, _ = given_to(context)
        read = _Read(config, sets, [_dotted(name) for name in modules], debugs=debug)
        settings = read()
        _make_folder(settings)
        with _terminal_restored():
            return run_supervisor(read, signals, sets, Development(read.hints, debugs=debug))
    except KeyboardInterrupt:
        return ExitCode.OK


def _dotted(module: str) -> str:
    """Return the name of a module that may be given as a path, such as shop/jobs.py."""
    return module.removeprefix("./").removesuffix(".py").replace("/", ".")


class _Read:
    """Reads the settings, at the start and at each reload."""

    def __init__(
        self, config: Path | None, sets: Sequence[str], modules: Sequence[str], *, debugs: bool
    ) -> None:
        self._config = config
        self._sets = sets
        self._modules = modules
        self._debugs = debugs
        self._ports: dict[tuple[str, int], int] = {}
        """The configured address -> the port that was free when it was read first."""
        self._settings: Settings | None = None

    def __call__(self) -> Settings:
        """Return the settings. Raises ConfigurationError."""
        sources = dev_sources(
            self._config, self._sets, os.environ, self._modules, debugs=self._debugs
        )
        settings = settings_of(sources)
        api = settings.api
        if api.enabled:
            address = api.host, api.port
            port = self._ports.get(address) or _free_port(*address)
            self._ports[address] = port
            if port != api.port:
                sources.assume({"api": {"port": port}})
                settings = settings_of(sources)
        self._settings = settings
        return settings

    def hints(self) -> list[str]:
        """Return what a person should know at the start."""
        hints = [
            f"port {wanted} is in use: this is the next free one"
            for (_, wanted), port in self._ports.items()
            if port != wanted
        ]
        modules = self._settings.jobs.modules if self._settings else ()
        if modules == (_BUILT_IN,):
            hints.append("no job module yet: write functions with @job into jobs.py, and save it")
            hints.append("try a built-in type: orpheus submit wordcount text='Hello, Ada' --wait")
        else:
            hints.append(
                f"job modules: {', '.join(modules)} (reloaded when a .py file here is saved)"
            )
        if self._debugs:
            hints.append("breakpoint() in a job opens the debugger here; Ctrl-C ends everything")
        return hints


def _free_port(host: str, port: int) -> int:
    """Return the first free port from `port` on, or `port` if something else is wrong with it."""
    for tried in range(port, min(port + _PORTS, 65_536)) if port else ():
        try:
            bind_listener(host, tried).close()
        except CannotBind as error:
            cause = error.__cause__
            if not isinstance(cause, OSError) or cause.errno != errno.EADDRINUSE:
                break
        else:
            return tried
    return port  # the start says what is wrong with it


def _make_folder(settings: Settings) -> None:
    """Make .orpheus/, out of sight of git, if the database is there. Raises DatabaseUnusable."""
    folder = DEV_DATABASE.parent
    if str(DEV_DATABASE) not in settings.database.url:
        return
    ignored = folder / ".gitignore"
    try:
        make_folder(folder)
        if not ignored.exists():
            ignored.write_text("*\n")
    except OSError as error:
        raise cannot_make(folder, error) from error


@contextlib.contextmanager
def _terminal_restored() -> Iterator[None]:
    """Leave the terminal as it was: a worker may be killed while its debugger reads a line."""
    try:
        before = termios.tcgetattr(sys.stdin)
    except (termios.error, OSError, ValueError):  # no terminal
        yield
        return
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
