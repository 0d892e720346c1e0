"""Fields of a payload as arguments of a program."""

from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.commands import CommandSettings, arguments, describe_command, fields_of


def command(*argv: str, **changes: Any) -> CommandSettings:
    values = {
        "name": "thumb",
        "timeout_s": 5.0,
        "max_retries": 1,
        "cwd": "",
        "env": {"A": "b"},
        "success_codes": (0, 1),
        **changes,
    }
    return CommandSettings(argv=argv, **values)


@pytest.mark.parametrize(
    ("item", "value", "argument"),
    [
        ("{path}", "a b; rm -rf $HOME `x`", "a b; rm -rf $HOME `x`"),
        ("{path}.png", "x", "x.png"),
        ("{path}/{path}", "x", "x/x"),
        ("--n={path}", 2**63, "--n=9223372036854775808"),
        ("{path}", 0.5, "0.5"),
        ("{path}", True, "true"),
        ("{path}", "{path}", "{path}"),
        ("{path}", "", ""),
        ("{{path}}", "x", "{path}"),
    ],
)
def test_a_field_is_the_argument_or_part_of_it(item: str, value: Any, argument: str) -> None:
    assert arguments(["prog", item], {"path": value}) == ["prog", argument]


@pytest.mark.parametrize(
    "item", ["{print $1}", "{}", "{{.Names}}", '{"a": 1}', "{a-b}", "${HOME", "{1}", "{{", "{é}"]
)
def test_other_braces_stay_as_they_are(item: str) -> None:
    assert fields_of([item]) == ()
    assert arguments([item], {}) == [item]


def test_fields_are_those_named_each_once_in_order() -> None:
    assert fields_of(["p", "{b}{a}", "x{b}", "{{c}}"]) == ("b", "a")


def test_the_schema_wants_every_field_and_no_other() -> None:
    described = describe_command(command("convert", "{path}", "{width}x{width}"))
    del described["code"]
    assert described == {
        "name": "thumb",
        "schema": {
            "title": "thumb",
            "type": "object",
            "properties": {
                "path": {"type": ["string", "number", "boolean"]},
                "width": {"type": ["string", "number", "boolean"]},
            },
            "required": ["path", "width"],
            "additionalProperties": False,
        },
        "max_retries": 1,
        "timeout_s": 5.0,
        "queue": None,
        "description": "Runs the program convert.",
    }


def test_its_code_is_what_it_runs_and_never_tells_its_environment() -> None:
    one = command("convert", "{path}")
    same, another = replace(one, env={"TOKEN": "secret"}), command("convert", "{width}")
    codes = [describe_command(each)["code"] for each in (one, same, another)]
    assert codes[0] == codes[1] != codes[2]
