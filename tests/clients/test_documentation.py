"""The snippets of docs/clients.md run, one after the other, beside a real worker."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orpheus.shared.errors import StorageError
from orpheus.shared.storage import open_store
from tests.machine import wait_until

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
SNIPPETS = [
    snippet
    for snippet in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
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
    worker = subprocess.Popen(
        [sys.executable, "-m", "orpheus.worker"], cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    yield tmp_path
    worker.terminate()
    worker.wait(60)
    sys.modules.pop("jobs", None)


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
