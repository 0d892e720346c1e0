"""Texts that nest too deeply are refused before anything walks them."""

import time
import tomllib

import pytest

from orpheus.config.toml_text import read_toml


def arrays(levels: int) -> str:
    return f"a = {'[' * levels}{']' * levels}"


def tables(levels: int) -> str:
    return f"a = {'{a=' * (levels - 1)}{{}}{'}' * (levels - 1)}"


def dotted(levels: int) -> str:
    return f"{'a.' * levels}a = 1"


def header(levels: int) -> str:
    return f"[{'a.' * (levels - 1)}a]"


def mixed(levels: int) -> str:
    return f"a = {'[{a.a=' * (levels // 3)}1{'}]' * (levels // 3)}"


SHAPES = [arrays, tables, dotted, header, mixed]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_hundred_levels_are_read_and_more_are_refused_at_once(shape: object) -> None:
    assert callable(shape)
    assert read_toml(shape(99)) == tomllib.loads(shape(99))
    for levels in (103, 1_000, 100_000):
        began_s = time.thread_time()
        with pytest.raises(tomllib.TOMLDecodeError, match="it nests more than 100 levels"):
            read_toml(shape(levels))
        assert time.thread_time() - began_s < 0.1


DEEP = "[" * 150


@pytest.mark.parametrize(
    "text",
    [
        f"a = '{DEEP}'",
        f'a = "\\"{DEEP}"',
        f"a = '''\n'{DEEP}''\n'''''",
        f'a = """\n"{DEEP}\\"""\n""" # {DEEP}',
        f'a = """""{DEEP}"""""\nb = """"""',
        f"# {DEEP}\n",
        "a = [\n" + "[1.5, {b.c = 2.5}],\n" * 200 + "]",
        "a.b.c = 1.5\n[d.e.f]\n" + "".join(f"g{number}.h = 1\n" for number in range(200)),
        "".join(f"[[a.b.c]]\nd = [{number}]\n" for number in range(200)),
    ],
)
def test_brackets_in_strings_and_beside_each_other_are_no_levels(text: str) -> None:
    assert read_toml(text) == tomllib.loads(text)


@pytest.mark.parametrize(
    "before", ["'x'", '"x"', '"\\""', "'''x'''''", '"""x"\\""""""', "# '\n 1", "1.5", "{a.b = 1}"]
)
def test_no_string_hides_what_comes_after_it(before: str) -> None:
    text = f"a = [{before}, {DEEP}]"
    with pytest.raises(tomllib.TOMLDecodeError, match="it nests"):
        read_toml(text)
    assert read_toml(f"a = [{before}, []]") == tomllib.loads(f"a = [{before}, []]")


@pytest.mark.parametrize("end", ['"""', "'''", '"', "'", '"""\\', ""])
def test_a_text_that_is_cut_off_is_refused_as_before(end: str) -> None:
    with pytest.raises(tomllib.TOMLDecodeError):
        read_toml(f"a = [{end}")


@pytest.mark.parametrize("part", ['\\"""', '"""\\', "''' ' ", "[],", "a.", '""', "\\\\'"])
def test_a_megabyte_of_anything_is_looked_through_in_a_moment(part: str) -> None:
    began_s = time.thread_time()
    with pytest.raises(tomllib.TOMLDecodeError):
        read_toml("]" + part * (1_000_000 // len(part)))
    assert time.thread_time() - began_s < 3
