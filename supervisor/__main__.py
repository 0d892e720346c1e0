"""`orpheus …`, the same as `python -m supervisor …`: run a command line, return its exit code."""

import gc

if __name__ == "__main__":
    gc.disable()  # imports make no garbage, and looking for it takes a tenth of a short command

import contextlib
import errno
import os
import sys
from collections.abc import Sequence

import click

from orpheus.shared.errors import NO_SPACE, ExitCode, InvalidJob, OrpheusError
from orpheus.shared.process.standard_streams import open_missing_streams
from orpheus.supervisor.cli.app import orpheus

_NOT_WRITTEN = NO_SPACE | {errno.EFBIG}
"""The disk is full, a quota is used up, or the file would exceed its limit."""


def main() -> None:
    """Run the console script `orpheus`."""
    open_missing_streams()
    gc.disable()  # see above
    code = run(sys.argv[1:])
    gc.freeze()  # else the exit looks for garbage in all that was imported: 50 ms
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; errors go to stderr."""
    if "_ORPHEUS_COMPLETE" in os.environ:
        with contextlib.suppress(Exception):  # a shell would show it in the command line
            orpheus.main(list(arguments), prog_name="orpheus")
        return ExitCode.OK
    try:
        code = _invoke(arguments)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        return _refuse(error)
    except KeyboardInterrupt:
        click.echo(err=True)
        return ExitCode.INTERRUPTED
    except click.Abort as error:  # a question was not answered with yes, or left by Ctrl-C
        if not isinstance(error.__context__, KeyboardInterrupt):
            return ExitCode.NO
        click.echo(err=True)
        return ExitCode.INTERRUPTED
    except OSError as error:
        code = _end_for(error)
        if code is None:
            raise
    except OrpheusError as error:
        from orpheus.shared.text import printable  # noqa: PLC0415 - not for --help

        what = "not accepted: " if isinstance(error, InvalidJob) else ""
        for line in str(error).splitlines():
            click.echo(f"orpheus: {what}{printable(line)}", err=True)
        return error.exit_code
    return code if isinstance(code, int) else ExitCode.OK


def _invoke(arguments: Sequence[str]) -> object:
    """Run one command line and return what its command does.

    It does not call `orpheus.main`, which exits with 1 if the reader of the output has left.
    """
    try:
        with orpheus.make_context("orpheus", list(arguments)) as context:
            return orpheus.invoke(context)
    except click.exceptions.Exit as error:  # of --help and --version
        return error.exit_code


def _end_for(error: OSError) -> ExitCode | None:
    """Say what the machine refused, and return the exit code; None if it is a bug of ours."""
    if isinstance(error, PermissionError):  # on a file beside the database
        from pathlib import Path  # noqa: PLC0415 - not for --help

        from orpheus.shared.process.files import run_as_owner  # noqa: PLC0415 - not for --help

        path = Path(error.filename or ".")
        click.echo(f"orpheus: {path}: {error.strerror}{run_as_owner(path)}", err=True)
        return ExitCode.DATABASE
    if isinstance(error, BrokenPipeError) or error.errno in _NOT_WRITTEN:
        nowhere = os.open(os.devnull, os.O_WRONLY)  # else the flush at the exit would fail, too
        os.dup2(nowhere, sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            os.dup2(nowhere, sys.stderr.fileno())
            return ExitCode.READER_LEFT
        try:
            click.echo(f"orpheus: the output cannot be written: {error.strerror}", err=True)
        except OSError:  # it is the same pipe
            os.dup2(nowhere, sys.stderr.fileno())
        return ExitCode.NO
    return None


def _refuse(error: click.ClickException) -> int:
    """Print an error in one line, with the help of the command that was used wrongly."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context else "orpheus"
    advice = f" (see {command} --help)" if isinstance(error, click.UsageError) else ""
    click.echo(f"{command}: {error.format_message()}{advice}", err=True)
    return error.exit_code


if __name__ == "__main__":
    main()
