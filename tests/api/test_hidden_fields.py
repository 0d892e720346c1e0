"""No call, page or stream shows what is hidden, and no filter tells whether a guess is right."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from orpheus.config.editing.file import ConfigurationFile
from orpheus.shared.domain.hidden import MASK
from orpheus.shared.domain.jobs import NewLine
from orpheus.shared.domain.schedules import ScheduleDefinition
from orpheus.shared.domain.steps import NewStep, StepKind
from orpheus.shared.storage import TypeRow, state_files
from tests.api.conftest import ADD, STRICT, Running, applications, options_of
from tests.api.shapes import problem

SECRET = "hush-4711"
SCHEMA = {
    "type": "object",
    "properties": {"card": {"type": "string", "maxLength": 20}, "user": {}, "note": {}},
    "required": ["card"],
    "additionalProperties": False,
}
PAY = TypeRow("pay", json.dumps(SCHEMA), None, None, None, "", hide="payload.card result.token")
PAYLOAD = {"card": SECRET, "user": {"password": SECRET}, "note": "x" * 300}
FILE = f"""
[privacy]
hide = ["payload.*.password"]
[[schedules]]
name = "nightly"
cron = "0 3 * * *"
type = "pay"
payload = {{ card = "1", user = {{ password = "{SECRET}" }} }}
"""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An API with hidden values in a done job, its log and its steps, and in a pending one."""
    folder = tmp_path_factory.mktemp("hidden")
    file = folder / "orpheus.toml"
    file.write_text(FILE)
    storage = replace(options_of(folder).storage, hide=("payload.*.password",))
    state = state_files(storage.url)
    configuration = ConfigurationFile(file, (), {}, state)
    with applications(replace(options_of(folder), storage=storage)) as start:
        running = start(configuration=lambda: configuration)
        running.store.types.replace([PAY, ADD, STRICT])
        fill(running)
        yield running


def fill(api: Running) -> None:
    running = api.submit("pay", payload=PAYLOAD, unique_key="k")
    api.store.schedules.configure(
        [ScheduleDefinition("nightly", "pay", cron="0 3 * * *", payload=json.dumps(PAYLOAD))]
    )
    (lease,) = api.lease()
    fields = json.dumps({"card": SECRET, "deep": [{"token": SECRET}]})
    api.store.logs.append(running, lease.token, 1, [NewLine(1, "info", "paying", fields)])
    assert api.store.steps.keep(
        lease, NewStep("charge", 0, StepKind.STEP, json.dumps({"token": SECRET}), 1)
    )
    assert api.store.steps.keep(lease, NewStep("token", 1, StepKind.STEP, json.dumps(SECRET), 1))
    api.finish(lease, json.dumps({"token": SECRET, "n": 2**70}))
    api.submit("pay", payload=PAYLOAD)


def gets(api: Running) -> list[str]:
    """Each GET of the OpenAPI document, and the lists of jobs by each way to ask for them."""
    paths = api.client.get("/openapi.json").json()["paths"]
    filled = [
        path.replace("{job_id}", "1").replace("{name}", "nightly").replace("{slot}", "default-1")
        for path, calls in paths.items()
        if "get" in calls and path != "/events"
    ]
    assert "/jobs/1/steps" in filled and not any("{" in path for path in filled)
    return [*filled, "/jobs?preview=true", "/jobs?by_status=true&q=pay", "/jobs/1?wait=1"]


def test_no_answer_and_no_page_has_a_hidden_value(api: Running) -> None:
    pages = ["/", "/ui/jobs", "/ui/jobs/1", "/ui/submit?from=1", "/ui/configuration"]
    masked = 0
    for path in [*gets(api), *pages]:
        answer = api.client.get(path)
        assert answer.status_code in (200, 404, 409, 503), (path, answer.text)
        assert SECRET not in answer.text, path
        masked += MASK in answer.text
    assert masked >= 7  # lists, the job, its log and steps, the configuration


def test_values_that_are_not_hidden_are_shown_as_they_are(api: Running) -> None:
    job = api.client.get("/jobs/1").json()
    assert job["payload"] == {"card": MASK, "user": {"password": MASK}, "note": "x" * 300}
    assert job["result"] == {"token": MASK, "n": 2**70}
    (line,) = api.client.get("/jobs/1/logs").json()["items"]
    assert line["fields"] == {"card": MASK, "deep": [{"token": MASK}]}
    results = [step["result"] for step in api.client.get("/jobs/1/steps").json()["items"]]
    assert results == [{"token": MASK}, MASK]
    preview = api.client.get("/jobs?preview=true&type=pay").json()["items"][0]["payload"]
    assert preview.startswith(f'{{"card":"{MASK}"') and len(preview) == 200
    (kind,) = [kind for kind in api.client.get("/types").json()["items"] if kind["name"] == "pay"]
    assert kind["hidden"] == ["payload.*.password", "payload.card", "result.token"]


def test_no_answer_to_a_change_has_a_hidden_value(api: Running) -> None:
    body, key = {"type": "pay", "payload": PAYLOAD}, {"Idempotency-Key": "once"}
    answers = [
        api.client.post("/jobs", json=body, headers=key),
        api.client.post("/jobs", json=body, headers=key),
        api.client.post("/jobs", json={**body, "unique_key": "held"}),
        api.client.post("/jobs", json={**body, "unique_key": "held"}),
        api.client.post("/jobs/batch", json={"jobs": [body]}),
        api.client.post("/schedules/nightly/run"),
        api.client.post("/jobs/2/run"),
        api.client.post("/jobs/2/cancel"),
        api.client.post("/jobs/2/retry"),
        api.client.post("/signals", json={"name": "paid", "key": "1", "payload": PAYLOAD}),
        api.client.post("/signals", json={"name": "paid", "key": "1", "payload": PAYLOAD}),
    ]
    for answer in answers:
        assert answer.status_code in (200, 201, 409), answer.text
        assert SECRET not in answer.text
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    job = api.store.jobs.get(2)
    assert json.loads(job.payload) == PAYLOAD  # what is stored is what the job gets


def test_a_replayed_answer_is_masked_by_the_rules_of_now(start: Any) -> None:
    api = start()
    send = {
        "json": {"type": "add", "payload": {"text": SECRET}},
        "headers": {"Idempotency-Key": "k"},
    }
    assert SECRET in api.client.post("/jobs", **send).text
    api.store.hidden.configure(["payload.text"])
    replayed = api.client.post("/jobs", **send)
    assert replayed.headers["Idempotent-Replayed"] == "true"
    assert replayed.json()["payload"] == {"text": MASK}


def test_no_stream_has_a_hidden_value(api: Running) -> None:
    with api.watch("?job=1") as watcher:
        lines = watcher.next("log")["lines"]
        assert lines[0]["fields"]["card"] == MASK
    with api.watch("?after=0") as watcher:
        for _ in range(3):
            assert SECRET not in json.dumps(watcher.next())
    with api.client.stream("GET", "/events?after=0") as answer:
        assert SECRET not in next(answer.iter_text())


@pytest.mark.parametrize(
    "query",
    [
        f"q={SECRET}",
        "q=hush",
        f"payload=card={SECRET}",
        f"payload=user.password={SECRET}",
        f"payload=card.x={SECRET}",
    ],
)
def test_a_guess_is_answered_alike_right_or_wrong(api: Running, query: str) -> None:
    right, wrong = (
        api.client.get(f"/jobs?by_status=true&{guess}").json()
        for guess in (query, query.replace("4711", "0815").replace("q=hush", "q=hash"))
    )
    assert right == wrong
    assert right["items"] == [] and right["total"] == {"value": 0, "relation": "eq"}
    name, _, value = query.partition("=")
    bulk = {"action": "cancel", "filter": {name: value}, "dry_run": True}
    assert api.client.post("/jobs/bulk", json=bulk).json() == {"changed": 0}


def test_a_mask_is_not_taken_for_the_value(api: Running) -> None:
    shown = api.client.get("/jobs/1").json()["payload"]
    answer = api.client.post("/jobs", json={"type": "pay", "payload": shown})
    problem(answer, 422)
    detail = "is hidden: give its value"
    assert answer.json()["errors"] == [
        {"pointer": "/payload/card", "detail": detail},
        {"pointer": "/payload/user/password", "detail": detail},
    ]
    batch = {"jobs": [{"type": "pay", "payload": {**shown, "card": "1"}}]}
    answer = api.client.post("/jobs/batch", json=batch)
    assert [error["pointer"] for error in answer.json()["errors"]] == [
        "/jobs/0/payload/user/password"
    ]


@pytest.mark.parametrize("card", [f"{SECRET}-and-much-more-of-it", [SECRET], {"x": SECRET}])
def test_a_refused_payload_is_not_quoted(api: Running, card: object) -> None:
    answer = api.client.post("/jobs", json={"type": "pay", "payload": {"card": card}})
    problem(answer, 422)
    assert SECRET not in answer.text and re.search("/payload/card", answer.text)
