"""Every action of an operator is in the audit log."""

from typing import Any

from tests.audit_log import entries_of

NOT_IN_THE_TRAIL = {
    ("POST", "/jobs"),  # submitting is what everybody does: the jobs themselves tell
    ("POST", "/jobs/batch"),
    ("POST", "/signals"),
    ("POST", "/session"),  # changes nothing, and must work where nothing can be written
    ("DELETE", "/session"),
}


BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/jobs/bulk"): {"action": "cancel", "filter": {"type": "add"}},
    ("POST", "/pools/{name}/scale"): {"workers": 1},
    ("PUT", "/schedules/{name}"): {"type": "add", "every": 60},
}


def test_every_action_of_an_operator_is_in_the_trail(api: Any) -> None:
    """Whatever write the OpenAPI document names: a new one without a trail fails here."""
    paths = api.client.get("/openapi.json").json()["paths"]
    writes = {
        (method.upper(), path)
        for path, methods in paths.items()
        for method in methods
        if method != "get"
    }
    assert writes >= NOT_IN_THE_TRAIL
    for method, path in sorted(writes - NOT_IN_THE_TRAIL):
        url = prepared(api, method, path)
        if url is None:
            continue
        before = {row.id for row in entries_of(api.store, 100)}
        answer = api.client.request(
            method, url, json={**BODIES.get((method, path), {}), "reason": "because"}
        )
        assert answer.status_code in (200, 201, 202, 204), f"{method} {url}: {answer.text}"
        (row,) = [row for row in entries_of(api.store, 100) if row.id not in before]
        assert (row.by, row.reason) == ("api:127.0.0.1", "because"), f"{method} {url}"


def prepared(api: Any, method: str, path: str) -> str | None:
    """The path of something that `method` is possible on now; None if it is tested elsewhere."""
    from orpheus.shared.domain.processes import Role, SlotState
    from orpheus.shared.domain.schedules import ScheduleDefinition

    if path.startswith("/config"):
        return None  # needs a file: tests/api/test_configuration.py
    if path.startswith("/concerns"):
        return None  # needs a problem: tests/api/test_verdict.py
    if path.startswith("/types"):
        return None  # needs deaths of workers: tests/api/test_quarantine.py
    if path.startswith(("/workers", "/pools")):
        api.process("supervisor", Role.SUPERVISOR)
        api.store.processes.put_slots([api.slot("default-1", SlotState.READY)])
    schedule = ScheduleDefinition("name", "add", every_s=60)
    if method in ("PUT", "DELETE"):
        api.store.schedules.configure([])
        if method == "DELETE":
            api.store.schedules.put(schedule)
    else:
        api.store.schedules.configure([schedule])
    job_id = api.submit()
    if path.endswith("/retry") or method == "DELETE":
        api.store.jobs.cancel(job_id)
    return (
        path.replace("{job_id}", str(job_id))
        .replace("{slot}", "default-1")
        .replace("{name}", "default" if path.startswith("/pools") else "name")
    )


def test_the_trail_is_read_in_pages_or_of_one_job(api: Any) -> None:
    for n in (1, 2, 1):
        api.store.audit.record("cancel", f"job {n}", by="cli:ada")
    first = api.client.get("/audit?limit=2").json()
    cursor = first["next_cursor"]
    second = api.client.get("/audit", params={"limit": 2, "cursor": cursor}).json()
    found = [entry["target"] for entry in (*first["items"], *second["items"])]
    assert found == ["job 1", "job 2", "job 1"]
    assert second["next_cursor"] is None
    assert len(api.client.get("/audit?job=1").json()["items"]) == 2
