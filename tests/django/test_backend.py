"""The backend passes the tests in `site/`, run as Django runs the tests of a site."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

SITE = Path(__file__).parent / "site"


def environment_of(folder: Path, database: str = "") -> dict[str, str]:
    environment = {**os.environ, "PYTHONPATH": str(SITE), "SITE_FOLDER": str(folder)}
    environment |= {"DJANGO_SETTINGS_MODULE": "site_settings", "DATABASE_URL": database}
    return {**environment, "CONFIG": str(folder / "orpheus.toml")}


def run_site_tests(environment: dict[str, str], *arguments: str) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", "django", "test", "--noinput", *arguments],
        cwd=environment["SITE_FOLDER"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "\nOK" in run.stderr


def test_on_sqlite(tmp_path: Path) -> None:
    run_site_tests(environment_of(tmp_path), "checked")


def test_on_postgres_beside_a_worker(
    tmp_path: Path,
    new_database: Callable[..., str],
    orpheus_template: str,
    wait_for: Callable[..., Any],
) -> None:
    url = new_database(f"TEMPLATE {orpheus_template}")
    environment = environment_of(tmp_path, url)
    settings = f'[database]\nurl = "{url}"\nstate_dir = "{tmp_path}"\n'
    (tmp_path / "orpheus.toml").write_text(f'{settings}[jobs]\nmodules = ["orpheus.django.jobs"]\n')
    command = [sys.executable, "-m", "orpheus.worker", "--config", environment["CONFIG"]]
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    try:
        wait_for(lambda: "worker_ready" in (tmp_path / "log").read_text(), "the worker")
        run_site_tests(environment, "--keepdb", "checked.tests.PostgreSQLTest")
    finally:
        worker.terminate()
        worker.wait(60)
