"""A running Orpheus that is changed: by saving its file, by SIGHUP and SIGUSR2, by operators."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from orpheus.config.effective import read_effective
from orpheus.shared.storage import state_files
from tests.conftest import systems_below
from tests.integration.supervisor.configured import Configured
from tests.machine import wait_until

WaitFor = Callable[..., Any]
ONE_WORKER = "[pools.default]\nworkers = 1\n"


@pytest.fixture(scope="module")
def shared_configured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Configured]:
    """One Orpheus for the tests that save its file, or ask it for something."""
    folder = tmp_path_factory.mktemp("shared")
    with systems_below(folder) as start:
        running = Configured(start, folder, ONE_WORKER)
        yield running
        assert running.system.stop() == 0


@pytest.fixture
def running(shared_configured: Configured) -> Iterator[Configured]:
    """An Orpheus with one worker, which it has again after the test."""
    yield shared_configured
    slots = {"api", "supervisor", "default-1"}
    while restarts_of_next_reload(shared_configured):
        wait_until(lambda: set(shared_configured.pids()) == slots, "one worker again")
        wait_until(lambda: shared_configured.ready() == slots, "it to be ready")


def restarts_of_next_reload(running: Configured) -> list[str]:
    """The slots that the file of one worker has still to replace, or to end.

    What a test saved last may not even have been read when it ends.
    """
    mark = f"q{uuid4().hex}"
    running.save(f"{ONE_WORKER}[queues.{mark}]\nmax_running = 9\n")

    def reload() -> dict[str, Any] | None:
        lines = [line for line in running.system.log().splitlines() if mark in line]
        found = [json.loads(line) for line in lines if '"config_reloaded"' in line]
        return found[0] if found else None

    restarts: list[str] = wait_until(reload, "the file to be read")["restarts"]
    others = running.pids().keys() - {"api", "supervisor", "default-1"}
    return [*restarts, *others]


def reloads_of(running: Configured) -> int:
    log: str = running.system.log()
    return log.count('"config_reloaded"')


def rejection(running: Configured) -> Any:
    """Why the supervisor has not taken over the file; false if it has."""
    supervisor = running.system.workers()["supervisor"]
    return supervisor["degraded"] and supervisor["reason"]


def test_a_pool_grows_and_shrinks_when_the_file_is_saved_and_stays_as_an_operator_says(
    running: Configured, wait_for: WaitFor
) -> None:
    """Until the file says another number; what is kept for commands is what is in force."""

    def kept_workers() -> int:
        kept = read_effective(state_files(f"sqlite:///{running.system.database}"))
        assert kept is not None
        return kept.sizes.pools["default"]

    assert kept_workers() == 1
    one = {"api", "supervisor", "default-1"}
    first = running.pids()
    running.save("[pools.default]\nworkers = 2\n")
    wait_for(lambda: running.ready() == one | {"default-2"}, "a second worker")
    wait_for(lambda: kept_workers() == 2, "the new number")
    before = running.pids()
    running.save("[pools.default]\nworkers = two\n")
    wait_for(lambda: rejection(running), "the rejection")
    assert kept_workers() == 2

    answer = running.system.client.post("/pools/default/scale", json={"workers": 3})
    assert answer.status_code == 202
    grown = one | {"default-2", "default-3"}
    wait_for(lambda: running.ready() == grown, "a worker more")
    assert {name: running.pids()[name] for name in before} == before
    reloads = reloads_of(running)
    running.save("[pools.default]\nworkers = 2\n[queues.mail]\nmax_running = 9\n")
    wait_for(lambda: reloads_of(running) > reloads, "the reload")
    assert running.ready() == grown
    running.save("[pools.default]\nworkers = 1\n")
    wait_for(lambda: running.ready() == one, "the file's number")
    assert {name: running.pids()[name] for name in first} == first


def test_only_the_pool_whose_settings_changed_is_restarted_and_none_of_its_jobs_is_lost(
    configured: Callable[[str], Configured], wait_for: WaitFor
) -> None:
    mail = "[pools.mail]\nworkers = 1\nqueues = ['mail']\n"
    toml = "[pools.default]\nworkers = 1\nqueues = ['default']\n" + mail
    running = configured(toml)
    before = running.pids()
    job = running.system.submit("sleep", {"seconds": 1.5}, queue="mail")
    running.save(toml + "max_jobs = 1000\n")
    wait_for(lambda: running.pids()["mail-1"] not in (None, before["mail-1"]), "a new worker")
    ended = running.system.wait_for_job(job)
    assert [attempt["outcome"] for attempt in ended["attempts"]] == ["succeeded"]
    after = running.pids()
    unchanged = ("default-1", "api")
    assert {name: after[name] for name in unchanged} == {name: before[name] for name in unchanged}
    assert running.system.stop() == 0


NOT_VALID = (
    ("[pools.default]\nworkers = 'many'\n", "pools.default.workers"),
    ("[pools.default\n", "orpheus.toml:1"),
    ("[jobs]\nmodules = ['no_such_module']\n", "No module named 'no_such_module'"),
    ("[[schedules]]\nname = 'x'\nevery = 60\ntype = 'nothing'\n", "'x' cannot make its job"),
    ("[database]\nstate_dir = 'elsewhere'\n", "database.state_dir: cannot change while"),
)
"""What is saved, and why it is rejected."""


def is_rejected_for(running: Configured, reason: str) -> bool:
    return reason in (rejection(running) or "")


def test_a_configuration_that_is_not_valid_is_rejected_and_the_running_one_stays(
    running: Configured, wait_for: WaitFor
) -> None:
    before = running.pids()
    for toml, reason in NOT_VALID:
        running.save(toml)
        wait_for(partial(is_rejected_for, running, reason), f"{reason} to be shown")
        assert running.pids() == before
    running.file.unlink()
    os.mkfifo(running.file)
    wait_for(partial(is_rejected_for, running, "regular file"), "the FIFO to be rejected")
    running.save("[pools.default]\nworkers = 1\n# mended\n")
    wait_for(lambda: not rejection(running), "the reason to go")
    assert running.pids() == before


def test_queues_and_schedules_of_a_new_configuration_are_in_force_at_once(
    running: Configured, wait_for: WaitFor
) -> None:
    before = running.pids()
    running.save(
        "[pools.default]\nworkers = 1\n[queues.mail]\nmax_running = 7\n"
        "[[schedules]]\nname = 'often'\nevery = 1\ntype = 'wordcount'\npayload = {text = 'a'}\n"
    )
    wait_for(lambda: running.system.get("/jobs?type=wordcount&limit=1")["items"], "its first job")
    [queue] = [q for q in running.system.get("/queues")["items"] if q["name"] == "mail"]
    assert queue["limits"]["max_running"] == 7
    assert running.pids() == before


def test_a_reload_brings_new_job_types_and_fields_and_no_worker_of_the_old_code_spends_a_retry(
    configured: Callable[[str], Configured], wait_for: WaitFor, tmp_path: Path, monkeypatch: Any
) -> None:
    module = tmp_path / "jobs_of_a_reload.py"
    module.write_text(
        "import time\nfrom orpheus import Context, job\n\n"
        "@job\ndef slow(ctx: Context) -> str:\n    time.sleep(3)\n    return 'slow'\n"
        "@job\ndef pay(order: int) -> str:\n    return 'paid'\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    running = configured("[pools.default]\nworkers = 2\n[jobs]\nmodules = ['jobs_of_a_reload']\n")
    before = running.pids()
    slow = running.system.submit("slow")
    wait_for(lambda: running.system.get(f"/jobs/{slow}")["status"] == "in_progress", "its start")
    code = module.read_text().replace("order: int", "order: int, currency: str = 'EUR'")
    module.write_text(f"{code}\n@job\ndef fresh(ctx: Context) -> str:\n    return 'fresh'\n")
    running.signal(signal.SIGHUP)
    wait_for(lambda: len(running.system.get("/types")["items"]) == 3, "the new type")
    paid = {"order": 1, "currency": "USD"}
    jobs = [
        running.system.submit(*one, max_retries=0)
        for _ in range(5)
        for one in (("fresh",), ("pay", paid))
    ]
    ended = [running.system.wait_for_job(job) for job in (slow, *jobs)]
    assert [job["result"] for job in ended] == ["slow", *["fresh", "paid"] * 5]
    wait_for(
        lambda: not {before["default-1"], before["default-2"]} & set(running.pids().values()),
        "new workers",
    )
    assert running.pids()["api"] == before["api"]
    exits = [running.system.workers()[name]["last_exit"] for name in ("default-1", "default-2")]
    assert {one["reason"] for one in exits} == {"replaced"}
    assert running.system.stop() == 0


@contextlib.contextmanager
def service_manager(path: Path) -> Iterator[list[str]]:
    """Listen as systemd does: every line that came.

    By a thread, since the kernel keeps ten messages, and more come while a slow machine starts.
    """
    told: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))

        def hear() -> None:
            while message := manager.recv(4_096):
                told.extend(message.decode().splitlines())

        listening = threading.Thread(target=hear)
        listening.start()
        try:
            yield told
        finally:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
                end.sendto(b"", str(path))
            listening.join()


def test_a_file_that_is_not_watched_is_read_on_sighup_only_and_each_step_is_notified(
    configured: Callable[[str], Configured],
    wait_for: WaitFor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The steps are told to a service manager, as systemd is one."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    toml = "[supervisor]\nwatch_config = false\n[pools.default]\nworkers = {}\n"
    with service_manager(tmp_path / "notify") as told:
        running = configured(toml.format(1))
        for word in ("READY=1", "STATUS=1 of 1 workers ready", "WATCHDOG=1"):
            wait_for(partial(told.__contains__, word), word)
        for pid in running.pids().values():
            if pid != running.system.process.pid:
                assert "NOTIFY_SOCKET" not in psutil.Process(pid).environ()
        running.save(toml.format(2))
        job = running.system.submit("sleep", {"seconds": 1.5})
        running.system.wait_for_job(job)
        assert "default-2" not in running.pids()
        told.clear()
        running.signal(signal.SIGHUP)
        for word in ("RELOADING=1", "READY=1"):
            wait_for(partial(told.__contains__, word), word)
        wait_for(lambda: "default-2" in running.ready(), "the second worker")
        assert running.system.stop() == 0
        for word in ("STOPPING=1", "STATUS=SIGTERM"):
            wait_for(partial(told.__contains__, word), word)


def test_reload_and_stop_are_commands_that_wait_for_what_becomes_of_them(
    configured: Callable[[str], Configured], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/__init__.py").touch()
    (tmp_path / "shop/prices.py").write_text("PRICE = 1\n")
    (tmp_path / "shop/jobs.py").write_text(
        "from orpheus import job\n\n"
        "@job\ndef price() -> int:\n    from shop.prices import PRICE\n    return PRICE\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    toml = "[pools.default]\nworkers = 1\n[jobs]\nmodules = ['shop.jobs']\n"
    running = configured(f"[supervisor]\nwatch_config = false\n{toml}")

    def orpheus(*words: str) -> tuple[int, str]:
        argv = [sys.executable, "-m", "orpheus", *words, "--config", str(running.file)]
        argv += ["--set", f"database.url=sqlite:///{running.system.database}"]
        ended = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        return ended.returncode, ended.stdout + ended.stderr

    def price() -> int:
        job = running.system.submit("price")
        return int(running.system.wait_for_job(job)["result"])

    assert price() == 1
    assert orpheus("reload") == (0, "reloaded: no setting changed; nothing restarts\n")
    (tmp_path / "shop/prices.py").write_text("PRICE = 200\n")
    assert orpheus("reload") == (0, "reloaded: no setting changed; restarting in turn: default-1\n")
    wait_until(lambda: price() == 200, "the new code")
    running.save("[supervisor]\nwatch_config = false\n[pools.default]\nworkers = -1\n")
    code, told = orpheus("reload")
    assert code == 1
    assert "rejected: " in told
    assert "workers" in told
    running.save(f"[supervisor]\nwatch_config = false\n{toml}")
    assert orpheus("stop") == (0, "stopped\n")
    assert running.system.process.wait(10) == 0
    for command in ("reload", "stop"):
        code, told = orpheus(command)
        assert code == 1
        assert "no supervisor is running" in told
