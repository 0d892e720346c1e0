"""The pages that are drawn are what the tables and models say."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_pages_are_as_they_would_be_drawn() -> None:
    check = subprocess.run(
        [sys.executable, ROOT / "docs" / "draw.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert check.returncode == 0, check.stderr
