"""docs/moving.md: what it prints is what the command prints, and its examples run."""

import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from orpheus.config.load import load_settings
from orpheus.shared.job_types import registry
from orpheus.supervisor.__main__ import run
from orpheus.testing import run as run_job

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "moving.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\S+)(?: (\S+))?\n(.*?)```", PAGE, re.DOTALL)


def blocks(language: str, name: str = "") -> list[str]:
    return [text for kind, of, text in BLOCKS if (kind, of) == (language, name)]


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the examples after each move define."""
    monkeypatch.setattr(registry, "_registry", {})
    module = types.ModuleType("moved_jobs")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for text in blocks("python"):
        exec(compile(text, "docs/moving.md", "exec"), module.__dict__)
    return module.__dict__


@pytest.mark.parametrize(
    ("kind", "language", "options"),
    [
        ("crontab", "crontab", ["--timezone", "Europe/Berlin"]),
        ("supervisord", "ini", []),
        ("procfile", "procfile", []),
    ],
)
def test_the_command_prints_what_the_page_shows(
    kind: str,
    language: str,
    options: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (before,), (after,) = blocks(language), blocks("toml", kind)
    Path("file").write_text(before)
    assert run(["import", kind, "file", *options]) == 0
    printed = capsys.readouterr().out
    assert printed.endswith(f"\n\n{after}")
    assert printed.removesuffix(after).count("\n") <= 8, "only what holds for all entries"
    Path("orpheus.toml").write_text(after)
    load_settings(Path("orpheus.toml"), (), {})


def test_the_schedule_loads_and_names_a_job_of_the_page(
    jobs: dict[str, Any], tmp_path: Path
) -> None:
    (text,) = blocks("toml")
    (tmp_path / "orpheus.toml").write_text(text)
    (schedule,) = load_settings(tmp_path / "orpheus.toml", (), {}).schedules
    assert schedule.type in registry.registered_types()


def test_the_jobs_do_what_those_before_them_did(jobs: dict[str, Any]) -> None:
    assert run_job(jobs["resize"], path="a.png").result == {"path": "a.png", "width": 640}
    assert run_job(jobs["resize"], path="a.tmp").outcome == "snoozed"
    assert run_job(jobs["count_words"], text="a b c").result == 3
    assert run_job(jobs["clean"]).result == "cleaned"
