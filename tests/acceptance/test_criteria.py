"""The seven acceptance criteria hold, by the commands that the README prints."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "acceptance" / "criteria.sh"


@pytest.mark.timeout(180)
def test_the_seven_criteria_hold(start_system: Callable[..., Any]) -> None:
    system = start_system()
    run = subprocess.run(
        ["bash", SCRIPT, system.url],
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}\n{system.log()[-4000:]}"
    assert run.stdout.endswith("all seven criteria hold\n")
    assert system.stop() == 0
    assert "Traceback" not in system.log()


def test_the_script_makes_the_requests_that_the_readme_prints() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split("## The seven acceptance criteria")[1].split("\n## ")[0]
    script = SCRIPT.read_text(encoding="utf-8").replace("/jobs/$1?", "/jobs/$id?")
    printed = re.findall(r"""--json ('[^']+')|"\$ORPHEUS(/[^"]*)\"""", section)
    requests = {body or path for body, path in printed}
    assert len(requests) > 12
    assert [request for request in sorted(requests) if request not in script] == []
