"""Which jobs are accepted, and how the others are refused."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.shared.domain.handover import JobDefaults
from orpheus.shared.domain.jobs import NewJob
from orpheus.shared.errors import InvalidJob
from orpheus.shared.job_types.admission import prepare_job, validate_payload
from orpheus.shared.storage import TypeRow

SCHEMA = {
    "type": "object",
    "properties": {
        "n": {"type": "integer", "minimum": 0},
        "a/b": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["n"],
    "additionalProperties": False,
}
ROW = TypeRow("sum", json.dumps(SCHEMA), None, None, None, "")
OWN = TypeRow("own", "{}", 7, 30.0, "mail", "")
TYPES = {"sum": ROW, "own": OWN}
DEFAULTS = JobDefaults(max_retries=3, timeout_s=900.0)


def _found(payload: object, row: TypeRow = ROW) -> dict[str, str]:
    return {problem.pointer: problem.detail for problem in validate_payload(row, payload)}


def test_a_payload_its_schema_allows_has_no_problem() -> None:
    assert _found({"n": 1}) == {}
    assert _found({"n": 2**64 - 1, "a/b": ["x"]}) == {}


@pytest.mark.parametrize(
    ("payload", "pointers"),
    [
        ({}, {"/payload/n"}),
        ({"n": -1}, {"/payload/n"}),
        ({"n": "1"}, {"/payload/n"}),
        ({"n": 1, "m": 2, "o~/": 3}, {"/payload/m", "/payload/o~0~1"}),
        ({"n": -1, "a/b": ["x", 2]}, {"/payload/n", "/payload/a~1b/1"}),
        ([], {"/payload"}),
        (None, {"/payload"}),
    ],
)
def test_each_refused_field_is_named(payload: object, pointers: set[str]) -> None:
    assert set(_found(payload)) == pointers


UNIONS = {
    "$defs": {
        "Card": {
            "type": "object",
            "properties": {"by": {"const": "card"}, "number": {"type": "integer"}},
            "required": ["by", "number"],
        },
        "Invoice": {
            "type": "object",
            "properties": {"by": {"const": "invoice"}, "to": {"type": "string", "minLength": 1}},
            "required": ["by", "to"],
        },
    },
    "properties": {
        "pay": {"anyOf": [{"$ref": "#/$defs/Card"}, {"$ref": "#/$defs/Invoice"}]},
        "maybe": {"anyOf": [{"$ref": "#/$defs/Card"}, {"type": "null"}]},
        "reference": {"anyOf": [{"type": "integer", "minimum": 3}, {"type": "string"}]},
    },
}


@pytest.mark.parametrize(
    ("payload", "pointer", "detail"),
    [
        ({"pay": {"by": "card"}}, "/payload/pay/number", "is required"),
        ({"pay": {"by": "invoice", "to": ""}}, "/payload/pay/to", "shorter than 1"),
        (
            {"maybe": {"by": "card", "number": "x"}},
            "/payload/maybe/number",
            'not of type "integer"',
        ),
        ({"reference": 2}, "/payload/reference", "less than the minimum of 3"),
        ({"reference": []}, "/payload/reference", "is none of what it may be: "),
        ({"pay": {"by": "cash"}}, "/payload/pay", "is none of what it may be: "),
    ],
)
def test_of_a_value_of_several_kinds_it_is_told_what_is_wrong_with_the_one_meant(
    payload: object, pointer: str, detail: str
) -> None:
    (problem,) = validate_payload(replace(ROW, schema=json.dumps(UNIONS)), payload)
    assert problem.pointer == pointer
    assert detail in problem.detail


def test_a_thousand_problems_are_told_as_a_hundred() -> None:
    assert len(validate_payload(ROW, {"n": 1, "a/b": [1] * 1_000})) == 100


def test_a_schema_is_never_fetched() -> None:
    row = TypeRow("far", json.dumps({"$ref": "http://127.0.0.1:9/schema"}), None, None, None, "")
    with pytest.raises(ValueError, match="Retrieval is disabled"):
        validate_payload(row, {})


@pytest.fixture
def prepare() -> Callable[..., NewJob]:
    def job(**fields: Any) -> NewJob:
        return prepare_job(TYPES, DEFAULTS, **{"type": "sum", "payload": {"n": 1}, **fields})

    return job


def test_a_job_gets_the_defaults_of_its_type_else_of_the_configuration(
    prepare: Callable[..., NewJob],
) -> None:
    assert prepare() == NewJob("sum", '{"n":1}', "default", max_retries=3, timeout_s=900)
    assert prepare(type="own", payload={}) == NewJob("own", "{}", "mail", 0, 0, None, 7, 30)
    assert prepare(type="own", payload={}, queue="other").queue == "other"


def test_what_is_asked_for_is_kept(prepare: Callable[..., NewJob]) -> None:
    job = prepare(queue="q", priority=-1000, delay="1.5s", unique_key="k" * 255)
    assert (job.queue, job.priority, job.delay_ms, job.unique_key) == ("q", -1000, 1500, "k" * 255)
    assert prepare(concurrency_key="kunde 7 ü").concurrency_key == "kunde 7 ü"
    job = prepare(type="own", payload={}, max_retries=0, timeout="2m", tags=["b", "a", "b"])
    assert (job.max_retries, job.timeout_s, job.tags) == (0, 120.0, ("b", "a"))


def test_big_integers_and_the_order_of_keys_survive(prepare: Callable[..., NewJob]) -> None:
    payload = {"z": 2**64 - 1, "a": -(2**63), "t": "ü"}
    assert prepare(type="own", payload=payload).payload == (
        '{"z":18446744073709551615,"a":-9223372036854775808,"t":"ü"}'
    )


@pytest.mark.parametrize(
    ("fields", "pointers"),
    [
        ({"type": "sun"}, ["/type"]),
        ({"payload": {"n": 2**64}}, ["/payload/n"]),
        ({"payload": {"n": -(2**63) - 1}}, ["/payload/n"]),
        ({"type": "own", "payload": {"a": ["\0"]}}, ["/payload/a/0"]),
        ({"type": "own", "payload": {"a": "\ud800", "b\0": 1}}, ["/payload/a", "/payload/b\0"]),
        ({"type": "own", "payload": {"x": float("nan")}}, ["/payload/x"]),
        ({"queue": "a b"}, ["/queue"]),
        ({"queue": "q\n"}, ["/queue"]),
        ({"queue": "x" * 65}, ["/queue"]),
        ({"priority": 1001}, ["/priority"]),
        ({"priority": True}, ["/priority"]),
        ({"type": None}, ["/type"]),
        ({"max_retries": -1}, ["/max_retries"]),
        ({"max_retries": 101}, ["/max_retries"]),
        ({"timeout": 0}, ["/timeout"]),
        ({"timeout": "soon"}, ["/timeout"]),
        ({"tags": "tag"}, ["/tags"]),
        ({"tags": ["t"] * 33}, ["/tags"]),
        ({"tags": ["ok", "not ok", 3]}, ["/tags/1", "/tags/2"]),
        ({"unique_key": 5}, ["/unique_key"]),
        ({"delay": "-1"}, ["/delay"]),
        ({"delay": "366d"}, ["/delay"]),
        ({"unique_key": ""}, ["/unique_key"]),
        ({"unique_key": "k" * 256}, ["/unique_key"]),
        ({"unique_key": "a\0"}, ["/unique_key"]),
        ({"concurrency_key": 5}, ["/concurrency_key"]),
        ({"type": "x", "priority": 2000, "delay": "x"}, ["/type", "/priority", "/delay"]),
    ],
)
def test_every_field_that_cannot_be_used_is_named(
    fields: dict[str, Any], pointers: list[str], prepare: Callable[..., NewJob]
) -> None:
    with pytest.raises(InvalidJob) as refusal:
        prepare(**fields)
    assert [problem.pointer for problem in refusal.value.problems] == pointers


def test_an_unknown_type_is_answered_with_the_nearest_one(prepare: Callable[..., NewJob]) -> None:
    with pytest.raises(InvalidJob, match="'sun'; did you mean 'sum'"):
        prepare(type="sun")
