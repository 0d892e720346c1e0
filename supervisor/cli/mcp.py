"""`orpheus mcp`: let an assistant look at the system, and mend it if its token may."""

import gc
import os
import re
import signal
from pathlib import Path

import click

from orpheus.config.files import read_tokens
from orpheus.config.options import config_options
from orpheus.shared.errors import ConfigurationError
from orpheus.supervisor.cli.operator import Operator, given_to

_NEEDS_MCP = "orpheus mcp needs the package mcp: pip install 'orpheus-jobs[mcp]'"


@click.command()
@click.option("--url", metavar="URL", help="The API (default: the configured one, on this host).")
@click.option(
    "--token-file",
    metavar="FILE",
    help="A file with the token, mode 0600 (default: none, or the variable ORPHEUS_TOKEN).",
)
@config_options
@click.pass_context
def mcp(
    context: click.Context,
    url: str | None,
    token_file: str | None,
    config: Path | None,
    sets: tuple[str, ...],
) -> None:
    """Serve the Model Context Protocol on standard input and output, for an assistant.

    It calls the HTTP API with a token: what the token may not do, the assistant may not.
    """
    try:
        from orpheus.mcp.server import make_server  # noqa: PLC0415 - the package is an extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "mcp":
            raise
        raise ConfigurationError(_NEEDS_MCP) from error
    config, sets, _ = given_to(context)
    token = read_tokens(token_file)[0] if token_file else os.environ.get("ORPHEUS_TOKEN")
    if token and not re.fullmatch(r"[!-~]+", token):
        raise ConfigurationError("ORPHEUS_TOKEN must be printable ASCII without spaces")
    try:
        server = make_server(url or _own_url(config, sets), token or None)
    except ValueError as error:
        raise click.UsageError(f"--url: {error}", context) from None
    gc.enable()  # supervisor/__main__.py switched it off
    # Ctrl-C would wait for the thread that reads standard input; there is nothing to finish.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    server.run("stdio")


def _own_url(config: Path | None, sets: tuple[str, ...]) -> str:
    handover = Operator(config, sets, as_json=False).handover()
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(handover.api_host, handover.api_host)  # noqa: S104
    if not handover.api_port:
        raise ConfigurationError("api.port is 0 (any free port): give the address with --url")
    return f"http://{f'[{host}]' if ':' in host else host}:{handover.api_port}"
