"""What each process imports: most of the time of a start and of a command goes into imports.

Counts, not times: they are the same on every machine.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orpheus.config.effective import effective_note
from orpheus.config.load import load_settings
from orpheus.shared.process.living_note import write_note
from orpheus.shared.storage import state_files
from tests.databases import make_database

PYDANTIC = {"pydantic", "pydantic_core", "annotated_types"}
WEB = {"fastapi", "starlette", "uvicorn", "jinja2", "prometheus_client", "websockets"}
ARCHIVES = {"tempfile", "shutil", "zipfile", "bz2", "lzma"}
"""What `importlib.resources` imports."""
TEXTS = {"email", "importlib.metadata"}
SETTINGS = {"orpheus.config.settings"}
ALL_BUT_THE_API = WEB | {"asyncio", "concurrent.futures", "tomlkit"}


def imported_by(program: str, folder: Path, *arguments: str) -> set[str]:
    """Run a program in a new process, and return the names of the modules that it imported."""
    code = f"import json, sys\n{program}\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    environ = {name: value for name, value in os.environ.items() if name != "ORPHEUS_CONFIG"}
    argv = [sys.executable, "-c", code, *arguments]
    ended = subprocess.run(argv, cwd=folder, env=environ, capture_output=True, check=True)
    return set(json.loads(ended.stderr.splitlines()[-1]))


def test_a_worker_imports_no_settings_no_web_and_no_event_loop(tmp_path: Path) -> None:
    found = imported_by("import orpheus.worker.__main__, orpheus.worker.process", tmp_path)
    unused = ALL_BUT_THE_API | PYDANTIC | SETTINGS | TEXTS | ARCHIVES | {"click", "opentelemetry"}
    assert found & unused == set()
    assert len(found) < 390


def test_plain_job_types_are_described_without_pydantic(tmp_path: Path) -> None:
    program = "from orpheus.worker.__main__ import main\nmain(sys.argv[1:])"
    arguments = ("--describe", "--module", "orpheus.worker.handlers")
    found = imported_by(program, tmp_path, *arguments)
    assert found & (PYDANTIC | SETTINGS | ALL_BUT_THE_API | TEXTS) == set()


def test_the_supervisor_imports_no_web(tmp_path: Path) -> None:
    found = imported_by("import orpheus.config.load, orpheus.supervisor.run", tmp_path)
    assert found & (WEB | {"tomlkit"}) == set()
    assert len(found) < 610


def test_the_api_imports_no_templates_and_no_settings(tmp_path: Path) -> None:
    program = (
        "from orpheus.api.__main__ import import_fastapi\nimport_fastapi()\nimport orpheus.api.run"
    )
    found = imported_by(program, tmp_path)
    assert found & {"jinja2", "tomlkit"} == set()


@pytest.fixture
def beside_a_supervisor(tmp_path: Path) -> Path:
    """A folder with a configuration and a database, of which this process is the supervisor."""
    (tmp_path / "config").mkdir()
    file = tmp_path / "config" / "orpheus.toml"
    file.write_text(f'[database]\nurl = "sqlite:///{tmp_path}/orpheus.db"\n')
    settings = load_settings(file, (), {})
    make_database(settings.database.url)
    write_note(
        state_files(settings.database.url).running_settings, effective_note(settings, 0, None)
    )
    return tmp_path


COMMANDS = ("jobs", "workers", "status", "schedules", "queues", "audit", "errors", "types")
RUN_ALL = "from orpheus.supervisor.__main__ import run\nfor one in sys.argv[1:]: run([one])"


def test_commands_beside_a_supervisor_check_no_settings(beside_a_supervisor: Path) -> None:
    found = imported_by(RUN_ALL, beside_a_supervisor, *COMMANDS)
    assert found & (PYDANTIC | SETTINGS | ALL_BUT_THE_API | {"structlog"}) == set()
    assert len(found) < 400
