"""The settings of `orpheus dev`, and the database that commands find in its folder."""

from pathlib import Path
from typing import Any

import pytest

from orpheus.config.dev import DEV_URL, dev_sources
from orpheus.config.effective import command_sources
from orpheus.config.load import settings_of
from orpheus.config.settings import Settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(*sets: str, environ: dict[str, str] | None = None, **options: Any) -> Settings:
    return settings_of(dev_sources(None, sets, environ or {}, **options))


def test_without_a_file_there_are_two_workers_short_timings_and_a_database_of_its_own() -> None:
    settings = read()
    assert settings.database.url == DEV_URL
    assert {name: pool.workers for name, pool in settings.pools.items()} == {"default": 2}
    assert settings.jobs.watch
    assert settings.supervisor.drain_timeout + settings.supervisor.stop_timeout <= 3


def test_the_file_counts_but_for_the_timings_and_set_counts_most(folder: Path) -> None:
    (folder / "orpheus.toml").write_text(
        "[database]\nurl = 'sqlite:///mine.db'\n"
        "[jobs]\nmodules = ['shop.jobs']\nwatch = false\n"
        "[pools.mail]\n[supervisor]\ndrain_timeout = '5m'\n"
    )
    (folder / "jobs.py").touch()
    settings = read("supervisor.stop_timeout=3", environ={"ORPHEUS_API__PORT": "9000"})
    assert (settings.database.url, settings.jobs.modules) == ("sqlite:///mine.db", ("shop.jobs",))
    assert (list(settings.pools), settings.api.port, settings.jobs.watch) == (["mail"], 9000, True)
    assert (settings.supervisor.drain_timeout, settings.supervisor.stop_timeout) == (2, 3)
    assert read(modules=["other"]).jobs.modules == ("other",)


def test_the_job_module_is_jobs_py_once_it_is_there(folder: Path) -> None:
    assert read().jobs.modules == Settings().jobs.modules
    (folder / "jobs.py").touch()
    assert read().jobs.modules == ("jobs",)


def test_a_debugger_has_one_worker_for_all_queues(folder: Path) -> None:
    (folder / "orpheus.toml").write_text(
        "[pools.mail]\nworkers = 3\nconcurrency = 8\nqueues = ['mail']\n[pools.media]\n"
    )
    pools = read(debugs=True).pools
    assert {name: pool.workers for name, pool in pools.items()} == {"mail": 1, "media": 0}
    assert (pools["mail"].concurrency, pools["mail"].queues) == (1, ("*",))


def named(*sets: str) -> Any:
    return command_sources(None, sets, {}).merged().get("database", {}).get("url")


def test_commands_use_the_database_of_dev_if_there_is_no_other_and_none_is_named(
    folder: Path,
) -> None:
    assert named() is None
    (folder / ".orpheus").mkdir()
    (folder / ".orpheus" / "orpheus.db").touch()
    assert named() == DEV_URL
    assert named("database.url=sqlite:///mine.db") == "sqlite:///mine.db"
    (folder / "data").mkdir()
    (folder / "data" / "orpheus.db").touch()
    assert named() is None
