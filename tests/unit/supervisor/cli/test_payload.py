"""The fields of a payload as they are typed."""

import pytest

from orpheus.supervisor.cli.payload import payload_of

SCHEMA = {"properties": {"phone": {"type": "string"}, "weight": {"type": "number"}}}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("phone=49170", "49170"),
        ("phone=null", "null"),
        ("weight=1.10", 1.1),
        ("anything=1000", 1000),
        ("anything=NaN", "NaN"),
        ('anything={"a": 1}', {"a": 1}),
        ("anything=x=y", "x=y"),
    ],
)
def test_a_field_of_text_is_taken_as_it_was_typed_and_others_are_json(
    field: str, value: object
) -> None:
    assert payload_of((field,), SCHEMA) == {field.partition("=")[0]: value}
