"""docs/reading.md names files that exist, few enough to read in a day."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "reading.md").read_text(encoding="utf-8")
FILES = re.findall(r"^\| \d+ \| `([^`]+)` \|", TEXT, re.MULTILINE)


def test_25_files_of_at_most_8000_lines_are_the_kernel() -> None:
    assert len(set(FILES)) == 25
    lines = sum((ROOT / file).read_text(encoding="utf-8").count("\n") for file in FILES)
    assert lines <= 8_000
