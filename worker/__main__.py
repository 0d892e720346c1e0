"""`python -m worker`: runs a worker, alone or for a supervisor, or describes the job types."""

import gc
import sys

from orpheus.shared.process.stop_signals import default_stop_signals, exit_at_stop_signals

# First, as the imports below take their time. An end of --describe without an answer is a failure.
if __name__ == "__main__":
    if "--describe" not in sys.argv:
        exit_at_stop_signals()
    gc.disable()  # until `without_garbage` has ended

import argparse
import io
import json
import os
import secrets
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import msgspec

from orpheus.shared.domain.commands import CommandSettings
from orpheus.shared.domain.handover import StoredSettings, WorkerHandover
from orpheus.shared.domain.json_values import with_finite_numbers
from orpheus.shared.errors import ExitCode, OrpheusError
from orpheus.shared.imports import without_garbage
from orpheus.shared.job_types.registry import load_job_types, registered_types
from orpheus.shared.process.channel import Channel
from orpheus.shared.process.child_start import die_with_parent, enter_child
from orpheus.shared.process.failpoints import name_program
from orpheus.shared.process.standard_streams import open_missing_streams


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    open_missing_streams()
    options = _parser().parse_args(argv)
    child = None
    try:
        if options.control_fd is not None:
            child = enter_child(options.control_fd)
            handover = msgspec.convert(child.handover["settings"], WorkerHandover)
            _run(handover, child.slot, child.incarnation, channel=child.channel)
        if options.describe:
            return _describe(options)
        _run_alone(options)
    except OrpheusError as error:
        sys.stderr.write(f"worker: {error}\n")
        if child is not None:
            child.channel.send({"say": "failed", "reason": str(error)})
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
    add("--around", action="append", metavar="NAME", help="with --module: check this; repeatable")
    add("--tell-failure", action="store_true", help=argparse.SUPPRESS)
    add("--control-fd", type=int, metavar="N", help=argparse.SUPPRESS)
    return parser


def _run(
    settings: WorkerHandover,
    slot: str,
    incarnation: str,
    *,
    channel: Channel | None = None,
    stored: StoredSettings | None = None,
) -> NoReturn:
    # Imported late: a child sets up its signals and crash file before it imports anything large.
    with without_garbage():
        from orpheus.worker.attempt.folder import Folder  # noqa: PLC0415
        from orpheus.worker.process import (  # noqa: PLC0415
            RESTART,
            exit_soon,
            restart_alone,
            run_worker,
        )

    name_program("worker")
    folder = Folder()
    if isinstance(sys.stdout, io.TextIOWrapper):  # so that output appears at once
        sys.stdout.reconfigure(line_buffering=True)
    code = run_worker(settings, slot, incarnation, channel=channel, stored=stored)
    if code == RESTART:
        folder.enter()  # relative paths among the arguments lead from here
        restart_alone()
    exit_soon(code, settings.beat_timeout_s)


def _run_alone(options: argparse.Namespace) -> NoReturn:
    # Imported late: a supervised worker needs no pydantic (10 MB).
    from orpheus.config.handovers import for_database, for_worker  # noqa: PLC0415
    from orpheus.config.load import load_settings  # noqa: PLC0415

    settings = load_settings(options.config, options.set, os.environ)
    slot, incarnation = f"{options.pool}@{os.getpid()}", secrets.token_hex(8)
    handover = for_worker(settings, options.pool)
    _run(handover, slot, incarnation, stored=for_database(settings))


def _describe(options: argparse.Namespace) -> int:
    """Print the job types as a JSON list.

    If a module does not import, stderr says why, and it returns 78; what a module prints is on
    stderr too, so `--tell-failure` prints the same as JSON.
    """
    default_stop_signals()  # an end without an answer is not clean
    die_with_parent(signal.SIGKILL)  # a module may import for ever, with nobody left to wait
    # What a module prints during its import goes to stderr, even from C code.
    answer_fd = os.dup(1)
    os.dup2(2, 1)
    modules: Sequence[str] = options.module or ()
    around: Sequence[str] = options.around or ()
    commands: Sequence[CommandSettings] = ()
    if not modules and not around:
        from orpheus.config.handovers import for_commands  # noqa: PLC0415 - see _run_alone
        from orpheus.config.load import load_settings  # noqa: PLC0415

        settings = load_settings(options.config, options.set, os.environ)
        modules, commands = settings.jobs.modules, for_commands(settings)
        around = settings.jobs.around
    reading = "jobs.modules"
    try:
        for module in modules:
            reading = f"jobs.modules: {module}"
            load_job_types([module])
        if around:
            from orpheus.worker.attempt.around import load_around  # noqa: PLC0415

            for name in around:
                reading = f"jobs.around: {name}"
                load_around([name])
        from orpheus.shared.job_types.code_digest import described  # noqa: PLC0415 - see _run

        types = described(modules, registered_types().values(), commands)
    except BaseException as error:  # noqa: BLE001 - a module may raise anything, SystemExit too
        from orpheus.worker.attempt.outcomes import import_failure  # noqa: PLC0415 - see _run

        why = import_failure(reading, error)
        sys.stderr.write(f"{why}\n")
        if options.tell_failure:
            os.write(answer_fd, json.dumps({"failed": why}).encode())
        return ExitCode.CONFIGURATION
    if commands:
        from orpheus.shared.job_types.describe import check_commands  # noqa: PLC0415 - see _run

        check_commands(commands, registered_types())
    with os.fdopen(answer_fd, "w", encoding="utf-8") as answer:
        text = json.dumps(sorted(types, key=lambda job_type: str(job_type["name"])))
        answer.write(with_finite_numbers(text) + "\n")
    return ExitCode.OK


if __name__ == "__main__":
    code = main()
    gc.freeze()  # else the exit looks for garbage in all that was imported
    sys.exit(code)
