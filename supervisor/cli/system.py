"""The system in parts: workers, programs, job types, health."""

import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from typing import Any

import click

from orpheus.shared.domain.handover import CommandLineHandover
from orpheus.shared.domain.processes import Role
from orpheus.shared.errors import ExitCode
from orpheus.shared.storage import Store
from orpheus.shared.views.job_types import types_json
from orpheus.shared.views.workers import Worker, workers_json
from orpheus.supervisor.cli.operator import Operator, for_operator
from orpheus.supervisor.cli.output import (
    duration,
    mebibytes,
    print_items,
    print_json,
    since,
)
from orpheus.supervisor.cli.table import Column
from orpheus.supervisor.cli.type_stats import print_type_stats

_HEALTHCHECK_S = 5.0
_OF_WORKERS = (
    "SLOT",
    "STATE",
    Column("PID", 6),
    Column("JOB", least=12),
    Column("BEAT", 4),
    Column("CPU", 3),
    Column("MEMORY", 2),
    Column("DONE", 7),
    Column("UP", 5),
    Column("RESTARTS", 1),
    Column("WHY", least=24),
)
_OF_PROGRAMS = (
    "SLOT",
    "STATE",
    Column("PID", 4),
    Column("CPU", 3),
    Column("MEMORY", 2),
    Column("UP", 1),
    "RESTARTS",
    Column("WHY", least=24),
)
_OF_TYPES = (
    "TYPE",
    "STATE",
    Column("PAYLOAD", least=16),
    Column("QUEUE", 3),
    Column("RETRIES", 2),
    Column("TIMEOUT", 1),
    Column("DESCRIPTION", least=24),
)


@click.command()
@for_operator
def workers(operator: Operator) -> int:
    """List every process with its state, job and resource use."""
    handover = operator.handover()
    with operator.store(handover) as store:
        items = read_workers(store, handover)
    print_workers(items, as_json=operator.as_json)
    return ExitCode.OK


@click.command()
@for_operator
def programs(operator: Operator) -> int:
    """List programs with their state and resource use."""
    handover = operator.handover()
    with operator.store(handover) as store:
        items = [one for one in read_workers(store, handover) if one["role"] == Role.PROGRAM]
    several = _are_of_several_hosts(items)

    def row(item: Mapping[str, Any]) -> tuple[object, ...]:
        slot, state, pid, _, _, cpu, memory, _, *rest = _worker_row(item)
        host = (item["host"],) if several else ()
        return *host, slot, state, pid, cpu, memory, *rest

    columns = ("HOST", *_OF_PROGRAMS) if several else _OF_PROGRAMS
    print_items(items, columns, row, as_json=operator.as_json)
    return ExitCode.OK


def read_workers(store: Store, handover: CommandLineHandover) -> list[Worker]:
    """Return every slot, and every process without one, as GET /workers shows them."""
    return workers_json(store, supervised_on=None, beat_timeout_s=handover.beat_timeout_s)


def print_workers(items: Sequence[Mapping[str, Any]], *, as_json: bool = False) -> None:
    """Print a table, with the hosts only if there are several."""
    if not _are_of_several_hosts(items):
        print_items(items, _OF_WORKERS, _worker_row, as_json=as_json)
        return

    def row(item: Mapping[str, Any]) -> tuple[object, ...]:
        return item["host"], *_worker_row(item)

    print_items(items, ("HOST", *_OF_WORKERS), row, as_json=as_json)


def _are_of_several_hosts(items: Sequence[Mapping[str, Any]]) -> bool:
    return len({item["host"] for item in items}) > 1


def _worker_row(item: Mapping[str, Any]) -> tuple[object, ...]:
    job, cpu, last_exit = item["job"], item["cpu_percent"], item["last_exit"]
    others = item["jobs_in_progress"] - 1
    why = item["reason"] or (_last_exit(last_exit) if last_exit else "")
    return (
        item["slot"],
        item["state"],
        item["pid"],
        f"{job['id']} {job['type']}" + (f" (+{others})" if others > 0 else "") if job else None,
        duration(item["heartbeat_age_s"]),
        None if cpu is None else f"{cpu:.1f} %",
        mebibytes(item["rss_bytes"]),
        item["jobs_done"],
        duration(item["uptime_s"]),
        item["restarts"],
        ("degraded: " if item["degraded"] else "") + why,
    )


def _last_exit(last_exit: Mapping[str, Any]) -> str:
    ended_ms = int(datetime.fromisoformat(last_exit["at"]).timestamp() * 1000)
    ago = since(ended_ms, int(time.time() * 1000))
    lived = duration(last_exit["uptime_s"])
    return f"last exit {ago}, after {lived}: {last_exit['reason']}"


@click.command()
@click.option("--stats", is_flag=True, help="What their attempts cost instead: time, CPU, memory.")
@for_operator
def types(operator: Operator, stats: bool) -> int:
    """List the job types and their payloads."""
    handover = operator.handover()
    with operator.store(handover) as store:
        if stats:
            print_type_stats(store, as_json=operator.as_json)
            return ExitCode.OK
        items = types_json(store, handover.defaults)
        fields = {row.name: _fields_of(row.schema) for row in store.types.all()}

    def row(item: Mapping[str, Any]) -> tuple[object, ...]:
        defaults, description = item["defaults"], item["description"].partition("\n")[0]
        retries, timeout = defaults["max_retries"], duration(defaults["timeout"])
        state = "quarantined" if item["quarantine"] else "open"
        name, queue = item["name"], defaults["queue"]
        return name, state, fields.get(name), queue, retries, timeout, description

    print_items(items, _OF_TYPES, row, as_json=operator.as_json)
    return ExitCode.OK


def _fields_of(schema_json: str) -> str:
    """Return the fields of a payload: `path width?`; `?` marks those that may be left out."""
    schema = json.loads(schema_json)
    required = schema.get("required", ())
    return " ".join(n if n in required else f"{n}?" for n in schema.get("properties", ()))


@click.command()
@for_operator
def healthcheck(operator: Operator) -> int:
    """Ask the API whether it is ready; exit 1 if it is not."""
    handover = operator.handover_in_force()
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
        click.echo(f"{body.get('status', code)}")
        for name, check in body.get("checks", {}).items():
            click.echo(f"  {name}: {check['status']}, {check['detail']}")
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
