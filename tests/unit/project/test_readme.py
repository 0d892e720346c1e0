"""What the README and docs/promises.md name is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROMISES = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", README + PROMISES)))
LINKS = sorted(set(re.findall(r"\]\((?!http)([^)#]+)\)", README)))


def test_there_are_promises_and_links_to_look_at() -> None:
    assert len(TESTS) > 8
    assert len(LINKS) > 4


@pytest.mark.parametrize(("file", "name"), TESTS)
def test_each_promise_names_a_test_that_is_there(file: str, name: str) -> None:
    assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("link", LINKS)
def test_each_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
