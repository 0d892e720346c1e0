"""Starts under odd conditions: each succeeds, or ends with one clear line and its exit code."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import psutil
import pytest

from orpheus.shared.domain.jobs import NewJob, Outcome
from orpheus.shared.domain.lifecycle import TERMINAL
from orpheus.shared.errors import StorageError
from orpheus.shared.storage import open_store
from tests.machine import PATIENCE_S
from tests.variants import variants

ALL_STREAMS = "0<&- >&- 2>&-"
STREAMS = {"0<&-": [0], ">&-": [1], "2>&-": [2], ALL_STREAMS: [0, 1, 2]}
"""What a shell closes -> the descriptors."""
PROGRAMS = ("supervisor", "worker", "api")
FIVE_TERM = (signal.SIGTERM,) * 5
FIVE_INT = (signal.SIGINT,) * 5

Started = subprocess.Popen[str]
Start = Callable[..., Started]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a program on a database of its own: `start("supervisor", "jobs.modules=[]")`."""
    started: list[Started] = []

    def start_one(
        program: str, *settings: str, closing: str = "", before: str = "", **environment: str
    ) -> Started:
        database = f"database.url=sqlite:///{tmp_path}/data/orpheus.db"
        changed = (database, "api.port=0", "pools.default.workers=1", *settings)
        sets = [part for one in changed for part in ("--set", one)]
        argv = [sys.executable, "-m", f"orpheus.{program}"]
        kept = {name: text for name, text in os.environ.items() if not name.startswith("ORPHEUS_")}
        started.append(
            subprocess.Popen(
                ["sh", "-c", f'{before} exec "$@" {closing}', "sh", *argv, *sets],
                env={**kept, "PYTHONPATH": str(tmp_path), **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        )
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def end_of(process: Started) -> tuple[int, list[str]]:
    """Return its exit code and the lines it wrote to stderr."""
    _, errors = process.communicate(timeout=PATIENCE_S)
    return process.returncode, errors.splitlines()


def is_ready(folder: Path, pid: int) -> bool:
    """Whether the process is ready, and, for a supervisor, whether all its slots are."""
    try:
        store = open_store(f"sqlite:///{folder}/data/orpheus.db")
    except StorageError:
        return False
    slots = store.processes.slots()
    # A supervisor is ready before it has started its first slot.
    alone = [
        one
        for one in store.processes.all()
        if one.pid == pid and one.ready and one.role != "supervisor"
    ]
    store.close()
    return bool(slots or alone) and all(one.state == "ready" for one in slots)


@pytest.mark.parametrize(
    ("program", "closing", "ends_by"),
    variants(
        [
            *product(PROGRAMS, STREAMS, [(signal.SIGTERM,)]),
            *product(PROGRAMS, [ALL_STREAMS], [FIVE_TERM, FIVE_INT]),
        ],
        ("worker", ALL_STREAMS, FIVE_TERM),
        ("api", ALL_STREAMS, FIVE_TERM),
    ),
)
def test_a_closed_standard_stream_is_dev_null_and_five_signals_within_100_ms_end_it(
    start: Start,
    tmp_path: Path,
    program: str,
    closing: str,
    ends_by: tuple[signal.Signals, ...],
    wait_for: Callable[..., Any],
) -> None:
    process = start(program, closing=closing)
    wait_for(lambda: is_ready(tmp_path, process.pid), f"the {program} to be ready")
    assert_dev_null(process, program, closing)
    send(process, ends_by)
    assert process.wait(PATIENCE_S) in ((0, 4) if len(ends_by) > 1 else (0,))
    assert_whole(tmp_path)


def assert_dev_null(process: Started, program: str, closing: str) -> None:
    for fd in STREAMS[closing]:
        target = Path(f"/proc/{process.pid}/fd/{fd}").readlink()
        # A worker reads what is printed from a file of its own, and passes it on.
        assert target == Path(os.devnull) or (program == "worker" and target.suffix == ".out")


def assert_whole(folder: Path) -> None:
    store = open_store(f"sqlite:///{folder}/data/orpheus.db")
    assert store.maintenance.check() == []
    store.close()


def send(process: Started, signals: tuple[signal.Signals, ...]) -> None:
    """Send signals, 20 ms apart: equal ones at once are one to the kernel."""
    for number in signals:
        process.send_signal(number)
        threading.Event().wait(0.02)


def test_it_starts_without_streams_and_temporary_folder_though_its_imports_are_killed_twice(
    start: Start, tmp_path: Path, wait_for: Callable[..., Any]
) -> None:
    """And whatever the umask, its files and folders are private."""
    (tmp_path / "killed_jobs.py").write_text(
        "import os, pathlib, sys\n"
        "tries = pathlib.Path(__file__).with_name('tries')\n"
        "with tries.open('a') as file: file.write('x')\n"
        "if '--describe' in sys.orig_argv and tries.stat().st_size < 3: os.kill(os.getpid(), 9)\n"
        "from orpheus import job\n@job\ndef lives() -> None: pass\n"
    )
    modules = 'jobs.modules=["orpheus.worker.handlers", "killed_jobs"]'
    program = 'programs=[{name="p", argv=["sh", "-c", "echo up; exec sleep 600"]}]'
    nowhere, state = str(tmp_path / "nowhere"), f"database.state_dir={tmp_path}/on/this/host"
    before = os.umask(0)
    try:
        process = start("supervisor", modules, program, state, closing=ALL_STREAMS, TMPDIR=nowhere)
    finally:
        os.umask(before)
    wait_for(lambda: is_ready(tmp_path, process.pid), "the start")
    assert_dev_null(process, "supervisor", ALL_STREAMS)
    wait_for(lambda: [*(tmp_path / "on").rglob("p-1/current")], "the program's log")
    files = [
        file for top in ("data", "on") for file in (tmp_path / top, *(tmp_path / top).rglob("*"))
    ]
    assert [file.name for file in files if file.suffix == ".crash"]
    assert [file.name for file in files if file.stat().st_mode & 0o077] == []
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0
    assert_whole(tmp_path)


@pytest.mark.parametrize("closing", variants(STREAMS, ALL_STREAMS))
def test_a_command_with_a_closed_standard_stream_ends_as_it_would(
    closing: str,
) -> None:
    answer = subprocess.run(
        ["sh", "-c", f'exec "$@" {closing}', "sh", sys.executable, "-m", "orpheus", "--version"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (answer.returncode, answer.stderr) == (0, "")


def test_a_stop_is_in_order_even_while_an_import_makes_a_function_of_a_text() -> None:
    """As dataclasses do: Python ends by SIGINT after a KeyboardInterrupt there, caught or not."""
    start = (
        "from orpheus.supervisor.linux.signals import Signals\nsignals = Signals()\n"
        "try:\n    exec('import os; os.kill(os.getpid(), 15)')\nexcept KeyboardInterrupt:\n    pass"
    )
    ended = subprocess.run([sys.executable, "-c", start], check=False, capture_output=True)
    assert (ended.returncode, ended.stderr) == (0, b"")


# Few open files


@pytest.mark.parametrize("limit", variants([500, 256, 128], 128))
def test_a_low_limit_of_open_files_is_made_do_with(
    start: Start, tmp_path: Path, limit: int, wait_for: Callable[..., Any]
) -> None:
    process = start("supervisor", before=f"ulimit -n {limit};")
    wait_for(lambda: is_ready(tmp_path, process.pid), "the start")
    url = f"sqlite:///{tmp_path}/data/orpheus.db"
    with closing(open_store(url, pools={"default": ("*",)})) as store:
        job_id = store.jobs.submit(NewJob("wordcount", '{"text": "one two"}')).job.id
        wait_for(lambda: store.jobs.get(job_id).status in TERMINAL, "the job to end")
        assert store.jobs.get(job_id).status == "done"
        assert [slot.exits for slot in store.processes.slots() if slot.exits] == []
    process.terminate()
    code, lines = end_of(process)
    assert code == 0 and not any("Traceback" in line for line in lines)


@pytest.mark.parametrize(
    ("limit", "workers", "needed"),
    [(64, 1, "128 files for 2 slots"), (128, 40, "228 files for 41")],
)
def test_a_limit_of_open_files_that_is_too_low_is_told_before_anything_starts(
    start: Start, tmp_path: Path, limit: int, workers: int, needed: str
) -> None:
    process = start("supervisor", f"pools.default.workers={workers}", before=f"ulimit -n {limit};")
    code, [line] = end_of(process)
    assert code == 78
    assert f"needs to open {needed}" in line and f"may open {limit}: raise" in line
    assert not (tmp_path / "data").exists()


# The process that imports the job modules


@pytest.mark.parametrize(
    ("code", "exit_code", "says"),
    [
        ("import os; os.kill(os.getpid(), 9)", 1, "ended 3 times, by SIGKILL"),
        pytest.param(  # test_describe.py of the worker has it without a supervisor
            "import os; os._exit(0)",
            78,
            "ended the process (with exit code 0)",
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_module_that_cannot_be_described_is_told_in_one_line(
    start: Start, tmp_path: Path, code: str, exit_code: int, says: str
) -> None:
    (tmp_path / "odd_jobs.py").write_text(code)
    ended, lines = end_of(start("supervisor", 'jobs.modules=["odd_jobs"]'))
    assert ended == exit_code, lines
    assert len(lines) == 1
    assert says in lines[0]


# What stands in the way


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("orpheus.db-cells", "cannot make the folder"),
        ("orpheus.db-bells", "unable to open"),
        ("supervisor.lock/x", "cannot make"),
    ],
)
def test_something_else_in_the_place_of_a_file_of_ours_is_exit_74(
    start: Start, tmp_path: Path, name: str, says: str
) -> None:
    path = tmp_path / "data" / name
    path.parent.mkdir(parents=True)
    path.touch()
    code, lines = end_of(start("supervisor"))
    assert code == 74, lines
    assert len(lines) == 1
    assert says in lines[0]
    assert str(path).removesuffix("/x") in lines[0]


@pytest.mark.parametrize(
    ("program", "name"),
    variants(
        product(PROGRAMS, ("link", "file")),
        ("worker", "file"),
        ("supervisor", "link"),
    ),
)
def test_a_state_folder_that_cannot_be_used_is_exit_74(
    start: Start, tmp_path: Path, program: str, name: str
) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "file").touch()
    code, lines = end_of(start(program, f"database.state_dir={tmp_path}/{name}"))
    assert code == 74, lines
    assert len(lines) == 1
    assert f"{tmp_path}/{name}" in lines[0]
    assert {"link": "is a symbolic link", "file": "File exists"}[name] in lines[0]


def is_excluded(second: Started, folder: Path) -> None:
    """It gives up at once, with one line, and does not make its state folder."""
    code, lines = end_of(second)
    assert (code, len(lines)) == (75, 1), lines
    assert "already running" in lines[0]
    assert not folder.exists()


def test_a_crash_is_told_by_files_in_the_state_folder_and_of_two_started_at_once_one_is_excluded(
    start: Start, tmp_path: Path, wait_for: Callable[..., Any]
) -> None:
    (tmp_path / "dying_jobs.py").write_text(
        "import os\nfrom orpheus import job\n@job\ndef dying(ctx):\n"
        "    ctx.log.info('page done', page=62, of='a book')\n"
        "    print('last words', flush=True)\n    os.kill(os.getpid(), 9)\n"
    )
    modules = 'jobs.modules=["dying_jobs"]'
    both = {
        path: start("supervisor", modules, f"database.state_dir={path}")
        for path in (tmp_path / "state", tmp_path / "other")
    }
    ended = wait_for(lambda: [p for p, one in both.items() if one.poll() is not None], "one to end")
    is_excluded(both.pop(ended[0]), ended[0])
    [(folder, process)] = both.items()
    wait_for(lambda: is_ready(tmp_path, process.pid), "the start")
    store = open_store(
        f"sqlite:///{tmp_path}/data/orpheus.db",
        pools={"default": ("*",)},
        state_dir=str(folder),
    )
    job_id = store.jobs.submit(NewJob("dying", max_retries=0)).job.id
    wait_for(lambda: store.jobs.get(job_id).status in TERMINAL, "the job to fail")
    [attempt] = store.jobs.attempts(job_id)
    assert attempt.outcome is Outcome.CRASHED
    assert "last words" in [one.line for one in store.logs.after(job_id, 0, 9)]
    exits = wait_for(
        lambda: [one for slot in store.processes.slots() for one in slot.exits], "its exit"
    )
    assert exits[0].output == 'page done page=62 of="a book"\nlast words'
    assert {one.name for one in (tmp_path / "data").iterdir()}.isdisjoint(
        {"orpheus.db-bells", "orpheus.db-cells"}
    )
    assert (store.state.bells / "pool-default").is_fifo()
    send(process, FIVE_TERM)
    assert process.wait(PATIENCE_S) in (0, 4)
    store.close()


# Many signals


@pytest.mark.parametrize("number", variants([signal.SIGTERM, signal.SIGINT], signal.SIGINT))
def test_five_signals_to_stop_during_the_start_end_it_in_order(
    start: Start, tmp_path: Path, number: signal.Signals, wait_for: Callable[..., Any]
) -> None:
    (tmp_path / "slow_jobs.py").write_text(
        "import pathlib, time\n"
        "pathlib.Path(__file__).with_name('importing').touch()\n"
        "time.sleep(600)\n"
    )
    process = start("supervisor", 'jobs.modules=["slow_jobs"]')
    wait_for((tmp_path / "importing").exists, "the import")
    [describing] = psutil.Process(process.pid).children()
    send(process, (number,) * 5)
    code, lines = end_of(process)
    assert (code, lines) == (0, [])
    assert not describing.is_running()
