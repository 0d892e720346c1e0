"""A running Orpheus that is changed: by saving its file, by SIGHUP and SIGUSR2, by operators."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from tests.integration.supervisor.configured import Configured
from tests.machine import PATIENCE_S

WaitFor = Callable[..., Any]


def test_a_pool_grows_and_shrinks_when_the_file_is_saved(
    configured: Callable[[str], Configured], wait_for: WaitFor
) -> None:
    running = configured("[pools.default]\nworkers = 2\n")
    before = running.pids()
    running.save("[pools.default]\nworkers = 4\n")
    names = {"api", "supervisor", *(f"default-{n}" for n in range(1, 5))}
    wait_for(lambda: running.ready() == names, "two workers more")
    assert {name: running.pids()[name] for name in before} == before
    running.save("[pools.default]\nworkers = 1\n")
    wait_for(lambda: running.ready() == {"api", "supervisor", "default-1"}, "one to be left")
    assert running.pids()["default-1"] == before["default-1"]
    assert running.pids()["api"] == before["api"]
    assert running.system.stop() == 0


def test_a_worker_that_is_no_longer_wanted_finishes_its_job_first(
    configured: Callable[[str], Configured], wait_for: WaitFor
) -> None:
    running = configured("[pools.default]\nworkers = 1\n")
    job = running.system.submit("sleep", {"seconds": 2})
    wait_for(lambda: running.system.get(f"/jobs/{job}")["status"] == "in_progress", "its start")
    running.save("[pools.default]\nworkers = 0\n[pools.other]\nworkers = 1\nqueues = ['other']\n")
    wait_for(lambda: running.ready() == {"api", "supervisor", "other-1"}, "the change")
    ended = running.system.wait_for_job(job)
    assert ended["status"] == "done"
    assert [attempt["outcome"] for attempt in ended["attempts"]] == ["succeeded"]
    assert running.system.stop() == 0


def test_only_the_pool_whose_settings_changed_is_restarted_and_none_of_its_jobs_is_lost(
    configured: Callable[[str], Configured], wait_for: WaitFor
) -> None:
    toml = "[pools.default]\nworkers = 2\nqueues = ['default']\n[pools.mail]\nqueues = ['mail']\n"
    running = configured(toml)
    before = running.pids()
    job = running.system.submit("sleep", {"seconds": 1.5}, queue="mail")
    running.save(toml + "max_jobs = 1000\n")
    wait_for(lambda: running.pids()["mail-1"] not in (None, before["mail-1"]), "a new worker")
    ended = running.system.wait_for_job(job)
    assert [attempt["outcome"] for attempt in ended["attempts"]] == ["succeeded"]
    after = running.pids()
    unchanged = ("default-1", "default-2", "api")
    assert {name: after[name] for name in unchanged} == {name: before[name] for name in unchanged}
    assert running.system.stop() == 0


@pytest.mark.parametrize(
    ("toml", "reason"),
    [
        ("[pools.default]\nworkers = 'many'\n", "pools.default.workers"),
        ("[pools.default\n", "orpheus.toml:1"),
        ("[jobs]\nmodules = ['no_such_module']\n", "No module named 'no_such_module'"),
        ("[[schedules]]\nname = 'x'\nevery = 60\ntype = 'nothing'\n", "'x' cannot make its job"),
        ("[database]\nstate_dir = 'elsewhere'\n", "database.state_dir: cannot change while"),
    ],
)
def test_a_configuration_that_is_not_valid_is_rejected_and_the_running_one_stays(
    configured: Callable[[str], Configured], wait_for: WaitFor, toml: str, reason: str
) -> None:
    running = configured("[pools.default]\nworkers = 1\n")
    before = running.pids()
    running.save(toml)

    def told() -> Any:
        one = running.system.workers()["supervisor"]
        return one["degraded"] and one["reason"]

    assert reason in wait_for(told, "the reason to be shown")
    assert running.pids() == before
    running.save("[pools.default]\nworkers = 1\n# mended\n")
    wait_for(lambda: not told(), "the reason to go")
    assert running.pids() == before
    assert running.system.stop() == 0


def test_a_file_that_is_a_fifo_for_a_moment_stops_no_reload(
    configured: Callable[[str], Configured], wait_for: WaitFor
) -> None:
    running = configured("[pools.default]\nworkers = 1\n")
    running.file.unlink()
    os.mkfifo(running.file)
    wait_for(lambda: running.system.workers()["supervisor"]["degraded"], "the rejection")
    assert "regular file" in running.system.workers()["supervisor"]["reason"]
    running.save("[pools.default]\nworkers = 2\n")
    wait_for(lambda: "default-2" in running.ready(), "the second worker")
    assert running.system.stop() == 0


def test_a_reload_brings_new_job_types_and_workers_that_know_them(
    configured: Callable[[str], Configured], wait_for: WaitFor, tmp_path: Path, monkeypatch: Any
) -> None:
    module = tmp_path / "jobs_of_a_reload.py"
    first = "@job\ndef first(ctx: Context) -> str:\n    return 'first'\n"
    module.write_text(f"from orpheus import Context, job\n\n{first}")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    running = configured("[pools.default]\nworkers = 2\n[jobs]\nmodules = ['jobs_of_a_reload']\n")
    before = running.pids()
    with module.open("a") as file:
        file.write(first.replace("first", "second"))
    running.signal(signal.SIGHUP)
    wait_for(lambda: len(running.system.get("/types")["items"]) == 2, "the second type")
    job = running.system.submit("second")
    wait_for(
        lambda: not {before["default-1"], before["default-2"]} & set(running.pids().values()),
        "new workers",
    )
    assert running.system.wait_for_job(job)["result"] == "second"
    assert running.pids()["api"] == before["api"]
    assert running.system.stop() == 0


def test_usr2_replaces_every_process_and_no_request_or_job_is_lost(
    configured: Callable[[str], Configured], wait_for: WaitFor
) -> None:
    running = configured("[pools.default]\nworkers = 3\n")
    before = running.pids()
    jobs: list[int] = []
    failures: list[Exception] = []
    stop = threading.Event()

    def submit() -> None:
        with httpx2.Client(
            base_url=running.system.url, trust_env=False, timeout=PATIENCE_S
        ) as client:
            while not stop.is_set():
                try:
                    answer = client.post(
                        "/jobs", json={"type": "sleep", "payload": {"seconds": 0.05}}
                    )
                    jobs.append(answer.json()["id"])
                except httpx2.HTTPError as error:
                    failures.append(error)

    submitting = threading.Thread(target=submit)
    submitting.start()
    try:
        running.signal(signal.SIGUSR2)
        changing = set(before) - {"supervisor"}
        wait_for(
            lambda: (
                all(running.pids()[name] not in (None, before[name]) for name in changing)
                and running.ready() == set(before)
            ),
            "everything to be new",
        )
    finally:
        stop.set()
        submitting.join()
    assert not failures
    ended = [running.system.wait_for_job(job) for job in jobs[:: max(1, len(jobs) // 50)]]
    assert {job["status"] for job in ended} == {"done"}
    assert {len(job["attempts"]) for job in ended} == {1}
    exits = [one["last_exit"] for name, one in running.system.workers().items() if name in changing]
    assert {one["reason"] for one in exits if one} == {"replaced"}
    assert running.system.stop() == 0


def test_an_operator_s_scale_lasts_until_the_file_says_another_number(
    configured: Callable[[str], Configured], wait_for: WaitFor
) -> None:
    running = configured("[pools.default]\nworkers = 1\n")
    answer = running.system.client.post("/pools/default/scale", json={"workers": 3})
    assert answer.status_code == 202
    grown = {"api", "supervisor", "default-1", "default-2", "default-3"}
    wait_for(lambda: running.ready() == grown, "two workers more")
    running.save("[pools.default]\nworkers = 1\nmax_age = '1h'\n")
    wait_for(lambda: "config_reloaded" in running.system.log(), "the reload")
    assert running.ready() == grown
    running.save("[pools.default]\nworkers = 2\nmax_age = '1h'\n")
    wait_for(lambda: running.ready() == grown - {"default-3"}, "the file's number")
    assert running.system.stop() == 0


def test_queues_and_schedules_of_a_new_configuration_are_in_force_at_once(
    configured: Callable[[str], Configured], wait_for: WaitFor
) -> None:
    running = configured("[pools.default]\nworkers = 1\n")
    before = running.pids()
    running.save(
        "[pools.default]\nworkers = 1\n[queues.mail]\nmax_running = 7\n"
        "[[schedules]]\nname = 'often'\nevery = 1\ntype = 'sleep'\npayload = {seconds = 0}\n"
    )
    wait_for(lambda: running.system.get("/jobs?type=sleep&limit=1")["items"], "its first job")
    [queue] = [q for q in running.system.get("/queues")["items"] if q["name"] == "mail"]
    assert queue["max_running"] == 7
    assert running.pids() == before
    assert running.system.stop() == 0


def test_a_file_that_is_not_watched_is_read_on_sighup_only(
    configured: Callable[[str], Configured], wait_for: WaitFor
) -> None:
    toml = "[supervisor]\nwatch_config = false\n[pools.default]\nworkers = {}\n"
    running = configured(toml.format(1))
    running.save(toml.format(2))
    job = running.system.submit("sleep", {"seconds": 1.5})
    running.system.wait_for_job(job)
    assert "default-2" not in running.pids()
    running.signal(signal.SIGHUP)
    wait_for(lambda: "default-2" in running.ready(), "the second worker")
    assert running.system.stop() == 0


def test_the_supervisor_takes_requests_right_after_a_reload(
    configured: Callable[[str], Configured], wait_for: WaitFor
) -> None:
    running = configured("[pools.default]\nworkers = 1\n")
    for number in range(1, 4):
        running.signal(signal.SIGHUP)
        wait_for(lambda n=number: running.system.log().count("config_reloaded") == n, "a reload")
        assert running.system.client.post("/workers/default-1/drain").status_code == 202
        assert running.system.client.post("/workers/default-1/restart").status_code == 202
    assert running.system.stop() == 0


def test_asking_for_the_stack_of_a_starting_process_does_not_kill_it(
    configured: Callable[[str], Configured], wait_for: WaitFor
) -> None:
    running = configured("[pools.default]\nworkers = 1\n")
    before = running.pids()["default-1"]
    running.system.client.post("/workers/default-1/restart")
    asked = 0
    while running.pids()["default-1"] == before or "default-1" not in running.ready():
        running.system.client.get("/workers/default-1/stack")
        asked += 1
    worker = running.system.workers()["default-1"]
    assert asked
    assert (worker["restarts"], worker["last_exit"]["reason"]) == (1, "replaced")
    assert running.system.stop() == 0


def test_an_old_worker_spends_no_retry_of_a_job_that_only_new_code_knows(
    configured: Callable[[str], Configured], wait_for: WaitFor, tmp_path: Path, monkeypatch: Any
) -> None:
    module = tmp_path / "jobs_of_a_roll.py"
    module.write_text(
        "import time\nfrom orpheus import Context, job\n\n"
        "@job\ndef slow(ctx: Context) -> str:\n    time.sleep(3)\n    return 'slow'\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    running = configured("[pools.default]\nworkers = 2\n[jobs]\nmodules = ['jobs_of_a_roll']\n")
    slow = running.system.submit("slow")
    wait_for(lambda: running.system.get(f"/jobs/{slow}")["status"] == "in_progress", "its start")
    with module.open("a") as file:
        file.write("\n@job\ndef fresh(ctx: Context) -> str:\n    return 'fresh'\n")
    running.signal(signal.SIGHUP)
    wait_for(lambda: len(running.system.get("/types")["items"]) == 2, "the new type")
    jobs = [running.system.submit("fresh", max_retries=0) for _ in range(5)]
    ended = [running.system.wait_for_job(job) for job in (slow, *jobs)]
    assert {job["status"] for job in ended} == {"done"}
    assert running.system.stop() == 0


def test_reloads_leak_no_descriptors_and_no_threads(
    configured: Callable[[str], Configured], wait_for: WaitFor
) -> None:
    running = configured("[pools.default]\nworkers = 1\n")
    supervisor = psutil.Process(running.system.process.pid)
    before = supervisor.num_fds(), supervisor.num_threads()
    for number in range(1, 6):
        running.signal(signal.SIGHUP)
        wait_for(lambda n=number: running.system.log().count("config_reloaded") == n, "a reload")
    wait_for(
        lambda: (supervisor.num_fds(), supervisor.num_threads()) == before,
        f"descriptors and threads as before, {before}",
    )
    assert running.system.stop() == 0


def test_the_service_manager_is_notified_of_every_step(
    configured: Callable[[str], Configured],
    wait_for: WaitFor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "1000000")
        told: list[str] = []

        def hear(word: str) -> bool:
            with contextlib.suppress(BlockingIOError):
                while True:
                    told.extend(manager.recv(4_096).decode().splitlines())
            return word in told

        running = configured("[pools.default]\nworkers = 1\n")
        for word in ("READY=1", "STATUS=1 of 1 workers ready", "WATCHDOG=1"):
            wait_for(partial(hear, word), word)
        for pid in running.pids().values():
            if pid != running.system.process.pid:
                assert "NOTIFY_SOCKET" not in psutil.Process(pid).environ()
        told.clear()
        running.signal(signal.SIGHUP)
        for word in ("RELOADING=1", "READY=1"):
            wait_for(partial(hear, word), word)
        assert running.system.stop() == 0
        assert hear("STOPPING=1")
        assert hear("STATUS=SIGTERM")
