"""From a parsed body to a job that can be kept."""

from typing import Any

import pytest

from orpheus.api.contract.requests import SubmitBatch, SubmitJob
from orpheus.api.http.calls import validate
from orpheus.api.http.problems import Refusal
from orpheus.api.routes.submission import new_job, new_jobs
from orpheus.shared.domain.handover import JobDefaults
from orpheus.shared.storage import TypeRow

DEFAULTS = JobDefaults(max_retries=3, timeout_s=900.0)
SCHEMA = '{"type":"object","required":["n"],"properties":{"n":{"type":"integer"}}}'
TYPES = {
    "add": TypeRow("add", SCHEMA, None, None, None, ""),
    "zero": TypeRow("zero", "{}", 0, 1.5, "slow", ""),
}


def job(**fields: Any) -> Any:
    return new_job(validate(SubmitJob, fields), TYPES, DEFAULTS)


def test_what_is_not_said_comes_from_the_type_then_the_configuration() -> None:
    plain, zero = job(type="add", payload={"n": 1}), job(type="zero")

    assert (plain.queue, plain.max_retries, plain.timeout_s) == ("default", 3, 900.0)
    assert (zero.queue, zero.max_retries, zero.timeout_s) == ("slow", 0, 1.5)


def test_what_is_said_is_kept_even_if_it_is_nothing() -> None:
    asked = job(type="zero", max_retries=0, queue="x", timeout="2m", priority=-5)

    assert (asked.queue, asked.max_retries, asked.timeout_s, asked.priority) == ("x", 0, 120.0, -5)


def test_times_become_milliseconds() -> None:
    assert job(type="zero", delay=0.0015).delay_ms == 2
    assert job(type="zero", delay="7d").delay_ms == 604_800_000
    assert job(type="zero", run_at="1970-01-01T01:00:00.5+01:00").run_at_ms == 500
    assert job(type="zero", run_at="9999-12-31T23:59:59.999Z").run_at_ms == 253_402_300_799_999


def test_the_payload_keeps_its_order_and_its_integers() -> None:
    payload = {"z": 2**64 - 1, "a": [-(2**63), 1.5, "é"], "n": 1}

    assert job(type="add", payload=payload).payload == (
        '{"z":18446744073709551615,"a":[-9223372036854775808,1.5,"é"],"n":1}'
    )


def test_a_batch_points_at_the_items_that_are_not_valid() -> None:
    body = {"jobs": [{"type": "zero"}, {"type": "add"}, {"type": "nix"}]}
    with pytest.raises(Refusal) as refused:
        new_jobs(validate(SubmitBatch, body), TYPES, DEFAULTS)

    assert [p.pointer for p in refused.value.problems] == ["/jobs/1/payload/n", "/jobs/2/type"]
