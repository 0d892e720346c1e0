"""docs/operations.md: there is an answer to whatever `orpheus status` says."""

import re
from pathlib import Path

from orpheus.shared.errors import ExitCode
from orpheus.shared.messages.status import ConcernCode
from orpheus.supervisor.policy.slot import Cause

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SAYING = tuple(f"supervisor/{room}" for room in ("policy", "loop", "outbox", "plan"))
SAYING += ("shared/messages",)


def first_column(after: str) -> list[str]:
    """The cells of the table that follows this line of the page."""
    _, found, rest = PAGE.partition(after)
    assert found, after
    rows = rest.strip().partition("\n\n")[0].splitlines()[2:]
    return [row.split(" | ")[0].removeprefix("| ") for row in rows]


def codes(after: str) -> list[str]:
    return re.findall(r"`(\w+)`", " ".join(first_column(after)))


def test_every_concern_has_an_answer_and_no_other() -> None:
    assert sorted(codes("and the dashboard have the same.\n")) == sorted(ConcernCode)


def test_every_cause_of_an_exit_has_an_answer_and_no_other() -> None:
    assert sorted(codes("`orpheus_process_exits_total` by cause):\n")) == sorted(Cause)


def test_what_a_degraded_slot_is_said_to_say_is_what_the_code_says() -> None:
    files = [file for folder in SAYING for file in (ROOT / folder).glob("*.py")]
    text = " ".join(file.read_text(encoding="utf-8") for file in files)
    rows = first_column("goes on, and says what is wrong:\n")
    assert len(rows) > 5
    for words in re.findall(r"`([^`]+)`", " ".join(rows)):
        assert words in text, words


def test_every_exit_code_is_there() -> None:
    told = {int(code) for code in first_column("## Exit codes\n")}
    assert told == {*map(int, ExitCode), 2}
