"""Find all job types: those of the modules, which a child process describes, and the commands.

Only workers run user code: a module that hangs or crashes at import must not harm the supervisor
or the API.
"""

import contextlib
import hashlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from tempfile import TemporaryFile
from typing import IO, Any

from orpheus.shared.domain.commands import CommandSettings, describe_command
from orpheus.shared.errors import ConfigurationError
from orpheus.shared.storage import TypeRow

_MAX_ERROR_BYTES = 4_096


def describe_types(
    modules: Sequence[str], commands: Sequence[CommandSettings], timeout_s: float
) -> list[TypeRow]:
    """Return what `python -m worker --describe` prints for `modules`, and the commands.

    Raises ConfigurationError with the child's output if it fails or takes longer than `timeout_s`,
    and if a command has the name of a module's job type.
    """
    described = _describe_modules(modules, timeout_s) if modules else []
    rows = {item["name"]: type_row(item) for item in described}
    for command in commands:
        if command.name in rows:
            raise name_taken(command)
        rows[command.name] = type_row(describe_command(command))
    return list(rows.values())


def digest_of(types: Sequence[TypeRow]) -> str:
    """Return a hash that changes when any of the job types changes."""
    described = json.dumps(sorted(map(astuple, types), key=lambda row: str(row[0])))
    return hashlib.sha256(described.encode()).hexdigest()


def name_taken(command: CommandSettings) -> ConfigurationError:
    """Return the error for a command that has the name of a module's job type."""
    return ConfigurationError(
        f"commands: {command.name!r} is a job type of a module already; rename the command"
    )


def _describe_modules(modules: Sequence[str], timeout_s: float) -> list[dict[str, Any]]:
    chosen = [part for module in modules for part in ("--module", module)]
    argv = [sys.executable, "-m", "orpheus.worker", "--describe", *chosen]
    # Files, not pipes: a process that a module starts at import may keep a pipe open forever.
    with TemporaryFile() as output, TemporaryFile() as errors:
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, start_new_session=True
        )
        try:
            in_time = _wait_for_exit(child.pid, timeout_s)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(
                    child.pid, signal.SIGKILL
                )  # not reaped yet, so its group id is not in use again
            child.wait()
        if not in_time:
            raise ConfigurationError(
                f"jobs.modules: importing {', '.join(modules)} took over {timeout_s:g} s"
            )
        if child.returncode != 0:
            raise ConfigurationError(
                "jobs.modules: the job types cannot be described "
                f"(exit code {child.returncode}):\n{_end_of(errors)}"
            )
        output.seek(0)
        described: list[dict[str, Any]] = json.load(output)
        return described


def _wait_for_exit(pid: int, timeout_s: float) -> bool:
    """Return whether the child `pid` ends in time; it is not reaped."""
    pidfd = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))
    finally:
        os.close(pidfd)


def _end_of(file: IO[bytes]) -> str:
    """Return the end of a long traceback: it says what went wrong."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _MAX_ERROR_BYTES))
    return file.read().decode(errors="replace").strip()


def type_row(item: Mapping[str, Any]) -> TypeRow:
    """Return a described job type as the row that the store keeps."""
    return TypeRow(
        name=item["name"],
        schema=json.dumps(item["schema"]),
        max_retries=item["max_retries"],
        timeout_s=item["timeout_s"],
        queue=item["queue"],
        description=item["description"],
    )
