"""Bad fields of bodies and queries, one row at a time: the answer names them, nothing is kept."""

from typing import Any

import pytest

from tests.api.conftest import Running
from tests.api.shapes import problem

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def api(shared_api: Running) -> Running:
    """The same for all: each leaves it as it was."""
    return shared_api


def pointers(answer: Any) -> list[str]:
    return [error["pointer"] for error in problem(answer, 422)["errors"]]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"type": "nix"}, "/type"),
        ({"type": "strict", "payload": {"n": "5"}}, "/payload/n"),
        ({"type": "strict", "payload": {"n": 1, "m": 2}}, "/payload/m"),
        ({"priority": "5"}, "/priority"),
        ({"run_at": "2031-01-01T00:00:00"}, "/run_at"),
        ({"delay": 1, "run_at": "2031-01-01T00:00:00Z"}, ""),
        ({"unique_key": "k" * 256}, "/unique_key"),
        ({"depends_on": [2**63]}, "/depends_on/0"),
        ({"depends_on": [99]}, "/depends_on/0"),
        ({"depends_on": [1] * 10_001}, "/depends_on"),
        ({"on_dependency_failure": "ignore"}, "/on_dependency_failure"),
        ({"ref": "a"}, "/ref"),
        ({"expires": 0}, "/expires"),
        ({"unique_for": "1x", "unique_key": "k"}, "/unique_for"),
        ({"unique_for": "1h"}, ""),
        ({"on_duplicate": "replace"}, ""),
        ({"on_duplicate": "merge", "unique_key": "k"}, "/on_duplicate"),
        ({"retention": "-1s"}, "/retention"),
    ],
    ids=lambda case: str(case)[:60],
)
def test_a_field_that_is_not_valid_is_named(
    untouched: Any, fields: dict[str, Any], pointer: str
) -> None:
    assert pointers(untouched.client.post("/jobs", json={"type": "add", **fields})) == [pointer]


def test_batches_are_bounded(untouched: Any) -> None:
    for jobs in ([], [{"type": "add"}] * 10_001):
        assert pointers(untouched.client.post("/jobs/batch", json={"jobs": jobs})) == ["/jobs"]


@pytest.mark.parametrize(
    ("items", "pointer"),
    [
        ([{"ref": "a" * 65}], "/jobs/0/ref"),
        ([{"ref": "a"}, {"ref": "a"}], "/jobs/1/ref"),
        ([{"depends_on": ["a"]}], "/jobs/0/depends_on/0"),
        ([{"depends_on": [2**63]}], "/jobs/0/depends_on/0"),
        ([{"ref": "a"}, {"depends_on": ["a", 99]}], "/jobs/1/depends_on/1"),
        ([{"ref": "a", "depends_on": ["a"]}], "/jobs/0/depends_on/0"),
    ],
    ids=str,
)
def test_an_item_that_is_not_valid_is_named_and_none_kept(
    untouched: Any, items: list[dict[str, Any]], pointer: str
) -> None:
    jobs = [{"type": "add", **item} for item in items]
    assert pointers(untouched.client.post("/jobs/batch", json={"jobs": jobs})) == [pointer]


@pytest.mark.parametrize("path", ["/jobs", "/jobs/batch"])
@pytest.mark.parametrize(
    "keys", [[b""], [b"k" * 256], [b"a b"], [b"caf\xe9"], [b"a\tb"], [b"one", b"two"]], ids=str
)
def test_an_idempotency_key_that_is_not_valid_is_a_422(
    untouched: Any, path: str, keys: list[bytes]
) -> None:
    headers = [(b"Idempotency-Key", key) for key in keys]
    body = {"type": "add"} if path == "/jobs" else {"jobs": [{"type": "add"}]}
    assert pointers(untouched.client.post(path, json=body, headers=headers)) == ["/Idempotency-Key"]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"action": "run"}, "/action"),
        ({"filter": None}, "/filter"),
        ({"filter": {"status": "finished"}}, "/filter/status"),
        ({"filter": {"q": "q" * 201}}, "/filter/q"),
        ({"filter": {"colour": "red"}}, "/filter/colour"),
        ({"max_id": 2**63}, "/max_id"),
        ({"expected_count": 2**63}, "/expected_count"),
        ({"dry_run": "false"}, "/dry_run"),
        ({"reason": "r" * 1001}, "/reason"),
        ({"colour": "red"}, "/colour"),
    ],
    ids=lambda case: str(case)[:60],
)
def test_a_field_of_a_bulk_action_that_is_not_valid_is_named(
    untouched: Any, fields: dict[str, Any], pointer: str
) -> None:
    body = {"action": "cancel", "filter": {}, **fields}
    assert pointers(untouched.client.post("/jobs/bulk", json=body)) == [pointer]


def test_a_bulk_action_says_what_it_does_to_which(untouched: Any) -> None:
    assert pointers(untouched.client.post("/jobs/bulk", json={})) == ["/action", "/filter"]
    problem(untouched.client.post("/jobs/bulk"), 400)


@pytest.fixture
def with_everything(api: Any) -> Any:
    """A job, a queue and a schedule called `a`."""
    from orpheus.shared.domain.schedules import ScheduleDefinition

    if not api.store.schedules.all():
        assert api.submit(queue="a") == 1
        api.store.schedules.configure([ScheduleDefinition("a", "add", every_s=60)])
    return api


ACTIONS = [
    ("POST", "/jobs/1/cancel"),
    ("POST", "/jobs/1/retry"),
    ("POST", "/jobs/1/run"),
    ("DELETE", "/jobs/1"),
    ("POST", "/queues/a/pause"),
    ("POST", "/queues/a/resume"),
    ("POST", "/schedules/a/run"),
    ("POST", "/schedules/a/pause"),
    ("POST", "/schedules/a/resume"),
    ("POST", "/workers/default-1/restart"),
    ("POST", "/workers/default-1/drain"),
]


@pytest.mark.parametrize(("method", "path"), ACTIONS)
def test_an_action_takes_a_reason_and_nothing_else(
    with_everything: Any, untouched: Any, method: str, path: str
) -> None:
    def send(body: Any) -> Any:
        return untouched.client.request(method, path, json=body)

    for reason in ("", "r" * 1001, 5, ["x"], True):
        assert pointers(send({"reason": reason})) == ["/reason"]
    assert pointers(send({"colour": "red"})) == ["/colour"]
    for text in (b"[]", b"5", b'"why"', b"null"):
        problem(untouched.client.request(method, path, content=text, headers=JSON), 422)


@pytest.mark.parametrize("name", ["*", "a b", "-a", "a" * 65, "%00", "%FF", "%F0%9F%90%9D", "a%0A"])
def test_what_no_queue_can_be_called_is_a_422(untouched: Any, name: str) -> None:
    for verb in ("pause", "resume"):
        assert pointers(untouched.client.post(f"/queues/{name}/{verb}")) == ["/name"]


@pytest.mark.parametrize("name", ["nix", "*", "a" * 1000, "%00", "%FF", "%F0%9F%90%9D"])
@pytest.mark.parametrize("verb", ["run", "pause", "resume"])
def test_an_unknown_schedule_is_a_404(untouched: Any, name: str, verb: str) -> None:
    problem(untouched.client.post(f"/schedules/{name}/{verb}"), 404)


def test_a_query_of_the_trail_that_is_not_valid_is_named(untouched: Any) -> None:
    assert pointers(untouched.client.get("/audit?limit=501")) == ["/limit"]
    assert pointers(untouched.client.get("/audit?who=me")) == ["/who"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("status=finished", "/status"),
        ("limit=501", "/limit"),
        ("limit=0", "/limit"),
        ("limit=x", "/limit"),
        ("cursor=x", "/cursor"),
        ("cursor=am9icyBiZWZvcmUgMA", "/cursor"),
        ("type=a%00b", "/type"),
        ("q=a%00b", "/q"),
        ("where=a.py", "/where"),
        ("colour=red", "/colour"),
    ],
)
def test_a_query_that_is_not_valid_is_named(untouched: Any, query: str, pointer: str) -> None:
    assert pointers(untouched.client.get(f"/jobs?{query}")) == [pointer]


def test_other_queries_are_checked_as_well(untouched: Any) -> None:
    for query in ("?wait=x", "?wait=nan", "?wait=-1", "?wait=366d", "/logs?after=-1"):
        problem(untouched.client.get(f"/jobs/1{query}"), 422)
