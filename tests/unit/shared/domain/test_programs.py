"""What a `[[programs]]` entry says: its variables, its number."""

import subprocess
import sys
from pathlib import Path

import pytest

from orpheus.shared.domain.env_file import parse_env_file
from orpheus.shared.domain.programs import filled_in, instance_of


def test_a_file_of_variables_is_read_as_docker_and_systemd_read_it() -> None:
    text = (
        "# a comment\n\n; another\nA=1\n B = two words \nexport C='# x' # y\nD=\"=\"\nE=\nF=a#b # c"
    )
    assert parse_env_file(text) == {
        "A": "1", "B": "two words", "C": "# x", "D": "=", "E": "", "F": "a#b",
    }  # fmt: skip


@pytest.mark.parametrize("line", ["A", "=1", "A='x", "A='x' y", "A B=1", "_ORPHEUS_X=1", "A=\0"])
def test_a_line_that_is_no_assignment_is_named_and_not_quoted(line: str) -> None:
    with pytest.raises(
        ValueError, match=r"^line 2 (is not NAME=value|has a quote that does not close at its end)$"
    ):
        parse_env_file(f"A=1\n{line}\n")


def test_the_number_of_the_slot_is_filled_in() -> None:
    assert (
        filled_in("--port=90{instance}/{other}", instance_of("web-x-12")) == "--port=9012/{other}"
    )


def test_a_program_is_started_without_the_installed_packages() -> None:
    root = Path(__file__).parents[4]
    code = f"import sys; sys.path.insert(0, {str(root)!r}); import orpheus.shared.domain.env_file"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
