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
from typing import Any, assert_type

from orpheus import AsyncClient, Client, Context, Job
from orpheus.client import Event, LogLine, Progress
from orpheus.testing import Harness
from shop_jobs import anything, invoice, notify, remind, resize


def total(ctx: Context) -> int:
    ctx.enqueue(invoice.new("Ada", cents=100).with_options(queue="media", delay="5m", tags=["a"]))
    ctx.enqueue(resize.new(path="a.png"), depends_on=[ctx.enqueue(notify.new("a.png"))])
    ctx.enqueue(remind.new(customer="Ada", days=3))
    assert ctx.results[resize]["width"] + len(ctx.results[notify]) + ctx.results["x"]
    return invoice(ctx, "Ada", cents=100)["cents"] + resize(ctx, "a.png")["width"]


def results(orpheus: Client, harness: Harness) -> None:
    job = orpheus.submit(resize.new(path="a.png").with_options(priority=1), queue="media")
    assert_type(job, Job[dict[str, int]])
    assert_type(orpheus.get(job), Job[dict[str, int]])
    assert_type(orpheus.wait(job, timeout=30).result, dict[str, int] | None)
    assert_type(orpheus.submit(notify.new("a.png")), Job[str])
    assert_type(orpheus.submit(anything.new("a.png")), Job[Any])
    assert_type(orpheus.submit("resize", {"path": "a.png"}), Job[Any])
    assert_type(orpheus.get(job.id), Job[Any])
    assert_type(harness.get(harness.submit(notify.new("a.png"))), Job[str])
    for new in orpheus.follow(job, timeout="30s"):
        assert_type(new, Event | Progress | LogLine)


async def awaited(orpheus: AsyncClient) -> None:
    job = await orpheus.submit(notify.new("a.png"))
    assert_type(job, Job[str])
    assert_type((await orpheus.wait(job)).result, str | None)
    assert_type(await orpheus.submit(resize.new(path="a.png")), Job[dict[str, int]])
    any_job: Job = await orpheus.submit("resize", {"path": "a.png"})
    assert_type(any_job, Job[Any])
    async for new in orpheus.follow(job):
        assert_type(new, Event | Progress | LogLine)
"""
WRONG = [
    ('invoice(ctx, "Ada", cents=100)', 'invoice(ctx, "Ada", cents="100")'),
    ('cents=100)["cents"]', 'cents=100)["cents"] + notify(1)'),
    ('invoice.new("Ada", cents=100)', 'invoice.new("Ada", cents="100")'),
    ('invoice.new("Ada", cents=100)', 'invoice.new(ctx, "Ada", 100)'),
    ('notify.new("a.png")', "notify.new(5)"),
    ('notify.new("a.png")', "anything.new(5)"),
    ('queue="media"', "qeue=5"),
    ('results[resize]["width"]', "results[resize][5]"),
    ('resize(ctx, "a.png")', 'resize(1, "a.png")'),
    ("return invoice", 'Client().submit(notify.new("a"), {"path": "a"})\n    return invoice'),
    (
        "return invoice",
        'Client().get(Client().submit(notify.new("a"))).result + 1\n    return invoice',
    ),
]


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
    assert run.stdout == f"orpheus {version('orpheus-jobs')}\n"


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_a_type_checker_knows_the_parameters_and_the_result_of_a_job(
    application: Installed, checker: str
) -> None:
    """Each wrong call stands in a function of its own, so that one run finds all."""
    check: Callable[..., subprocess.CompletedProcess[str]] = getattr(application, checker)
    (application.folder / "calls.py").write_text(CALLS)
    run = check("shop_jobs.py", "calls.py")
    assert run.returncode == 0, run.stdout + run.stderr
    imports, function, *_ = CALLS.split("\n\n\n")
    lines = imports.splitlines()
    functions = {}
    for number, (instead_of, put) in enumerate(WRONG):
        assert instead_of in function
        changed = function.replace(instead_of, put).replace("total", f"total_{number}").splitlines()
        functions[put] = range(len(lines) + 1, len(lines) + 1 + len(changed))
        lines += changed
    (application.folder / "wrong_calls.py").write_text("\n".join(lines) + "\n")
    run = check("wrong_calls.py")
    errors = re.findall(r"wrong_calls\.py:(\d+):.*error: (?!Import )", run.stdout)
    for put, numbers in functions.items():
        assert {*map(int, errors)} & {*numbers}, (put, run.stdout)
