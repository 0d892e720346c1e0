"""`orpheus …`, the same as `python -m supervisor …`: run a command line, return its exit code."""

import gc
import os
import sys
from collections.abc import Sequence

import click

from orpheus.shared.errors import ExitCode, InvalidJob, OrpheusError
from orpheus.supervisor.cli.app import orpheus


def main() -> None:
    """Run the console script `orpheus`."""
    gc.disable()  # imports make no garbage, and looking for it takes a tenth of a short command
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; errors go to stderr."""
    try:
        code = orpheus.main(list(arguments), prog_name="orpheus", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        return _refuse(error)
    except (click.Abort, KeyboardInterrupt):
        return ExitCode.NO
    except BrokenPipeError:  # `orpheus jobs | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.NO
    except OrpheusError as error:
        what = "not accepted: " if isinstance(error, InvalidJob) else ""
        for line in str(error).splitlines():
            click.echo(f"orpheus: {what}{line}", err=True)
        return error.exit_code
    return code if isinstance(code, int) else ExitCode.OK


def _refuse(error: click.ClickException) -> int:
    """Print a usage error in one line."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context else "orpheus"
    click.echo(f"{command}: {error.format_message()} (see {command} --help)", err=True)
    return error.exit_code


if __name__ == "__main__":
    main()
