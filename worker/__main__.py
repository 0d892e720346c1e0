"""`python -m worker`: runs a worker, alone or for a supervisor, or describes the job types."""

import argparse
import io
import json
import os
import secrets
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orpheus.shared.domain.commands import CommandSettings, describe_command
from orpheus.shared.domain.handover import StoredSettings, WorkerHandover, from_json
from orpheus.shared.errors import ExitCode, OrpheusError
from orpheus.shared.job_types.registry import load_job_types
from orpheus.shared.process.channel import Channel
from orpheus.shared.process.child_start import die_with_parent, enter_child
from orpheus.shared.process.failpoints import name_program

if TYPE_CHECKING:
    from orpheus.config.settings import Settings


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(argv)
    try:
        if options.describe:
            return _describe(options)
        if options.control_fd is not None:
            child = enter_child(options.control_fd)
            settings = from_json(WorkerHandover, child.handover["settings"])
            return _run(settings, child.slot, child.incarnation, channel=child.channel)
        return _run_alone(options)
    except OrpheusError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m worker", description="Run jobs, or describe the job types."
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="the TOML file of settings")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="one setting; repeatable"
    )
    parser.add_argument("--pool", default="default", metavar="NAME", help="whose queues to serve")
    parser.add_argument(
        "--describe", action="store_true", help="print every job type as JSON and exit"
    )
    parser.add_argument(
        "--module",
        action="append",
        metavar="NAME",
        help="with --describe: these, not the configured",
    )
    parser.add_argument("--control-fd", type=int, metavar="N", help=argparse.SUPPRESS)
    return parser


def _run(
    settings: WorkerHandover,
    slot: str,
    incarnation: str,
    *,
    channel: Channel | None = None,
    stored: StoredSettings | None = None,
) -> int:
    # Imported late: a child sets up its signals and crash file before it imports anything large.
    from orpheus.worker.process import RESTART, restart_alone, run_worker  # noqa: PLC0415

    name_program("worker")
    if isinstance(sys.stdout, io.TextIOWrapper):  # so that output appears at once
        sys.stdout.reconfigure(line_buffering=True)
    code = run_worker(settings, slot, incarnation, channel=channel, stored=stored)
    if code == RESTART:
        restart_alone()
    return code


def _run_alone(options: argparse.Namespace) -> int:
    from orpheus.config.handovers import for_database, for_worker  # noqa: PLC0415 - see _settings

    settings = _settings(options)
    slot, incarnation = f"{options.pool}@{os.getpid()}", secrets.token_hex(8)
    handed = for_worker(settings, options.pool)
    return _run(handed, slot, incarnation, stored=for_database(settings))


def _settings(options: argparse.Namespace) -> "Settings":
    # Imported late: a supervised worker receives its settings and needs no pydantic (10 MB).
    from orpheus.config.load import load_settings  # noqa: PLC0415

    return load_settings(options.config, options.set, os.environ)


def _describe(options: argparse.Namespace) -> int:
    """Print the job types as a JSON list. Returns 78, with the traceback, if an import fails."""
    die_with_parent(signal.SIGKILL)  # a module may import for ever, with nobody left to wait
    # What a module prints during its import goes to stderr, even from C code.
    answer_fd = os.dup(1)
    os.dup2(2, 1)
    modules, commands = _what_to_describe(options)
    try:
        described = [one.describe() for one in load_job_types(modules).values()]
        described += [describe_command(one) for one in commands]
    except BaseException:  # noqa: BLE001 - a module may raise anything, SystemExit too
        traceback.print_exc()
        return ExitCode.CONFIGURATION
    with os.fdopen(answer_fd, "w", encoding="utf-8") as answer:
        json.dump(sorted(described, key=lambda one: str(one["name"])), answer)
        answer.write("\n")
    return 0


def _what_to_describe(
    options: argparse.Namespace,
) -> tuple[Sequence[str], Sequence[CommandSettings]]:
    if options.module:
        return options.module, ()
    from orpheus.config.handovers import for_commands  # noqa: PLC0415 - see _settings

    settings = _settings(options)
    return settings.jobs.modules, for_commands(settings)


if __name__ == "__main__":
    sys.exit(main())
