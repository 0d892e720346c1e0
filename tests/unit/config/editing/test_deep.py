"""An edit that nests too deeply, or is wrong in many places, is refused soon."""

from time import thread_time

import pytest

from orpheus.shared.operations.configuration import MASK, Edit
from tests.unit.config.editing.test_file import Toml, desk, no_refusal, outcome


@pytest.mark.parametrize("end", ["", f"# {MASK}"])
def test_a_text_that_nests_too_deeply_is_a_problem_and_no_error(toml: Toml, end: str) -> None:
    path = toml("[logging]\nlevel = 'info'\n")
    for text in (f"[{'a.' * 1_000}a]", f"{'a.' * 20_000}a = 1", f"a = {'[' * 1_000}{']' * 1_000}"):
        began_s = thread_time()
        [problem] = outcome(path, f"{text}\n{end}").problems
        assert problem.detail == "is not TOML: it nests more than 100 levels"
        assert thread_time() - began_s < 0.5
    edit = Edit(None, {"a." * 1_000 + "a": 1})
    [problem] = desk(path).plan(edit, None, no_refusal).outcome.problems
    assert problem.detail == "is no key, such as pools.default.workers"


@pytest.mark.parametrize("keys", [500, pytest.param(10_000, marks=pytest.mark.long)])
def test_a_text_of_many_unknown_keys_is_answered_soon(toml: Toml, keys: int) -> None:
    text, began_s = "\n".join(f"k{n} = 1" for n in range(keys)), thread_time()
    assert len(outcome(toml(""), text).problems) == 100
    assert thread_time() - began_s < keys / 400, "five times what it takes"
