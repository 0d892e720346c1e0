"""Every kind of frame and of event, once, as it is really sent, held against its model."""

import json
from typing import Any

from docs.draw_stream import kinds_of
from docs.stream_frames import EVENTS, Frame
from orpheus.shared.domain.events import Kind
from orpheus.shared.domain.jobs import Holder, JobError, NewJob, NewLine
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.processes import LastExit, Role, SlotState
from orpheus.shared.domain.schedules import ScheduleDefinition
from tests.api.shapes import checked

HOLDER = Holder(slot="default-1", incarnation="life-1", pid=101)
EXIT = LastExit(
    at_ms=1, reason="crash", signal=None, code=1, evidence=None, uptime_s=1.5, out_of_memory=None
)
HOST = {"host": "host-1"}
TOLD: dict[Kind, dict[str, Any]] = {
    Kind.WORKER_STARTED: {"pid": 7, "reason": ""},
    Kind.WORKER_READY: {"pid": 7, "reason": ""},
    Kind.WORKER_EXITED: {
        "reason": "killed", "cause": "crash", "signal": "SIGKILL", "uptime_s": 1.5,
        "out_of_memory": False, "evidence": "a stack",
    },
    Kind.WORKER_HUNG: {"pid": 7, "reason": "silent"},
    Kind.WORKER_FATAL: {"reason": "gave up"},
}  # fmt: skip
NOTED: dict[Kind, dict[str, Any]] = {
    **{
        kind: {**HOST, "slot": "default-1", "pool": "default", "incarnation": "life-1", **more}
        for kind, more in TOLD.items()
    },
    Kind.CONFIG_RELOADED: {
        **HOST,
        "source": "a.toml",
        "why": "saved",
        "changed": [],
        "restarts": ["api"],
    },
    Kind.CONFIG_REJECTED: {
        **HOST,
        "source": "a.toml",
        "why": "SIGHUP",
        "reason": "api.port: is no port",
    },
    Kind.TYPE_QUARANTINED: {
        "name": "add",
        "crashes": [{"job": 1, "attempt": 1, "worker": "default-1", "evidence": "SIGSEGV"}],
    },
    Kind.TYPE_RELEASED: {"name": "add", "by": "new job code"},
    Kind.SUPERVISOR_STARTED: {**HOST, "slot": "supervisor", "pid": 7},
    Kind.SUPERVISOR_STOPPING: {**HOST, "slot": "supervisor", "pid": 7, "reason": "SIGTERM"},
}


def model_of(frame: dict[str, Any]) -> Any:
    """The frame as its model, which must know every field, of its events too."""
    of_kind = {kind: model for model in EVENTS for kind in kinds_of(model)}
    for event in frame.get("events", ()):
        checked(of_kind[event["kind"]], json.dumps(event))
    return checked(Frame, json.dumps(frame))


def test_every_kind_of_event_carries_its_subject_and_nothing_else(api: Any) -> None:
    api.store.processes.put_slots([api.slot("default-1", SlotState.READY, exits=(EXIT,))])
    api.process("supervisor", role=Role.SUPERVISOR)
    types: set[str] = set()
    events: dict[str, dict[str, Any]] = {}
    with api.watch() as watcher:
        progressing = make_all_kinds(api)
        api.store.leases.progress(progressing.job_id, progressing.token, 0.5, "half way")
        while set(events) != set(Kind) or "heartbeat" not in types:
            frame = watcher.next()
            model_of(frame)
            types.add(frame["type"])
            events |= {event["kind"]: event for event in frame.get("events", ())}

    assert types == {"hello", "events", "heartbeat"}
    for kind, event in events.items():
        subject = kind.partition(".")[0]
        seq = set() if kind == Kind.JOB_PROGRESS else {"seq"}
        assert set(event) == {"at", "kind", subject} | seq, kind
    errors = [event["job"]["error"] for event in events.values() if "job" in event]
    assert {"type": "Bad", "message": "no"} in errors


def make_all_kinds(api: Any) -> Any:
    """Let happen all that can; a lease of a job that still runs."""
    store = api.store
    deleted = api.submit()
    api.run_one()
    first = api.submit()
    api.submit(depends_on=[first])
    api.run_one()
    for ending in (Ending.FAILED, Ending.FAILED_PERMANENTLY, Ending.SNOOZED, Ending.RELEASED):
        ended = api.submit(priority=5)
        (lease,) = api.lease()
        assert lease.job_id == ended
        error = JobError("Bad", "no", "its traceback")
        store.leases.finish([Finished(lease, ending, result=None, error=error, snooze_ms=60_000)])
    store.leases.lease(HOLDER, ("*",), 1, 0)
    store.leases.reclaim_expired()
    cancelled = api.submit(delay="1h")
    api.client.post(f"/jobs/{cancelled}/cancel")
    api.client.post(f"/jobs/{cancelled}/retry")
    asked = api.submit(priority=9)
    (lease,) = api.lease()
    assert lease.job_id == asked
    api.client.post(f"/jobs/{asked}/cancel")
    api.client.delete(f"/jobs/{deleted}")
    api.client.post("/queues/mail/pause")
    api.client.post("/queues/mail/resume")
    store.schedules.configure([ScheduleDefinition("report", "add", every_s=60)])
    store.schedules.run_now("report", lambda one: NewJob(one.type, payload="{}"))
    for kind, body in NOTED.items():
        store.events.record(kind, body)
    return lease


def test_a_reset_and_a_log_are_as_their_models_say(api: Any) -> None:
    job_id = api.submit()
    (lease,) = api.lease()
    api.store.logs.append(job_id, lease.token, 1, [NewLine(1, "info", "hi", '{"n":1}')])
    with api.watch(f"?job={job_id}&after=700") as watcher:
        frames = [watcher.next() for _ in range(4)]

    names = [type(model_of(frame)).__name__ for frame in frames]
    assert names == ["Hello", "Reset", "Hello", "Log"]


def test_the_models_tell_of_every_kind_once() -> None:
    kinds = [kind for model in EVENTS for kind in kinds_of(model)]
    assert sorted(kinds) == sorted(Kind)
