"""The job types there are: those of modules, as a child process tells them, and commands.

User code runs in workers alone: a module that hangs or crashes at import must take neither the
supervisor nor the API with it.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any

from shared.commands import CommandSettings, describe_command
from shared.errors import ConfigurationError
from shared.storage import TypeRow


def describe_types(
    modules: Sequence[str], commands: Sequence[CommandSettings], timeout_s: float
) -> list[TypeRow]:
    """What `python -m worker --describe` says of `modules`, and the commands.

    Raises ConfigurationError with what the child said, if it takes longer than `timeout_s`, or if
    a command is called like a type of a module.
    """
    described = _describe_modules(modules, timeout_s) if modules else []
    rows = {item["name"]: type_row(item) for item in described}
    for command in commands:
        if command.name in rows:
            raise name_taken(command)
        rows[command.name] = type_row(describe_command(command))
    return list(rows.values())


def digest_of(types: Sequence[TypeRow]) -> str:
    """Changes whenever one of the job types does."""
    described = json.dumps(sorted(map(astuple, types), key=lambda row: str(row[0])))
    return hashlib.sha256(described.encode()).hexdigest()


def name_taken(command: CommandSettings) -> ConfigurationError:
    """The refusal of a command that is called like a job type of a module."""
    return ConfigurationError(
        f"commands: {command.name!r} is a job type of a module already; call the command otherwise"
    )


def _describe_modules(modules: Sequence[str], timeout_s: float) -> list[dict[str, Any]]:
    chosen = [part for module in modules for part in ("--module", module)]
    argv = [sys.executable, "-m", "worker", "--describe", *chosen]
    child = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    try:
        output, errors = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise ConfigurationError(
            f"jobs.modules: importing {', '.join(modules)} took over {timeout_s:g} s"
        ) from None
    finally:
        if child.returncode is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    if child.returncode != 0:
        raise ConfigurationError(
            f"jobs.modules: the job types cannot be described (exit code {child.returncode}):\n"
            f"{errors.strip()}"
        )
    described: list[dict[str, Any]] = json.loads(output)
    return described


def type_row(item: Mapping[str, Any]) -> TypeRow:
    """A job type as it is described, as the store keeps it."""
    return TypeRow(
        name=item["name"],
        schema=json.dumps(item["schema"]),
        max_retries=item["max_retries"],
        timeout_s=item["timeout_s"],
        queue=item["queue"],
        description=item["description"],
    )
