"""The backend passes the tests in `site/`, run as Django runs the tests of a site."""

import os
import subprocess
import sys
from pathlib import Path

SITE = Path(__file__).parent / "site"


def run_site_tests(folder: Path, *names: str, database: str = "") -> str:
    environment = {**os.environ, "PYTHONPATH": str(SITE), "SITE_FOLDER": str(folder)}
    environment |= {"DJANGO_SETTINGS_MODULE": "site_settings", "DATABASE_URL": database}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", "django", "test", "--noinput", *names],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stderr


def test_on_sqlite(tmp_path: Path) -> None:
    assert "\nOK" in run_site_tests(tmp_path, "checked")
