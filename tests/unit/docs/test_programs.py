"""docs/programs.md: its table names every setting, and its examples are valid."""

import re
import tomllib
from pathlib import Path

import pytest

from orpheus.config.checks import problems_between
from orpheus.config.settings import Program, Settings

PAGE = (Path(__file__).parents[3] / "docs" / "programs.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def test_the_table_names_every_setting_and_no_other() -> None:
    table = PAGE.partition("## Settings")[2].partition("\n\n`{instance}`")[0]
    first_cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)} == set(
        Program.model_fields
    )


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_examples_are_valid(text: str) -> None:
    settings = Settings.model_validate(tomllib.loads(text))
    assert settings.programs
    assert list(problems_between(settings)) == []
