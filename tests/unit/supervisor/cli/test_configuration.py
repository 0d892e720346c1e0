"""`orpheus config check` and `config show`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Orpheus = Callable[..., Any]


MODULES = """[jobs]
modules = ["{module}"]

[[commands]]
name = "build"
argv = ["true", "{{path}}"]

[[schedules]]
name = "nightly"
every = 60
type = "{type}"
payload = {payload}
"""


@pytest.mark.parametrize(
    ("module", "type", "payload", "problem"),
    [
        ("no_such_module", "build", "{path='x'}", "No module named 'no_such_module'"),
        ("broken", "build", "{path='x'}", "ZeroDivisionError"),
        ("taken", "build", "{path='x'}", "commands: 'build' is a job type of a module already"),
        ("greedy", "build", "{path='x'}", "greet in greedy: *names cannot be a field"),
        ("good", "greed", "{}", "type: no job type is called 'greed'; did you mean 'greet'?"),
        (
            "good",
            "greet",
            "{name=1}",
            "own.toml:8: schedules.nightly: 'nightly' cannot make its job",
        ),
        ("good", "greet", "{name='x'}", None),
    ],
)
def test_the_check_of_modules_finds_what_would_fail_the_start(
    orpheus: Orpheus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    type: str,
    payload: str,
    problem: str | None,
) -> None:
    sources = {
        "broken": "def f():\n    1 / 0\nf()\n",
        "taken": "from orpheus import job\n@job\ndef build(ctx): ...\n",
        "greedy": "from orpheus import job\n@job\ndef greet(ctx, *names: str): ...\n",
        "good": "from orpheus import job\n@job\ndef greet(ctx, name: str): ...\n",
    }
    for name, source in sources.items():
        (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    text = MODULES.format(module=module, type=type, payload=payload)
    (tmp_path / "own.toml").write_text(text)
    code, out, err = orpheus("config", "check", "--config", "own.toml", "--modules")
    if problem is None:
        assert (code, out) == (0, "own.toml: ok\n")
    else:
        assert (code, out) == (78, "")
        assert problem in err
        assert "/worker/__main__.py" not in err and "importlib" not in err
        assert "Traceback" not in err or module == "broken"
    assert orpheus("config", "check", "--config", "own.toml").code == 0  # nothing is imported


def test_problems_are_json_too(orpheus: Orpheus, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("[pools.default]\nworkers = -1\nworkes = 2\n")
    failed = orpheus("config", "check", "--config", "own.toml", "--json")
    assert failed.code == 78 and failed.json["ok"] is False
    assert [line.split(":")[1] for line in failed.json["problems"]] == ["2", "3"]
    for line in failed.json["problems"]:
        assert line in failed.err
    (tmp_path / "broken.py").write_text("raise RuntimeError('two\\nlines')")
    (tmp_path / "own.toml").write_text("[jobs]\nmodules = ['broken']\n")
    failed = orpheus("config", "check", "--modules", "--config", "own.toml", "--json")
    (problem,) = failed.json["problems"]
    assert "broken does not import: RuntimeError: two\nlines" in problem
    (tmp_path / "own.toml").write_text("[pools.default]\nworkers = 1\n")
    well = orpheus("config", "check", "--config", "own.toml", "--json").json
    assert (well["ok"], well["problems"]) == (True, [])
