"""An application with packages named as ours runs its jobs on the installed wheel.

It has `api`, `config`, `shared`, `supervisor` and `worker` packages of its own, all but `shared`
raise when they are imported, and PyPI's `supervisor` is installed beside Orpheus.
"""

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.packaging.installed import Installed, serving
from tests.packaging.test_distributions import FOLDERS
from tests.variants import variants

pytestmark = pytest.mark.xdist_group("packaging")

CALLS = """\
from orpheus import Context
from shop_jobs import invoice, notify, remind, resize


def total(ctx: Context) -> int:
    ctx.enqueue(invoice.new("Ada", cents=100).with_options(queue="media", delay="5m", tags=["a"]))
    ctx.enqueue(resize.new(path="a.png"), depends_on=[ctx.enqueue(notify.new("a.png"))])
    ctx.enqueue(remind.new(customer="Ada", days=3))
    assert ctx.results[resize]["width"] + len(ctx.results[notify]) + ctx.results["x"]
    return invoice(ctx, "Ada", cents=100)["cents"] + resize(ctx, "a.png")["width"]
"""
WRONG = [
    ('invoice(ctx, "Ada", cents=100)', 'invoice(ctx, "Ada", cents="100")', 'Argument "cents" to'),
    (
        'cents=100)["cents"]',
        'cents=100)["cents"] + notify(1)',
        'Argument 1 to "__call__"',
    ),
    (
        'new("Ada", cents=100)',
        'new("Ada", cents="100")',
        'Argument "cents" to "new"',
    ),
    (
        'new("Ada", cents=100)',
        'new(ctx, "Ada", 100)',
        'Too many arguments for "new"',
    ),
    (
        'notify.new("a.png")',
        "notify.new(5)",
        'Argument 1 to "new"',
    ),
    ('queue="media"', "qeue=5", 'Unexpected keyword argument "qeue" for "with_options"'),
    ('results[resize]["width"]', "results[resize][5]", "Invalid index type"),
    ('resize(ctx, "a.png")', 'resize(1, "a.png")', 'Argument 1 to "__call__"'),
]
CHECKED = ("shop_jobs.py", "calls.py", "wrong_calls.py")


@contextmanager
def started(
    application: Installed, command: list[Path | str], folder: Path, wait_for: Callable[..., Any]
) -> Iterator[httpx2.Client]:
    """Run Orpheus from the application's folder; ends it in order."""
    sets = ["--config", "orpheus.toml", "--set", f"database.url=sqlite:///{folder}/data/orpheus.db"]
    with (
        serving(application, [*command, *sets], folder / "log", wait_for) as url,
        httpx2.Client(base_url=url, timeout=40, trust_env=False) as client,
    ):
        yield client


def ended(client: httpx2.Client, job_id: int) -> Any:
    """Return a job once it has ended."""
    give_up_at = time.monotonic() + 60
    while True:
        job = client.get(f"/jobs/{job_id}?wait=20").json()
        if job["status"] in ("done", "failed", "cancelled") or time.monotonic() > give_up_at:
            return job


@pytest.mark.parametrize("how", variants(["orpheus", "python -m orpheus"], "orpheus"))
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


def errors_of(run: "subprocess.CompletedProcess[str]") -> dict[int, list[str]]:
    """Return what mypy says, by line of the wrong calls; it says nothing of other files."""
    assert run.returncode in (0, 1), run.stdout + run.stderr
    found: dict[int, list[str]] = {}
    for line in run.stdout.splitlines():
        if match := re.match(r"wrong_calls\.py:(\d+): error: (.*)", line):
            found.setdefault(int(match[1]), []).append(match[2])
        else:
            assert ": error: " not in line, line
    return found


def test_a_type_checker_knows_the_parameters_of_a_job(application: Installed) -> None:
    """Each wrong call stands in a function of its own, so that one run of mypy finds all."""
    imports, function = CALLS.split("\n\n\n")
    (application.folder / "calls.py").write_text(CALLS)
    lines = imports.splitlines()
    ranges = {}
    for number, (instead_of, put, message) in enumerate(WRONG):
        assert instead_of in function
        changed = function.replace(instead_of, put).replace("total", f"total_{number}")
        ranges[message] = range(len(lines) + 1, len(lines) + 1 + len(changed.splitlines()))
        lines += changed.splitlines()
    (application.folder / "wrong_calls.py").write_text("\n".join(lines) + "\n")
    errors = errors_of(application.mypy(*CHECKED))
    for message, numbers in ranges.items():
        said = [error for line, some in errors.items() if line in numbers for error in some]
        assert any(message in error for error in said), (message, said)
