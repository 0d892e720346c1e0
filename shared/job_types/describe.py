"""Find all job types: types of the modules, which a child process describes, and commands.

Only workers run user code: a module that hangs or crashes at import must not harm the supervisor
or the API.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import IO, Any

from orpheus.shared.domain.commands import CommandSettings, describe_command
from orpheus.shared.domain.processes import signal_name
from orpheus.shared.errors import ConfigurationError, ExitCode, ModulesNotDescribed
from orpheus.shared.storage import TypeRow

_MAX_ERROR_BYTES = 4_096
_TRIES = 3
"""A process that was ended by a signal (memory ran out, say) may succeed at another try."""


def describe_types(
    modules: Sequence[str],
    commands: Sequence[CommandSettings],
    timeout_s: float,
    around: Sequence[str] = (),
) -> list[TypeRow]:
    """Return what `python -m worker --describe` prints for `modules`, and the commands.

    It also checks that the functions of `around` are there and fit all of these. Raises
    ConfigurationError with the child's output if it fails or
    takes longer than `timeout_s`, and if a command has the name of a module's job type. Raises
    ModulesNotDescribed if the child is ended by a signal, three times.
    """
    described: Sequence[dict[str, Any]] = ()
    if modules or around:
        options = _options(modules, around)
        described = _describe_modules((*modules, *around), options, timeout_s)
    rows = [type_row(item) for item in described]
    check_commands(commands, {row.name for row in rows})
    return [*rows, *(type_row(describe_command(command)) for command in commands)]


def check_commands(commands: Iterable[CommandSettings], types: Container[str]) -> None:
    """Raise ConfigurationError if a command has the name of a module's job type."""
    for command in commands:
        if command.name in types:
            raise ConfigurationError(
                f"commands: {command.name!r} is a job type of a module already; rename the command"
            )


def _options(modules: Iterable[str], around: Sequence[str]) -> list[str]:
    chosen = (("--module", modules), ("--around", around))
    return [part for option, values in chosen for value in values for part in (option, value)]


def _describe_modules(
    imported: Sequence[str], options: Sequence[str], timeout_s: float
) -> list[dict[str, Any]]:
    named = ", ".join(imported)
    for _ in range(_TRIES):
        code, output, errors = _import_in_child(named, options, timeout_s)
        if code >= 0:
            break
    if code < 0:
        raise ModulesNotDescribed(
            f"jobs.modules: the process that imports {named} was ended {_TRIES} times, by "
            f"{signal_name(-code)}; is there too little memory, or does a module crash?\n{errors}"
        )
    if code == ExitCode.CONFIGURATION and (why := _why_failed(output)):
        raise ConfigurationError(why)
    if code != 0:
        raise ConfigurationError(
            f"jobs.modules: the job types cannot be described (exit code {code}):\n{errors}"
        )
    try:
        described: list[dict[str, Any]] = json.loads(output)
    except ValueError:
        raise ConfigurationError(
            f"jobs.modules: importing {named} ended the process (with exit code 0) before its job "
            "types were described; does a module call os._exit?"
        ) from None
    return described


def _why_failed(output: bytes) -> str:
    """Return what the child says of the module that does not import; "" if it says nothing."""
    try:
        return str(json.loads(output)["failed"])
    except (ValueError, KeyError, TypeError):
        return ""


def _import_in_child(
    named: str, options: Sequence[str], timeout_s: float
) -> tuple[int, bytes, str]:
    """Return the exit code (negative: the signal), the output, and the end of the errors."""
    argv = [sys.executable, "-m", "orpheus.worker", "--describe", "--tell-failure", *options]
    # Files, not pipes: a process that a module starts at import may keep a pipe open forever.
    # In memory: there may be no temporary folder that can be written.
    with _file_in_memory("described") as output, _file_in_memory("errors") as errors:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
        try:
            in_time = _wait_for_exit(child.pid, timeout_s)
        finally:
            # It is not reaped yet, so its group id is not in use again.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        if not in_time:
            raise ConfigurationError(f"jobs.modules: importing {named} took over {timeout_s:g} s")
        output.seek(0)
        return child.returncode, output.read(), _end_of(errors)


def _file_in_memory(name: str) -> IO[bytes]:
    return os.fdopen(os.memfd_create(name), "w+b")


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
    """Return a described job type as the row that the store keeps.

    Raises ConfigurationError if it contains a lone surrogate, which is not text.
    """
    try:
        json.dumps(item, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ConfigurationError(
            f"job type {item['name']}: its description or a default contains a lone surrogate "
            "(\\ud800 to \\udfff), which is not text; replace it"
        ) from None
    return TypeRow(
        name=item["name"],
        schema=json.dumps(item["schema"]),
        max_retries=item["max_retries"],
        timeout_s=item["timeout_s"],
        queue=item["queue"],
        retention_s=item.get("retention_s"),
        description=item["description"],
        code=item.get("code", ""),
        hide=" ".join(item.get("hide", ())),
        **{f"backoff_{name}": value for name, value in item.get("backoff", {}).items()},
    )
