"""docs/why.md: every reason is there."""

import re
from pathlib import Path

from orpheus.shared.messages.queues import Code

PAGE = Path(__file__).parents[3] / "docs/why.md"


def test_every_reason_has_a_row_and_no_other() -> None:
    rows = [line.split("|")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(Code)
