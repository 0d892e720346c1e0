"""A TOML text: its secrets masked and nothing else, and single settings changed in it."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from orpheus.config.editing.toml import CannotEdit, masked, unmasked, with_value
from orpheus.shared.operations.configuration import MASK

SHIPPED = (Path(__file__).parents[4] / "config" / "orpheus.toml").read_text(encoding="utf-8")


def test_plain_secrets_are_masked_without_a_look_at_the_layout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("orpheus.config.editing.toml.tomlkit", None)  # it takes seconds
    text = '[[commands]]\nname = "pay"\nargv = ["a"]\nenv = {KEY = "hush", B = "b"} # why\n'
    assert masked(text) == (text.replace("hush", MASK).replace('"b"', f'"{MASK}"'), 2)
    assert masked("# only\n[api]\nport = 1\n")[1] == 0


@pytest.mark.parametrize(
    "more", ['# KEY = "hush"', '[logging]\nlevel = "hush"', "[programs]\nhush = 'say \"hush\"'"]
)
def test_only_the_secret_is_masked_where_the_same_stands_elsewhere(more: str) -> None:
    text = f'[[commands]]\nname = "pay"\nenv = {{KEY = "hush"}}\n\n{more}\n'
    shown, _ = masked(text)
    assert f'KEY = "{MASK}"' in shown
    assert unmasked(shown, text) == text


def test_a_changed_value_keeps_every_comment_and_every_other_line() -> None:
    new = with_value(SHIPPED, "jobs.timeout", "10m")
    assert [
        (a, b) for a, b in zip(SHIPPED.splitlines(), new.splitlines(), strict=True) if a != b
    ] == [
        (line, line.replace('"15m"', '"10m"'))
        for line in SHIPPED.splitlines()
        if line.startswith("timeout = ") and "15m" in line
    ]


def test_a_new_key_stands_with_the_other_keys_of_its_table() -> None:
    lines = with_value(SHIPPED, "pools.default.workers", 4).splitlines()
    at = lines.index("workers = 4")
    assert lines[at - 1].startswith("max_age")


@pytest.mark.parametrize(
    ("text", "key", "value", "expected"),
    [
        ("", "api.port", 1, {"api": {"port": 1}}),
        ("api.port = 1\n", "api.max_clients", 2, {"api": {"port": 1, "max_clients": 2}}),
        ("api = {port = 1}\n", "api.port", 2, {"api": {"port": 2}}),
        ("pools = {a = {}}\n", "pools.b.workers", 2, {"pools": {"a": {}, "b": {"workers": 2}}}),
        ("[a]\n[c]\n", "b.d", 2, {"a": {}, "c": {}, "b": {"d": 2}}),
        ("[pools.a]\n[jobs]\n", "pools.b.workers", 2, None),
        ("[jobs]\ntimeout = 1\n", "jobs.timeout", None, {"jobs": {}}),
        ("[jobs]\n", "leases.ttl", None, {"jobs": {}}),
        ("", 'queues."a.b".rate', "1/s", {"queues": {"a.b": {"rate": "1/s"}}}),
    ],
)
def test_one_setting_is_changed_in_files_of_every_form(
    text: str, key: str, value: Any, expected: dict[str, Any] | None
) -> None:
    new = tomllib.loads(with_value(text, key, value))
    assert new == (expected or {"pools": {"a": {}, "b": {"workers": 2}}, "jobs": {}})


@pytest.mark.parametrize(
    ("key", "value"), [("api..x", 1), ("", 1), ("api.port.x", 1), ("api.port", {"a": None})]
)
def test_what_cannot_be_set_is_refused(key: str, value: Any) -> None:
    with pytest.raises(CannotEdit):
        with_value("[api]\nport = 1\n", key, value)
