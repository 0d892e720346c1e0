"""Which folders are watched for job code, and what is told of a save."""

import threading
from pathlib import Path

import pytest

from orpheus.config.settings import Jobs
from orpheus.supervisor.plan.code_watch import CodeWatch, watched_folders
from tests.machine import wait_until


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder; a package and a module are elsewhere on the import path."""
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    for folder in (project / "inside", elsewhere / "package"):
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("raise AssertionError('imported')")
    (elsewhere / "module.py").touch()
    monkeypatch.chdir(project)
    monkeypatch.syspath_prepend(elsewhere)
    return project


@pytest.mark.parametrize(
    ("modules", "folders"),
    [
        (("orpheus.worker.handlers", "inside.jobs", "not_there"), {"project"}),
        (("package.jobs",), {"project", "elsewhere/package"}),
        (("module",), {"project", "elsewhere"}),
    ],
)
def test_the_current_folder_and_those_of_modules_elsewhere_are_watched_and_nothing_is_imported(
    project: Path, modules: tuple[str, ...], folders: set[str]
) -> None:
    assert watched_folders(modules) == {project.parent / folder for folder in folders}


def test_python_files_alone_are_told_until_nothing_is_watched(project: Path) -> None:
    told: list[str] = []
    watch = CodeWatch(told.append)
    watch.follow(Jobs(watch=True, modules=("inside",)))

    def seen() -> bool:
        (project / "notes.txt").write_text("text")
        (project / "inside" / "jobs.py").write_text("code")
        return bool(told)

    wait_until(seen, "the file to be told")
    assert set(told) == {"inside/jobs.py"}
    watch.follow(Jobs(watch=False))
    assert "code-watch" not in {thread.name for thread in threading.enumerate()}
