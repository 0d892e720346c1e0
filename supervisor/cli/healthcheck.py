"""`orpheus healthcheck`: what the API says of itself, for a container or a load balancer."""

import json
from http.client import HTTPConnection, HTTPException
from typing import Any

import click

from orpheus.shared.errors import ExitCode
from orpheus.shared.text import printable
from orpheus.supervisor.cli.operator import Operator, for_operator
from orpheus.supervisor.cli.output import print_json

_HEALTHCHECK_S = 5.0


@click.command()
@for_operator
def healthcheck(operator: Operator) -> int:
    """Ask the API whether it is ready; exit 1 if it is not."""
    handover = operator.handover(certain=True)
    host, port = handover.api_host, handover.api_port
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    if not port:
        click.echo("orpheus: api.port is 0, any free one: name the port with --set", err=True)
        return ExitCode.NO
    try:
        code, body = _get(host, port, "/readyz")
    except OSError as error:
        click.echo(f"orpheus: no answer from {host}:{port}: {error}", err=True)
        return ExitCode.NO
    if operator.as_json:
        print_json(body)
    else:
        click.echo(printable(f"{body.get('status', code)}"))
        for name, check in body.get("checks", {}).items():
            click.echo(printable(f"  {name}: {check['status']}, {check['detail']}"))
    return ExitCode.OK if code == 200 else ExitCode.NO


def _get(host: str, port: int, path: str) -> tuple[int, dict[str, Any]]:
    """Return the status and the JSON of an answer. Raises OSError."""
    connection = HTTPConnection(host, port, timeout=_HEALTHCHECK_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = json.loads(response.read(1_000_000))
    except (HTTPException, ValueError) as error:
        raise OSError(f"not the answer of an API ({error})") from error
    finally:
        connection.close()
    return response.status, body if isinstance(body, dict) else {}
