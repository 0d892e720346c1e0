"""A worker whose job code no longer imports is given up, and says the file and the line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import System


def test_a_worker_whose_code_no_longer_imports_tells_the_file_and_the_line(
    start_system: Callable[..., System], tmp_path: Path, wait_for: Callable[..., Any]
) -> None:
    (tmp_path / "versioned.py").write_text(
        "from orpheus import job\n\n\n@job\ndef version() -> int:\n    return 1\n"
    )
    running = start_system("jobs.modules=['versioned']", "pools.default.workers=1", cwd=tmp_path)
    running.wait_until_ready()
    (tmp_path / "versioned.py").write_text("import broken\n")
    (tmp_path / "broken.py").write_text("\n\nimport no_such_module\n")
    running.client.post("/workers/default-1/restart")
    slot = wait_for(
        lambda: next((s for s in running.workers().values() if s["state"] == "fatal"), None),
        "the worker to be fatal",
    )
    last = slot["recent_exits"][0]
    assert last["reason"].endswith("ModuleNotFoundError: No module named 'no_such_module'")
    assert '/broken.py", line 3' in last["evidence"]
    assert "Traceback (most recent call last)" in last["evidence"]
    assert running.stop() == 0
