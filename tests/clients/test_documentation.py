"""The snippets of docs/clients.md and docs/scaling.md run beside real workers."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.errors import StorageError
from orpheus.shared.storage import open_store
from tests.machine import wait_until

ROOT = Path(__file__).parents[2]
SCALING = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")


def snippets(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


SNIPPETS = [
    snippet
    for snippet in snippets((ROOT / "docs" / "clients.md").read_text(encoding="utf-8"), "python")
    if "connection=" not in snippet  # those run in in_transaction/test_documented.py
]
JOBS = '''
from orpheus import Context, job

@job
def resize(ctx: Context, path: str, width: int = 640) -> dict[str, int]:
    """Pretend."""
    ctx.log.info("resizing", path=path)
    return {"width": width}
'''


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Path]:
    """The folder of an application, with its configuration, its jobs and one worker, but no API."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("orpheus.shared.job_types.registry._registry", {})
    (tmp_path / "jobs.py").write_text(getattr(request, "param", JOBS))
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "orpheus.toml").write_text(
        f'[database]\nurl = "sqlite:///{tmp_path}/data/orpheus.db"\n[jobs]\nmodules = ["jobs"]\n'
    )
    with a_worker(tmp_path, "config/orpheus.toml"):
        yield tmp_path
    sys.modules.pop("jobs", None)


@contextmanager
def a_worker(folder: Path, config: str) -> Iterator[None]:
    """Run a worker of a folder with a configuration there."""
    command = [sys.executable, "-m", "orpheus.worker", "--config", config]
    worker = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        worker.terminate()
        worker.wait(60)


def has_types(url: str) -> bool:
    """Whether the worker has described its job types."""
    try:
        store = open_store(url)
    except StorageError:
        return False
    try:
        return bool(store.types.all())
    finally:
        store.close()


def test_the_snippets_of_the_page_run_with_the_api_down(project: Path, capsys: Any) -> None:
    assert len(SNIPPETS) >= 6
    wait_until(lambda: has_types(f"sqlite:///{project}/data/orpheus.db"), "the worker")
    names: dict[str, Any] = {}
    for snippet in SNIPPETS:
        exec(compile(snippet, "docs/clients.md", "exec"), names)
    printed = capsys.readouterr().out
    assert printed.startswith("{'width': 640}\n")
    assert "\nsucceeded\n" in printed and "resizing" in printed
    assert "['job.enqueued', 'job.started', 'job.done']" in printed
    assert " job.done done\n" in printed
    assert "[('/payload/path', " in printed


def test_each_job_runs_in_the_database_of_its_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "jobs.py").write_text(JOBS)
    (tables,), (code,) = snippets(SCALING, "toml"), snippets(SCALING, "python")
    with ExitStack() as stack:
        for name, table in re.findall(r"# (\w+)\.toml\n(.*?)(?=\n# |\Z)", tables, re.DOTALL):
            url = f"sqlite:///{tmp_path}/{name}/orpheus.db"
            here = re.sub(r"postgresql://[^\"]*", url, table)
            Path(f"{name}.toml").write_text(f'{here}\n[jobs]\nmodules = ["jobs"]\n')
            stack.enter_context(a_worker(tmp_path, f"{name}.toml"))
            wait_until(partial(has_types, url), f"the worker of {name}")
        names: dict[str, Any] = {}
        exec(compile(code, "docs/scaling.md", "exec"), names)
        clients = [stack.enter_context(names[name]) for name in ("shop", "media")]
        for queue in ("media", "default", "letters"):
            job = names["submit"]("resize", {"path": queue}, queue=queue)
            assert names["client_of"](queue).wait(job, timeout=60).status == "done"
        found = [{job.queue for job in client.jobs()} for client in clients]
    assert found == [{"default", "letters"}, {"media"}]
