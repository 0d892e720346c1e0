"""The examples in /openapi.json are recorded from real answers, and still have their shape.

ORPHEUS_RECORD=1 writes api/contract/examples.json anew.
"""

import json
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orpheus.config.editing.file import ConfigurationFile
from orpheus.shared.domain.alerts import AlertRule
from orpheus.shared.domain.jobs import JobError, NewLine
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.processes import LastExit, Role, SlotState
from orpheus.shared.domain.schedules import ScheduleDefinition
from orpheus.shared.errors import DatabaseFull
from orpheus.shared.job_types.describe import describe_types
from orpheus.shared.process.crash_cell import CellState
from orpheus.shared.process.program_logs import LogFiles
from orpheus.shared.storage import Store, open_storage, state_files

FILE = Path(__file__).parents[2] / "api/contract/examples.json"
TOKEN = "a-token-of-more-than-32-characters-0"
REASON = {"reason": "the mail server is down"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z")
SPACE = re.compile(r"[\d,]+ MB")
STABLE = {
    "pid": 4711, "incarnation": "9f86d081884c7d65", "etag": "5f2c8e0d9a7b4c6f8e1d2a3b4c5d6e7f",
    "heartbeat_age_s": 0.8, "uptime_s": 93.1, "oldest_pending_s": 1.5, "oldest_due_s": 1.5,
    "p50": 0.01, "p95": 0.2,
    "p99": 0.3,
    "database_bytes": 1_048_576, "wal_bytes": 65_536, "token": "what api.token_file holds: 32",
}  # fmt: skip
"""Values that differ from run to run, by the name of their field."""
MOST_ITEMS = 2


class Recorder:
    """Calls the API and keeps what it sent and what it got, without what differs each time."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self.calls: dict[str, Any] = {}
        self.problems: dict[str, Any] = {}

    def call(self, api: Any, call: str, body: Any = None, **parts: Any) -> Any:
        """Call `POST /jobs/{job_id}/run` with `job_id=…`; returns the parsed answer."""
        method, path = call.split()
        headers = {"If-Match": "*"} if method == "PUT" else {}
        answer = api.client.request(method, path.format(**parts), json=body, headers=headers)
        assert answer.status_code < 400 or call == "GET /readyz", answer.text
        entry = self.calls.setdefault(call, {})
        if body is not None:
            entry.setdefault("request", self._stable(body))
        if answer.content:
            found = entry.setdefault("responses", {})
            found.setdefault(str(answer.status_code), self._stable(answer.json()))
        return answer.json() if answer.content else None

    def refuse(self, api: Any, status: int, method: str, path: str, **request: Any) -> None:
        """Make a call that must be refused with `status`."""
        answer = api.client.request(method, path, **request)
        assert answer.status_code == status, answer.text
        self.problems[str(status)] = self._stable(answer.json())

    def _stable(self, value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: self._stable(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [self._stable(item, name) for item in value[:MOST_ITEMS]]
        if value is not None and name in STABLE:
            return STABLE[name]
        if isinstance(value, str):
            text = SPACE.sub("83,632 MB", value.replace(self._folder, "config"))
            return TIME.sub("2026-01-31T12:00:00.000Z", text)
        return value


def shape(value: Any) -> Any:
    """The names and types of a JSON value, whatever the values are."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return "number" if type(value) in (int, float) else type(value).__name__


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path)


@pytest.fixture
def api(start: Callable[..., Any], tmp_path: Path, recorder: Recorder) -> Any:
    """An API beside a supervisor with a worker, and with the job types that are built in."""
    path = tmp_path / "orpheus.toml"
    path.write_text("[pools.default]\nworkers = 2\n", encoding="utf-8")
    state = state_files(f"sqlite:///{tmp_path}/configured.db")
    editor = ConfigurationFile(path, [], {}, state)
    api = start(supervised=True, configuration=lambda: editor)
    recorder.call(api, "GET /readyz")  # 503: nothing is ready yet
    unsupervised = start()
    recorder.refuse(unsupervised, 503, "POST", "/workers/default-1/restart")
    api.store.types.replace(describe_types(("orpheus.worker.handlers",), (), 30))
    exit_ = LastExit(
        at_ms=1,
        reason="crashed",
        signal="SIGKILL",
        code=None,
        evidence=None,
        uptime_s=812.5,
        out_of_memory=False,
        failed=True,
        jobs=(12,),
    )
    worker = {"incarnation": "life-1", "pid": os.getpid()}
    api.store.processes.put_slots(
        [api.slot("default-1", SlotState.READY, restarts=1, exits=(exit_,), **worker)]
    )
    api.process("default-1", **worker)
    api.process("supervisor", role=Role.SUPERVISOR)
    return api


def record_jobs(api: Any, recorder: Recorder) -> None:
    job = {"type": "sum_range", "payload": {"n": 100000}, "tags": ["nightly"]}
    done = recorder.call(api, "POST /jobs", job)["id"]
    (lease,) = api.lease()
    line = NewLine(1, "info", "adding", '{"n":100000}')
    api.store.logs.append(done, lease.token, 1, [line])
    api.finish(lease, '{"sum":5000050000}')
    recorder.call(api, "GET /jobs")
    for path in ("", "/logs", "/events"):
        recorder.call(api, "GET /jobs/{job_id}" + path, job_id=str(done))
    for _ in range(2):
        keyed = recorder.call(api, "POST /jobs", {**job, "unique_key": "sum-of-today"})["id"]
    waiting = api.submit("sleep", payload={"seconds": 1}, delay="15m")
    recorder.call(api, "GET /jobs/{job_id}/why", job_id=str(waiting))
    recorder.call(api, "POST /jobs/{job_id}/run", REASON, job_id=str(keyed))
    recorder.call(api, "POST /jobs/{job_id}/cancel", REASON, job_id=str(keyed))
    recorder.call(api, "POST /jobs/{job_id}/retry", REASON, job_id=str(keyed))
    (lease,) = api.lease()
    api.store.leases.progress(keyed, lease.token, 0.5, "half way")
    recorder.call(api, "POST /jobs/{job_id}/cancel", REASON, job_id=str(keyed))
    recorder.call(api, "GET /jobs/{job_id}/graph", job_id=str(waiting))
    batch = [
        {"type": "sleep", "payload": {"seconds": 1}, "ref": "first"},
        {"type": "wordcount", "payload": {"text": "then this"}, "depends_on": ["first"]},
    ]
    recorder.call(api, "POST /jobs/batch", {"jobs": batch})
    failed = {"status": "failed", "queue": "mail"}
    bulk = {"action": "retry", "filter": failed, "expected_count": 0, **REASON}
    recorder.call(api, "POST /jobs/bulk", bulk)
    recorder.refuse(api, 409, "POST", f"/jobs/{done}/cancel")
    record_errors(api, recorder)
    recorder.call(api, "GET /workers")
    recorder.call(api, "DELETE /jobs/{job_id}", REASON, job_id=str(done))
    recorder.call(api, "GET /audit")


def record_errors(api: Any, recorder: Recorder) -> None:
    api.submit("wordcount", payload={"text": "a b"}, max_retries=0, priority=1)
    (lease,) = api.lease()
    trace = 'Traceback (most recent call last):\n  File "/app/jobs.py", line 12, in resize\n'
    error = JobError("ValueError", "no such file", trace)
    api.store.leases.finish([Finished(lease, Ending.FAILED_PERMANENTLY, error=error)])
    recorder.call(api, "GET /errors")


def record_queues_and_schedules(api: Any, recorder: Recorder) -> None:
    daily = ScheduleDefinition("daily", "sum_range", cron="0 3 * * *", payload='{"n":10}')
    api.store.schedules.configure([daily])
    for action in ("run", "pause", "resume"):
        recorder.call(api, "POST /schedules/{name}/" + action, REASON, name="daily")
    recorder.call(api, "GET /schedules")
    kinds = ("job.failed", "worker.fatal")
    rule = AlertRule("on-call", kinds, "webhook", "{}", after=3, within_s=600)
    api.store.alerts.configure([rule])
    recorder.call(api, "GET /alerts")
    for action in ("pause", "resume"):
        recorder.call(api, "POST /queues/{name}/" + action, REASON, name="mail")
    api.store.quarantines.after = 1
    api.submit("flaky", payload={"failures": 0}, max_retries=0, priority=1)
    (lease,) = api.lease()
    cell = CellState(lease.token, running=True)
    api.store.leases.free("life-1", cell, evidence="killed by SIGSEGV")
    for path in ("queues", "types", "stats", "stats/types", "healthz", "readyz", "session"):
        recorder.call(api, f"GET /{path}")
    recorder.call(api, "POST /types/{name}/release", REASON, name="flaky")


def record_supervision(api: Any, recorder: Recorder) -> None:
    recorder.call(api, "POST /workers/{slot}/restart", REASON, slot="default-1")
    recorder.call(api, "POST /workers/{slot}/drain", REASON, slot="default-1")
    recorder.call(api, "POST /pools/{name}/scale", {"workers": 4, **REASON}, name="default")
    api.store.processes.put_slots([api.slot("web-1", SlotState.READY, Role.PROGRAM, pool="web")])
    log = LogFiles(api.store.state.program_log("web-1"), 1_000_000, 5)
    log.write(b"2026-01-31T12:00:00.000Z orpheus process 4711 started\n")
    log.write(b"2026-01-31T12:00:00.000Z stdout Serving on port 9001\n")
    log.close()
    recorder.call(api, "GET /programs/{slot}/logs", slot="web-1")
    settings = api.services.options.storage
    file = api.store.state.stack("life-1")
    file.parent.mkdir(exist_ok=True)
    api.store.supervision.take_requests("host-1")
    ended = threading.Event()

    def dump(store: Store) -> None:
        while not ended.is_set():
            if store.supervision.take_requests("host-1"):
                text = 'Current thread 0x00007f (most recent call first):\n  File "jobs.py"\n'
                file.write_text(text, encoding="utf-8")
            ended.wait(0.02)
        store.close()

    dumping = threading.Thread(target=lambda: dump(open_storage(settings)))
    dumping.start()
    try:
        recorder.call(api, "GET /workers/{slot}/stack", slot="default-1")
    finally:
        ended.set()
        dumping.join(10)


def record_configuration_and_refusals(api: Any, recorder: Recorder) -> None:
    recorder.call(api, "GET /config")
    text = api.client.get("/config").json()["text"]
    edit = {"text": f"{text}\n[pools.other]\nworkers = 4\n", "reason": "a busy week"}
    recorder.call(api, "PUT /config", edit)
    recorder.call(api, "GET /config/versions")
    json_type = {"Content-Type": "application/json"}
    recorder.refuse(api, 400, "POST", "/jobs", content="{", headers=json_type)
    cross_site = {"Sec-Fetch-Site": "cross-site"}
    recorder.refuse(api, 403, "POST", "/jobs", json={}, headers=cross_site)
    recorder.refuse(api, 404, "GET", "/jobs/7000")
    recorder.refuse(api, 412, "PUT", "/config", json=edit, headers={"If-Match": '"another"'})
    recorder.refuse(api, 413, "POST", "/jobs", content=b" " * 1_048_577, headers=json_type)
    recorder.refuse(api, 415, "POST", "/jobs", content="a", headers={"Content-Type": "text/plain"})
    recorder.refuse(api, 422, "POST", "/jobs", json={})
    recorder.refuse(api, 428, "PUT", "/config", json={"text": ""})


def record_login(start: Callable[..., Any], recorder: Recorder) -> None:
    guarded = start(token=TOKEN)
    recorder.refuse(guarded, 401, "GET", "/jobs")
    recorder.call(guarded, "POST /session", {"token": TOKEN})


def record_full_disk(api: Any, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: Any, **__: Any) -> None:
        raise DatabaseFull("the disk is full")

    monkeypatch.setattr(api.services.writer, "write", full)
    recorder.refuse(api, 507, "POST", "/queues/mail/pause")


def test_the_recorded_examples_have_the_shape_of_the_answers(
    api: Any, start: Callable[..., Any], recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_jobs(api, recorder)
    record_queues_and_schedules(api, recorder)
    record_supervision(api, recorder)
    record_configuration_and_refusals(api, recorder)
    record_login(start, recorder)
    record_full_disk(api, recorder, monkeypatch)
    found = {"calls": recorder.calls, "problems": recorder.problems}
    if os.environ.get("ORPHEUS_RECORD"):
        text = json.dumps(found, indent=1, ensure_ascii=False)
        FILE.write_text(text + "\n", encoding="utf-8")
    recorded = json.loads(FILE.read_text(encoding="utf-8"))
    assert shape(found) == shape(recorded), "ORPHEUS_RECORD=1 writes the examples anew"
