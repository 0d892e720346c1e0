"""What operators ask of the supervisor over HTTP; here the supervisor is rows, and a thread."""

import os
import select
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orpheus.config.editing.file import ConfigurationFile
from orpheus.shared.domain.processes import Role, SlotState
from orpheus.shared.domain.requests import MOST_WORKERS, Request, RequestAction
from orpheus.shared.messages.workers import Stack, Worker
from orpheus.shared.storage import open_storage, state_files
from tests.api.shapes import checked
from tests.machine import PATIENCE_S

STACK = "Current thread 0x00007f (most recent call first):\n  File handlers.py, line 7 in slow\n"


@pytest.fixture
def supervised(api: Any) -> Any:
    """The application beside a supervisor with two workers, one of which is down."""
    api.process("supervisor", Role.SUPERVISOR, pid=99)
    api.process("default-1")
    api.store.processes.put_slots(
        [
            api.slot("supervisor", SlotState.READY, Role.SUPERVISOR, pid=99),
            api.slot("api", SlotState.READY, Role.API),
            api.slot("default-1", SlotState.READY, pid=os.getpid()),
            api.slot("default-2", SlotState.DOWN, pid=None, incarnation=None),
        ]
    )
    return api


@pytest.fixture
def serve(supervised: Any) -> Iterator[Callable[[Callable[[Request], object]], None]]:
    """Takes requests on the supervisor's bell, in a thread, and gives each to a function."""
    settings = supervised.services.options.storage
    ended = threading.Event()
    threads: list[threading.Thread] = []

    def take(answer: Callable[[Request], object]) -> None:
        store = open_storage(settings)
        bell = store.bells.listen_supervisor()
        listening.set()
        while not ended.is_set():
            select.select([bell], [], [], 0.05)
            bell.drain()
            for request in store.supervision.take_requests("host-1"):
                answer(request)
        bell.close()
        store.close()

    listening = threading.Event()

    def start(answer: Callable[[Request], object]) -> None:
        threads.append(threading.Thread(target=take, args=(answer,)))
        threads[-1].start()
        assert listening.wait(PATIENCE_S)

    yield start
    ended.set()
    for thread in threads:
        thread.join(10)


def refused(api: Any, answer: Any, status: int) -> str:
    """The detail of a problem, after which nothing was asked and nothing is in the trail."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert api.store.supervision.take_requests("host-1") == []
    assert api.client.get("/audit").json()["items"] == []
    detail: str = answer.json()["detail"]
    return detail


def trail(api: Any) -> list[tuple[str, str, str | None]]:
    items = api.client.get("/audit").json()["items"]
    return [(entry["action"], entry["target"], entry["reason"]) for entry in items]


@pytest.mark.parametrize("action", ["restart", "drain"])
def test_a_worker_is_asked_for_and_shown_as_it_is_now(supervised: Any, action: str) -> None:
    answer = supervised.client.post(f"/workers/default-1/{action}", json={"reason": "it leaks"})

    assert answer.status_code == 202
    shown = {worker["slot"]: worker for worker in supervised.client.get("/workers").json()["items"]}
    assert answer.json().keys() == shown["default-1"].keys()
    assert (answer.json()["slot"], answer.json()["state"]) == ("default-1", "ready")
    checked(Worker, answer.text)
    [request] = supervised.store.supervision.take_requests("host-1")
    assert (request.action, request.target, request.workers) == (action, "default-1", None)
    assert trail(supervised) == [(action, "slot default-1", "it leaks")]


def test_a_request_reaches_the_supervisor_by_its_bell(
    supervised: Any, serve: Callable[..., None]
) -> None:
    taken = threading.Event()
    serve(lambda request: taken.set())
    supervised.client.post("/workers/default-1/restart")
    assert taken.wait(PATIENCE_S)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ("POST /workers/supervisor/restart", "restart it with what started it"),
        ("GET /workers/supervisor/stack", "SIGQUIT to process 99"),
        ("POST /workers/api/drain", "restart it"),
        ("GET /workers/default-2/stack", "default-2 is down"),
        ("POST /workers/default@101/restart", "started by hand"),
    ],
)
def test_what_cannot_be_done_to_a_process_is_a_409_that_says_what_can(
    supervised: Any, call: str, says: str
) -> None:
    supervised.process("default@101", incarnation="alone")
    method, path = call.split()

    assert says in refused(supervised, supervised.client.request(method, path), 409)


@pytest.mark.parametrize("name", ["default-3", "default", "*", "a" * 1000, "%00", "%FF"])
@pytest.mark.parametrize("call", ["POST restart", "POST drain", "GET stack"])
def test_an_unknown_slot_is_a_404(supervised: Any, call: str, name: str) -> None:
    method, verb = call.split()
    answer = supervised.client.request(method, f"/workers/{name}/{verb}")
    assert "no slot" in refused(supervised, answer, 404)


CALLS: list[tuple[str, str, Any]] = [
    ("POST", "/workers/default-1/restart", None),
    ("POST", "/workers/default-1/drain", {"reason": "why"}),
    ("GET", "/workers/default-1/stack", None),
    ("POST", "/pools/default/scale", {"workers": 4}),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_without_a_supervisor_it_is_a_503_that_says_how_to_start_one(
    api: Any, method: str, path: str, body: Any
) -> None:
    api.store.processes.put_slots([api.slot("default-1", SlotState.READY)])
    api.process("default@101")
    long_ago_ms = api.store.clock.monotonic_ms() - 16_000
    api.process("supervisor", Role.SUPERVISOR, last_beat_mono_ms=long_ago_ms)
    answer = api.client.request(method, path, json=body)

    assert "start one with `orpheus`" in refused(api, answer, 503)
    assert answer.headers["Retry-After"]


def test_a_child_of_a_supervisor_needs_no_heartbeat_to_know_of_it(start: Any) -> None:
    api = start(supervised=True)
    api.store.processes.put_slots([api.slot("default-1", SlotState.FATAL)])
    assert api.client.post("/workers/default-1/restart").json()["state"] == "fatal"


# Scale


@pytest.mark.parametrize("workers", [0, 4, MOST_WORKERS])
def test_a_pool_is_asked_to_have_so_many_workers(supervised: Any, workers: int) -> None:
    body = {"workers": workers, "reason": "a quiet night"}
    answer = supervised.client.post("/pools/default/scale", json=body)

    assert (answer.status_code, answer.json()) == (202, {"pool": "default", "workers": workers})
    [request] = supervised.store.supervision.take_requests("host-1")
    assert (request.action, request.target) == (RequestAction.SCALE, "default")
    assert request.workers == workers
    assert trail(supervised) == [("scale", f"pool default to {workers}", "a quiet night")]


def test_a_program_that_has_no_slot_is_scaled_by_its_name_in_the_configuration(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "orpheus.toml"
    file.write_text('[[programs]]\nname = "web"\nargv = ["true"]\ninstances = 0\n')
    editor = ConfigurationFile(file, [], {}, state_files(f"sqlite:///{tmp_path}/o.db"))
    api = start(supervised=True, configuration=lambda: editor)
    api.store.processes.put_slots([api.slot("supervisor", SlotState.READY, Role.SUPERVISOR)])
    other = api.client.post("/pools/wep/scale", json={"workers": 2})
    assert "but default, web" in refused(api, other, 404)

    assert api.client.post("/pools/web/scale", json={"workers": 2}).status_code == 202
    [request] = api.store.supervision.take_requests("host-1")
    assert (request.target, request.workers) == ("web", 2)
    assert trail(api) == [("scale", "program web to 2", None)]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/workers"),
        ({"workers": -1}, "/workers"),
        ({"workers": MOST_WORKERS + 1}, "/workers"),
        ({"workers": 2**63}, "/workers"),
        ({"workers": 2, "reason": ""}, "/reason"),
        ({"workers": 2, "pool": "mail"}, "/pool"),
        ([2], ""),
    ],
)
def test_a_size_that_is_not_valid_is_named(supervised: Any, body: Any, pointer: str) -> None:
    answer = supervised.client.post("/pools/default/scale", json=body)

    refused(supervised, answer, 422)
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize("name", ["mail", "*", "a" * 1000, "%00", "%FF"])
def test_an_unknown_pool_is_a_404_that_names_those_there_are(supervised: Any, name: str) -> None:
    answer = supervised.client.post(f"/pools/{name}/scale", json={"workers": 2})
    assert "but default" in refused(supervised, answer, 404)


# Stacks


@pytest.fixture
def stack_file(supervised: Any) -> Path:
    """Where the life of default-1 writes its stacks; one of them stands there already."""
    file: Path = supervised.store.state.stack("life-of-default-1")
    file.parent.mkdir(exist_ok=True)
    file.write_text("an earlier stack\n")
    return file


def append(file: Path, text: str) -> None:
    with file.open("a") as stacks:
        stacks.write(text)


def test_the_stack_of_a_worker_is_what_it_writes_when_asked(
    supervised: Any, serve: Callable[..., None], stack_file: Path
) -> None:
    def answer(request: Request) -> None:
        assert (request.action, request.target) == (RequestAction.STACK, "default-1")
        append(stack_file, STACK)

    serve(answer)
    body = supervised.client.get("/workers/default-1/stack")

    assert body.status_code == 200, body.text
    stack = checked(Stack, body.text)
    assert stack.stack == STACK.strip()
    assert (stack.slot, stack.pid) == ("default-1", os.getpid())
    assert (stack.incarnation, stack.job) == ("life-of-default-1", None)
    assert supervised.client.get("/audit").json()["items"] == []  # nothing was changed


def test_a_supervisor_that_takes_no_request_is_said_not_to_have_asked(
    supervised: Any, stack_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_ASK_AGAIN_AFTER_S", "_ANSWER_WITHIN_S"):
        monkeypatch.setattr(f"orpheus.shared.operations.supervisor_requests.{name}", 0.1)
    answer = supervised.client.get("/workers/default-1/stack")

    assert answer.status_code == 503
    assert "supervisor has not asked" in answer.json()["detail"]
    [request] = supervised.store.supervision.take_requests("host-1")
    assert request.action == RequestAction.STACK


# The document


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/workers/default-1/restart", None),
        ("POST", "/workers/default-1/drain", None),
        ("POST", "/pools/default/scale", {"workers": 2}),
    ],
)
def test_a_request_goes_to_the_host_that_is_named(
    supervised: Any, method: str, path: str, body: Any
) -> None:
    store = supervised.store
    supervised.process("supervisor", Role.SUPERVISOR, host="host-2", incarnation="another")
    store.processes.put_slots([supervised.slot("default-1", SlotState.READY, host="host-2")])
    refused = supervised.client.request(method, path, json=body)
    assert refused.status_code == 409
    assert "name one of host-1, host-2" in refused.json()["detail"]
    answers = {
        host: supervised.client.request(method, f"{path}?host={host}", json=body).status_code
        for host in ("host-1", "host-2", "host-3")
    }
    assert answers == {"host-1": 202, "host-2": 202, "host-3": 404}
    for host in ("host-1", "host-2"):
        assert len(store.supervision.take_requests(host)) == 1


def test_pools_are_told_of_though_they_have_no_slot(api: Any) -> None:
    shown = api.client.get("/workers?pools=true").json()
    pool = {"host": "host-1", "name": "default", "workers": 2}
    pool |= {"wanted": 0, "finishes_within_s": 325.0}
    assert shown == {"items": [], "pools": [pool], "programs": []}
