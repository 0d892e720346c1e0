"""The Django site of examples/mysite beside the wheel, and its tasks on a real Orpheus."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.installed import ROOT, Installed, serving, uv

pytestmark = pytest.mark.xdist_group("packaging")

DIES = '''

@task(takes_context=True)
def die_once(context):
    """Kill the worker in the first attempt."""
    import os
    if context.attempt == 1:
        os.kill(os.getpid(), 9)
    return context.attempt
'''
SENDS = """
from django.test import Client
client = Client(HTTP_HOST="localhost")
print(client.post("/", {"body": "to be or not to be"})["Location"])
from texts.tasks import die_once
print(die_once.enqueue().id)
"""
SHOWS = """
from django.test import Client
from texts.tasks import die_once
result = die_once.get_result("{id}")
print("6 words" in Client(HTTP_HOST="localhost").get("{page}").content.decode(), result.is_finished)
if result.is_finished:
    print(result.return_value, result.attempts, result.errors[0].exception_class.__name__)
"""


@pytest.fixture
def site(wheel: Path, tmp_path: Path) -> Installed:
    """A copy of the example, with the wheel and its extra in an environment of its own."""
    environment = tmp_path / "environment"
    uv("venv", "--python", sys.executable, environment)
    locked = ("--constraints", ROOT / "requirements.lock")
    uv("pip", "install", "--python", environment, *locked, f"{wheel}[django]")
    shutil.copytree(ROOT / "examples" / "mysite", tmp_path / "mysite")
    return Installed(tmp_path / "mysite", environment)


def manage(site: Installed, *arguments: object) -> str:
    run = site.run(site.python, "manage.py", *arguments)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_tasks_run_and_survive_their_worker(
    site: Installed, wait_for: Callable[..., Any], tmp_path: Path
) -> None:
    manage(site, "makemigrations", "--check")
    manage(site, "test")
    with (site.folder / "texts" / "tasks.py").open("a") as file:
        file.write(DIES)
    manage(site, "migrate")
    command: list[Path | str] = [site.python, "manage.py", "orpheus"]
    command += ["--set", "api.port=0", "--set", "pools.default.workers=1"]
    with serving(site, command, tmp_path / "log", wait_for):
        page, task_id = manage(site, "shell", "-v0", "-c", SENDS).split()
        shows = SHOWS.format(page=page, id=task_id)

        def shown() -> str | None:
            answer = manage(site, "shell", "-v0", "-c", shows)
            return answer if answer.startswith("True True") else None

        assert wait_for(shown, "the results").splitlines()[1:] == ["2 2 RuntimeError"]
        assert "texts.tasks.die_once" in manage(site, "orpheus", "jobs", "--status", "done")
