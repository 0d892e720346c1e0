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

from orpheus.shared.domain.commands import CommandSettings, describe_command
from orpheus.shared.domain.handover import StoredSettings, WorkerHandover, from_json
from orpheus.shared.errors import ExitCode, OrpheusError
from orpheus.shared.job_types.registry import load_job_types
from orpheus.shared.process.channel import Channel
from orpheus.shared.process.child_start import die_with_parent, enter_child
from orpheus.shared.process.failpoints import name_program


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(argv)
    try:
        if options.control_fd is not None:
            child = enter_child(options.control_fd)
            handover = from_json(WorkerHandover, child.handover["settings"])
            return _run(handover, child.slot, child.incarnation, channel=child.channel)
        return _describe(options) if options.describe else _run_alone(options)
    except OrpheusError as error:
        sys.stderr.write(f"worker: {error}\n")
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {__spec__.parent}" if __spec__ else None,
        description="Run one worker without a supervisor, until Ctrl-C, or describe the job types.",
    )
    add = parser.add_argument
    add("--config", type=Path, metavar="FILE", help="the configuration file")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting; repeatable")
    add("--pool", default="default", metavar="NAME", help="the pool whose queues it serves")
    add("--describe", action="store_true", help="print every job type as JSON and exit")
    add("--module", action="append", metavar="NAME", help="with --describe: only this; repeatable")
    add("--control-fd", type=int, metavar="N", help=argparse.SUPPRESS)
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
    # Imported late: a supervised worker needs no pydantic (10 MB).
    from orpheus.config.handovers import for_database, for_worker  # noqa: PLC0415
    from orpheus.config.load import load_settings  # noqa: PLC0415

    settings = load_settings(options.config, options.set, os.environ)
    slot, incarnation = f"{options.pool}@{os.getpid()}", secrets.token_hex(8)
    handover = for_worker(settings, options.pool)
    return _run(handover, slot, incarnation, stored=for_database(settings))


def _describe(options: argparse.Namespace) -> int:
    """Print the job types as a JSON list. Returns 78, with the traceback, if an import fails."""
    die_with_parent(signal.SIGKILL)  # a module may import for ever, with nobody left to wait
    # What a module prints during its import goes to stderr, even from C code.
    answer_fd = os.dup(1)
    os.dup2(2, 1)
    modules: Sequence[str] = options.module or ()
    commands: Sequence[CommandSettings] = ()
    if not modules:
        from orpheus.config.handovers import for_commands  # noqa: PLC0415 - see _run_alone
        from orpheus.config.load import load_settings  # noqa: PLC0415

        settings = load_settings(options.config, options.set, os.environ)
        modules, commands = settings.jobs.modules, for_commands(settings)
    try:
        described = [one.describe() for one in load_job_types(modules).values()]
        described += [describe_command(one) for one in commands]
    except BaseException:  # noqa: BLE001 - a module may raise anything, SystemExit too
        traceback.print_exc()
        return ExitCode.CONFIGURATION
    with os.fdopen(answer_fd, "w", encoding="utf-8") as answer:
        json.dump(sorted(described, key=lambda one: str(one["name"])), answer)
        answer.write("\n")
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
