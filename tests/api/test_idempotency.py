"""The same request again: the first answer, and no second job."""

import json
import threading
from typing import Any

import pytest

from orpheus.shared.errors import DatabaseFull
from tests.machine import PATIENCE_S


def post(api: Any, body: Any, key: str = "k", path: str = "/jobs") -> Any:
    return api.client.post(path, json=body, headers={"Idempotency-Key": key})


def total(api: Any) -> int:
    return int(sum(api.store.stats.counts().values()))


def test_the_first_answer_is_given_again(api: Any) -> None:
    first = post(api, {"type": "add", "payload": {"n": 1}})
    api.run_one()
    again = post(api, {"type": "add", "payload": {"n": 1}})

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Content-Type"] == "application/json"
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert total(api) == 1


def test_another_key_makes_another_job(api: Any) -> None:
    post(api, {"type": "add"}, key="!")
    post(api, {"type": "add"}, key="~" * 255)

    assert total(api) == 2


def test_the_order_and_the_space_of_a_body_do_not_matter(api: Any) -> None:
    post(api, {"type": "add", "payload": {"n": 1, "text": "é"}})
    answer = api.client.post(
        "/jobs",
        content=b'{ "payload": {"text": "\\u00e9",  "n": 1},\n "type": "add" }',
        headers={"Idempotency-Key": "k", "Content-Type": "application/json"},
    )

    assert answer.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/jobs", {"type": "add", "payload": {"n": 2}}),
        ("/jobs", {"type": "add", "payload": {"n": 1}, "tags": []}),
        ("/jobs", {"type": "unknown"}),
        ("/jobs", []),
        ("/jobs/batch", {"type": "add", "payload": {"n": 1}}),
    ],
)
def test_the_same_key_with_another_request_is_a_422(api: Any, path: str, body: Any) -> None:
    post(api, {"type": "add", "payload": {"n": 1}})
    answer = post(api, body, path=path)

    assert answer.status_code == 422
    assert [e["pointer"] for e in answer.json()["errors"]] == ["/Idempotency-Key"]
    assert total(api) == 1


def test_a_batch_is_answered_again_as_well(api: Any) -> None:
    body = {"jobs": [{"type": "add"}] * 3}
    first, again = (post(api, body, path="/jobs/batch") for _ in range(2))

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Location" not in again.headers
    assert total(api) == 3


def test_a_live_job_that_was_answered_for_its_unique_key_is_answered_again(api: Any) -> None:
    api.submit(unique_key="u")
    first = post(api, {"type": "add", "unique_key": "u"})
    api.run_one()
    again = post(api, {"type": "add", "unique_key": "u"})

    assert (first.status_code, again.status_code) == (200, 200)
    assert total(api) == 1


def test_a_refused_request_leaves_its_key_free(api: Any) -> None:
    assert post(api, {"type": "add", "depends_on": [1]}).status_code == 422
    assert post(api, {"type": "strict"}).status_code == 422
    assert post(api, {"type": "add"}).status_code == 201


def test_what_was_not_committed_was_not_answered(api: Any) -> None:
    write = api.services.writer.write

    def fail(_: Any) -> Any:
        async def lost() -> None:
            def spoiled(store: Any) -> None:
                raise DatabaseFull("the disk is full")

            await write(spoiled)

        return lost()

    api.services.writer.write = fail
    assert post(api, {"type": "add"}).status_code == 507
    api.services.writer.write = write
    answer = post(api, {"type": "add"})
    assert answer.status_code == 201
    assert "Idempotent-Replayed" not in answer.headers


def test_at_the_same_moment_one_of_them_makes_the_job(api: Any) -> None:
    ready, answers = threading.Barrier(8), []

    def ask() -> None:
        ready.wait(PATIENCE_S)
        answers.append(post(api, {"type": "add"}))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert {answer.status_code for answer in answers} == {201}
    assert len({json.dumps(answer.json()) for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert total(api) == 1


def test_two_processes_share_their_keys(start: Any) -> None:
    one, other = start(), start()
    first = post(one, {"type": "add"})

    assert post(other, {"type": "add"}).json() == first.json()
    assert total(one) == 1
