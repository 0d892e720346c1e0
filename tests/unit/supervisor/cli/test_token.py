"""`orpheus token new`: the file of a token, and the lines that add it to the configuration."""

import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.config.files import read_tokens

Orpheus = Callable[..., Any]


def test_the_lines_that_it_prints_add_the_token(orpheus: Orpheus, tmp_path: Path) -> None:
    code, out, err = orpheus("token", "new", "wall")
    assert (code, err) == (0, "")
    path = tmp_path / "wall.token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (text,) = read_tokens(str(path))
    assert len(text) >= 32 and text not in out
    assert f'file = "{path}"' in out and out.endswith("\nThen: orpheus reload\n")
    arguments = ["--role", "operator", "--queues", "mail", "--queues", "shop-*", "--types", "*mail"]
    answer = orpheus("token", "new", "on-call", *arguments, "--file", "a b.token", "--json").json
    entry = {
        "name": "on-call", "file": "a b.token", "role": "operator",
        "queues": ["mail", "shop-*"], "types": ["*mail"],
    }  # fmt: skip
    assert tomllib.loads(answer["toml"]) == {"api": {"tokens": [entry]}}
    lines = out[out.index("[[") : out.index("Then:")]
    (tmp_path / "orpheus.toml").write_text(f"{lines}\n{answer['toml']}\n")
    assert orpheus("config", "check").code == 0


def test_it_is_written_beside_the_configuration(orpheus: Orpheus, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/own.toml").touch()
    config = ["--config", "etc/own.toml"]
    answer = orpheus("token", "new", "wall", *config)
    assert answer.out.endswith("Then: orpheus reload --config etc/own.toml\n")
    assert (tmp_path / "etc/wall.token").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["wa ll"], 2, "'wa ll' must be 1 to 64 letters"),
        (["../wall"], 2, "must be 1 to 64 letters"),
        (["wall", "--role", "boss"], 2, "'boss' is not one of 'viewer', 'submitter', 'operator'"),
        (["wall", "--queues", "a?"], 2, "'a?' must be 1 to 64 letters"),
        (["wall", "--types", ""], 2, "'' must be 1 to 64 letters"),
        (["wall", "--file", "there"], 1, "there already exists; nothing was written"),
        (["wall", "--file", "no/such"], 1, "cannot write no/such: No such file or directory"),
    ],
)
def test_a_mistake_writes_nothing(
    orpheus: Orpheus, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    (tmp_path / "there").write_text("mine")
    answer = orpheus("token", "new", *arguments)
    assert (answer.code, answer.out) == (code, "")
    assert words in answer.err
    assert [file.name for file in tmp_path.iterdir()] == ["there"]
    assert (tmp_path / "there").read_text() == "mine"
