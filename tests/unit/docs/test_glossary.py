"""The product and its documentation use the words of docs/glossary.md."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("glossary")  # in one process each file is read once

ROOT = Path(__file__).parents[3]
GLOSSARY = ROOT / "docs" / "glossary.md"
FOLDERS = ("api", "benchmarks", "config", "docs", "orpheus", "shared", "supervisor", "worker")
SUFFIXES = {".py", ".md", ".sql", ".toml", ".js", ".css", ".html"}


def _replaced_words() -> list[str]:
    table = GLOSSARY.read_text(encoding="utf-8").split("## Words that we do not use")[1]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| ")]
    return [word.strip() for row in rows[1:] for word in row.split(",") if "---" not in word]


WORDS = _replaced_words()
STILL: tuple[str, ...] = ()
"""Where replaced words may still occur. This list only shrinks."""


def _pattern(word: str) -> re.Pattern[str]:
    ending = r"[a-z]*" if word.endswith("…") else ""
    stem = re.escape(word.rstrip("…")).replace(r"\ ", "[-_ ]+")
    return re.compile(rf"(?<![A-Za-z]){stem}{ending}(?![A-Za-z])", re.IGNORECASE)


@cache
def _texts() -> list[tuple[str, str, str]]:
    """The name of each file, its text, and the same without regard to case."""
    texts = []
    listed = subprocess.run(
        ["git", "ls-files", "README.md", *FOLDERS],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in listed.splitlines():
        path = ROOT / name
        if path.suffix in SUFFIXES and path != GLOSSARY and path.is_file():
            # `_Deed` and `deedOf` are the word, too: names are split where the case changes.
            text = path.read_text(encoding="utf-8")
            text = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text)
            texts.append((name, text, text.casefold()))
    return texts


def test_the_glossary_names_the_words_that_it_replaces() -> None:
    assert len(WORDS) > 10


@pytest.mark.parametrize("word", WORDS)
def test_a_replaced_word_is_not_used(word: str) -> None:
    pattern, first = _pattern(word), word.split(maxsplit=1)[0].rstrip("…").casefold()
    found = [
        f"{name}:{text[: match.start()].count(chr(10)) + 1}: {match.group()}"
        for name, text, folded in _texts()
        if first in folded  # the pattern takes a hundred times as long
        for match in pattern.finditer(text)
        if not name.startswith(STILL)
    ]
    assert found == []
