"""docs/crontab.md: its crontab and its configuration say the same, and every job of it runs."""

import os
import re
import signal
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.domain.handover import JobDefaults
from orpheus.shared.domain.jobs import Job
from orpheus.shared.domain.lifecycle import TERMINAL
from orpheus.shared.operations.stored_settings import job_maker
from orpheus.shared.storage import Store, open_store

PAGE = Path(__file__).parents[2] / "docs" / "crontab.md"
WaitFor = Callable[..., Any]


def block(language: str) -> str:
    """The one block of the page in that language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert isinstance(found, str)
    return found


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The folder that the example works on."""
    folder = tmp_path / "shop"
    (folder / "uploads").mkdir(parents=True)
    (folder / "uploads" / "new.txt").write_text("new")
    old = folder / "uploads" / "old.txt"
    old.write_text("old")
    os.utime(old, (0, 0))
    (folder / "logs").mkdir()
    (folder / "logs" / "app.log").write_text("all is well\n")
    report = folder / "report.sh"
    report.write_text('#!/bin/sh\necho "$1 report"\n')
    report.chmod(0o700)
    return folder


@pytest.fixture
def store(tmp_path: Path, shop: Path, wait_for: WaitFor) -> Iterator[Store]:
    """The database of an Orpheus that was started beside the shop with the page's example."""
    file = tmp_path / "orpheus.toml"
    file.write_text(block("toml"), encoding="utf-8")
    argv = [sys.executable, "-m", "orpheus.supervisor", "--config", str(file)]
    for one in ("api.port=0", "pools.default.workers=2", "database.url=sqlite:///data/orpheus.db"):
        argv += ["--set", one]
    plain = {k: v for k, v in os.environ.items() if not k.startswith("ORPHEUS_")}
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv,
            cwd=tmp_path,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**plain, "LC_ALL": "C"},
        )
    opened = None
    try:
        wait_for(lambda: b"Orpheus is running" in log.read_bytes(), "the start")
        opened = open_store(f"sqlite:///{tmp_path}/data/orpheus.db", pools={"default": ("*",)})
        yield opened
    finally:
        if opened is not None:
            opened.close()
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def test_each_line_of_the_crontab_is_a_schedule() -> None:
    lines = [line for line in block("crontab").splitlines() if line[0] in "*0123456789"]
    crons = [" ".join(line.split()[:5]) for line in lines]
    settings = tomllib.loads(block("toml"))
    assert len(lines) == 5
    assert [one["cron"] for one in settings["schedules"]] == crons
    assert [one["type"] for one in settings["schedules"]] == [
        one["name"] for one in settings["commands"]
    ]


def test_every_schedule_of_the_example_runs_its_program(
    store: Store, shop: Path, wait_for: WaitFor
) -> None:
    make_job = job_maker(store, JobDefaults(3, 900.0))
    names = [row.definition.name for row in store.schedules.all()]
    assert len(names) == 5
    ids = {name: store.schedules.run_now(name, make_job) for name in names}

    def ended(job_id: int) -> Job | None:
        job = store.jobs.get(job_id)
        return job if job.status in TERMINAL else None

    jobs = {
        name: wait_for(lambda job_id=job_id: ended(job_id), f"the end of {name}")
        for name, job_id in ids.items()
    }
    ends = {name: (job.status, job.error) for name, job in jobs.items()}
    assert ends == dict.fromkeys(names, ("done", None))
    assert jobs["monthly_errors"].result == '{"exit_code":1}'
    assert jobs["nightly_backup"].queue == "backups"
    [heading, *_] = store.logs.after(ids["disk_usage"], 0, 9)
    assert heading.line.startswith("Filesystem")
    assert [one.name for one in (shop / "uploads").iterdir()] == ["new.txt"]
    with tarfile.open(shop / "backup.tar.gz") as backup:
        assert "uploads/new.txt" in backup.getnames()
    unpacked = subprocess.check_output(["gzip", "-dc", shop / "report-daily.gz"], text=True)
    assert unpacked == "daily report\n"
