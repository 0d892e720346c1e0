"""The snippets of docs/start.md and docs/index.md work as they stand there."""

import re
from pathlib import Path

from orpheus.supervisor.cli.init import _JOBS
from tests.unit.testing.test_plugin import run_pytest

DOCS = Path(__file__).parents[3] / "docs"
START = (DOCS / "start.md").read_text(encoding="utf-8")
SNIPPETS = dict(re.findall(r"```python (\w+)\n(.*?)```", START, re.DOTALL))
RUN_CLIENT = """
import contextlib
from pathlib import Path
import orpheus as package

def test_the_client_waits_for_the_greeting(orpheus, monkeypatch, capsys):
    def wait(job, timeout):
        orpheus.run_until_idle()
        return orpheus.get(job)
    orpheus.wait = wait
    monkeypatch.setattr(package, "Client", lambda: contextlib.nullcontext(orpheus))
    exec(Path("client.txt").read_text())
    assert capsys.readouterr().out == "{'greeting': 'Hello, Ada!'}\\n"
"""
INDEX = """
from orpheus.testing import run
def test_the_job_of_the_start_page():
    assert run(resize, path="a.png").result == {"width": 640}
"""


def test_the_job_is_the_one_that_init_writes() -> None:
    assert SNIPPETS["jobs"] in _JOBS


def test_the_snippets_work(tmp_path: Path) -> None:
    [index] = re.findall(r"```python\n(.*?)```", (DOCS / "index.md").read_text(), re.DOTALL)
    (tmp_path / "jobs.py").write_text(SNIPPETS["jobs"])
    (tmp_path / "test_jobs.py").write_text(SNIPPETS["test"])
    (tmp_path / "client.txt").write_text(SNIPPETS["client"])
    (tmp_path / "test_client.py").write_text(RUN_CLIENT)
    (tmp_path / "test_index.py").write_text(index + INDEX)
    assert "4 passed" in run_pytest(tmp_path)
