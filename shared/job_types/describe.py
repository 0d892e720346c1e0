"""The job types there are: those of modules, as a child process tells them, and commands.

User code runs in workers alone: a module that hangs or crashes at import must take neither the
supervisor nor the API with it.
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

_LONGEST_COMPLAINT = 4_096


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
        f"commands: {command.name!r} is a job type of a module already; rename the command"
    )


def _describe_modules(modules: Sequence[str], timeout_s: float) -> list[dict[str, Any]]:
    chosen = [part for module in modules for part in ("--module", module)]
    argv = [sys.executable, "-m", "orpheus.worker", "--describe", *chosen]
    # Files, not pipes: what a module starts at import may hold them open for ever.
    with TemporaryFile() as output, TemporaryFile() as errors:
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, start_new_session=True
        )
        try:
            in_time = _wait_for_exit(child.pid, timeout_s)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)  # not reaped yet: the group is still its own
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
    """Whether our child `pid` ends in time; it is not reaped."""
    pidfd = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        return bool(poll.poll(timeout_s * 1000))
    finally:
        os.close(pidfd)


def _end_of(file: IO[bytes]) -> str:
    """Of a long traceback the end, where the reason stands."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _LONGEST_COMPLAINT))
    return file.read().decode(errors="replace").strip()


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
