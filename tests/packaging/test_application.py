"""An application with packages named as ours runs its jobs on the installed wheel.

It has `api`, `config`, `shared`, `supervisor` and `worker` packages of its own, all but `shared`
raise when they are imported, and PyPI's `supervisor` is installed beside Orpheus.
"""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.packaging.installed import Installed, clean_environment
from tests.packaging.test_distributions import FOLDERS

pytestmark = pytest.mark.xdist_group("packaging")

CALLS = """\
from orpheus import Context
from shop_jobs import invoice


def total(ctx: Context) -> int:
    return invoice(ctx, "Ada", cents=100)["cents"]
"""
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


@contextmanager
def started(
    application: Installed, command: list[Path | str], folder: Path, wait_for: Callable[..., Any]
) -> Iterator[httpx2.Client]:
    """Run Orpheus from the application's folder; ends it in order."""
    log = folder / "log"
    sets = ["--config", "orpheus.toml", "--set", f"database.url=sqlite:///{folder}/data/orpheus.db"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *sets],
            cwd=application.folder,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:

        def address() -> str | None:
            text = log.read_text(encoding="utf-8")
            assert process.poll() is None, text
            found = ADDRESS.search(text)
            return found and found[0]

        url = wait_for(address, "the address in the log")
        with httpx2.Client(base_url=url, timeout=40, trust_env=False) as client:
            yield client
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text(encoding="utf-8")
        assert "Traceback" not in log.read_text(encoding="utf-8")
    finally:
        process.kill()
        process.wait()


def ended(client: httpx2.Client, job_id: int) -> Any:
    """Return a job once it has ended."""
    give_up_at = time.monotonic() + 60
    while True:
        job = client.get(f"/jobs/{job_id}?wait=20").json()
        if job["status"] in ("done", "failed", "cancelled") or time.monotonic() > give_up_at:
            return job


@pytest.mark.parametrize("how", ["orpheus", "python -m orpheus"])
def test_a_job_that_imports_the_application_s_shared_is_done(
    application: Installed, how: str, tmp_path: Path, wait_for: Callable[..., Any]
) -> None:
    command: dict[str, list[Path | str]] = {
        "orpheus": [application.orpheus],
        "python -m orpheus": [application.python, "-m", "orpheus"],
    }
    with started(application, command[how], tmp_path, wait_for) as client:
        wait_for(lambda: client.get("/readyz").status_code == 200, "readiness", 60)
        slots = {one["slot"]: one["state"] for one in client.get("/workers").json()["items"]}
        assert slots["api"] == slots["default-1"] == "ready"
        body = {"type": "invoice", "payload": {"customer": "Ada", "cents": 1000}}
        answer = client.post("/jobs", json=body)
        assert answer.status_code == 201, answer.text
        job = ended(client, answer.json()["id"])
        assert (job["status"], job["result"]) == ("done", {"cents": 1190})
        refused = client.post("/jobs", json={"type": "invoice", "payload": {"customer": 1}})
        assert refused.status_code == 422, refused.text
        assert "<title>" in client.get("/").text, "the dashboard's templates are installed"
        assert client.get("/openapi.json").status_code == 200
        assert client.get("/docs").status_code == 200


def test_only_orpheus_is_installed_beside_the_other_supervisor(application: Installed) -> None:
    there = {path.name for path in application.site_packages.iterdir()}
    assert "orpheus" in there
    assert there & set(FOLDERS) == {"supervisor"}
    init = application.site_packages / "supervisor" / "__init__.py"
    assert not init.exists() or "Orpheus" not in init.read_text(encoding="utf-8")
    assert (application.site_packages / "supervisor" / "supervisord.py").exists()


@pytest.mark.parametrize("arguments", [["orpheus"], ["python", "-m", "orpheus"]])
def test_the_commands_say_the_version(application: Installed, arguments: list[str]) -> None:
    program = application.environment / "bin" / arguments[0]
    run = application.run(program, *arguments[1:], "--version")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == f"orpheus {version('orpheus')}\n"


def mypy(application: Installed) -> "subprocess.CompletedProcess[str]":
    """Check the application strictly, against the wheel and not this checkout."""
    options = ("--strict", "--python-executable", application.python, "--no-incremental")
    return application.run(sys.executable, "-m", "mypy", *options, "shop_jobs.py", "calls.py")


def test_a_type_checker_knows_the_parameters_of_a_job(application: Installed) -> None:
    calls = application.folder / "calls.py"
    calls.write_text(CALLS)
    clean = mypy(application)
    assert clean.returncode == 0, clean.stdout + clean.stderr
    calls.write_text(CALLS.replace("cents=100", 'cents="100"'))
    found = mypy(application)
    assert found.returncode == 1, found.stdout + found.stderr
    assert 'calls.py:6: error: Argument "cents" to "invoice" has incompatible type' in found.stdout
    assert "Found 1 error" in found.stdout
