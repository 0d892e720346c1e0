"""The TOML that is printed."""

import time
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orpheus.supervisor.importing.imported import Entry, FileLine, Imported, Left
from orpheus.supervisor.importing.toml import to_toml

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(TEXT, max_size=3), st.dictionaries(TEXT, TEXT, max_size=2), TEXT)
def test_any_text_comes_back_as_it_was(argv: list[str], env: dict[str, str], text: str) -> None:
    position = FileLine(text, 1)
    left = Left(position, text, text, text)
    values = {"name": "a", "argv": argv, "env": env, "ready": {"after": "1s"}, "log_size": 5}
    entry = Entry("programs", values, text, (position,), (text,), (left,))
    made = to_toml(Imported([left, entry, left, entry], (text,)), text)
    assert tomllib.loads(made) == {"programs": [values, values]}
    assert all(line.isprintable() for line in made.split("\n"))


def test_what_turns_the_direction_of_text_is_escaped() -> None:
    entry = Entry("programs", {"name": "a", "argv": ["x\u202ey \u2066"]}, "", (), (), ())
    assert 'argv = ["x\\U0000202Ey \\U00002066"]\n' in to_toml(Imported([entry]), "file")


@pytest.mark.parametrize(
    ("text", "written"),
    [("a", '"a"'), ('say "a"', "'say \"a\"'"), ("it's", '"it\'s"'), ("\\d", "'\\d'")],
)
def test_text_is_quoted_as_it_reads_best(text: str, written: str) -> None:
    entry = Entry("programs", {"name": text}, "", (), (), ())
    assert f"name = {written}\n" in to_toml(Imported([entry]), "file")


def test_a_command_of_many_words_takes_no_time_of_a_person() -> None:
    words = ["a"] * 100_000
    entry = Entry("programs", {"name": "a", "argv": words, "env": dict.fromkeys(words, "b")})
    began_s = time.thread_time()
    assert tomllib.loads(to_toml(Imported([entry]), "file"))["programs"][0]["argv"] == words
    assert time.thread_time() - began_s < 5


def test_a_file_that_was_included_is_named_and_the_main_one_is_not() -> None:
    left = [Left(FileLine(name, 7), "a=1", "why", "instead") for name in ("main", "other")]
    text = to_toml(Imported([*left]), "main")
    assert "# NOT CARRIED OVER, line 7: a=1: why; instead.\n" in text
    assert "# NOT CARRIED OVER, other:7: a=1: why; instead.\n" in text
