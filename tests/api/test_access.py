"""Every call, page and stream, by each role and by callers that may see only some jobs.

The calls are those of /openapi.json, so a new one without a rule fails here.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from orpheus.api.contract.access import Narrow, call_of
from orpheus.api.http.auth import Key
from orpheus.shared.domain.access import ProxyRules, Role, Scope
from orpheus.shared.domain.jobs import JobError, NewJob
from orpheus.shared.domain.lifecycle import Ending, Finished
from orpheus.shared.domain.processes import Role as ProcessRole
from orpheus.shared.domain.processes import SlotState
from orpheus.shared.domain.schedules import ScheduleDefinition
from tests.api.conftest import ADD, STRICT, Running, applications, options_of
from tests.audit_log import entries_of

pytestmark = pytest.mark.xdist_group("access")  # one application for all

TOKENS = {role: f"{role}-".ljust(40, "x") for role in Role}
BY_QUEUE, BY_TYPE, BY_BOTH = (f"narrow-{n}-".ljust(40, "x") for n in range(3))
SCOPES = {
    BY_QUEUE: Scope(("mail*",)),
    BY_TYPE: Scope(types=("add",)),
    BY_BOTH: Scope(("mail",), ("add",)),
}
KEYS = [
    *(Key((text,), role, name=f"the-{role}") for role, text in TOKENS.items()),
    *(Key((text,), Role.ADMIN, scope, text[:8]) for text, scope in SCOPES.items()),
]
ENDING = "ending-".ljust(40, "x")
KEYS.append(Key((ENDING,), Role.ADMIN, Scope(types=("*tt",)), "ending"))
SEEN, UNSEEN = 1, 2
"""The id of a job that every narrow scope includes, and of one that none does."""
SECRETS = ("vault", "strict", "Zecret")
"""The queue, the type and the texts of what no narrow scope includes."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The application with tokens, and jobs, a schedule and a slot inside and outside of scopes."""
    with applications(options_of(tmp_path_factory.mktemp("access"))) as start:
        api = start(token=KEYS, supervised=True)
        fill(api)
        yield api


def fill(api: Running) -> None:
    store = api.store
    store.types.replace([ADD, STRICT])
    jobs = [NewJob("add", queue="mail"), NewJob("strict", '{"n": 1, "s": "Zecret"}', "vault")]
    linked = NewJob("strict", queue="vault", depends_on=(SEEN,), tags=("Zecret",))
    store.jobs.submit_many(jobs)
    store.jobs.submit(linked)
    for lease in api.lease(2):
        error = JobError("ZecretError" if lease.job_id == UNSEEN else "Error", "Zecret", None)
        if lease.job_id == SEEN:
            error = JobError("SeenError", "it broke", None)
        store.leases.finish([Finished(lease, Ending.FAILED_PERMANENTLY, error=error)])
    store.queues.pause("vault")
    store.audit.record("retry", "queue vault", by="cli:ada", reason="Zecret")
    for name, type, queue in (("seen", "add", "mail"), ("Zecret", "strict", "vault")):
        store.schedules.put(ScheduleDefinition(name, type, every_s=3600, queue=queue))
    api.process("supervisor", ProcessRole.SUPERVISOR)
    store.processes.put_slots([api.slot("default-1", SlotState.READY)])


def headers(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def operations(api: Running) -> list[tuple[str, str]]:
    document = api.client.get("/openapi.json", headers=headers(TOKENS[Role.VIEWER])).json()
    return [
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    ]


def address_of(path: str, job: int, name: str = "nix") -> str:
    return path.format(job_id=job, name=name, slot="nix", code="nix")


def answer_to(api: Running, token: str, method: str, path: str, **options: Any) -> Any:
    if path == "/events":  # it has no end
        with api.client.stream(method, path, headers=headers(token), **options) as answer:
            return answer
    return api.client.request(method, path, headers=headers(token), **options)


@pytest.mark.parametrize("role", Role)
def test_a_role_may_make_exactly_the_calls_of_the_table(api: Running, role: Role) -> None:
    allowed = set()
    for method, path in operations(api):
        if path == "/session" and method == "DELETE":
            continue
        # A body that no call takes: it is refused only after the role was checked.
        body = {} if method == "GET" else {"json": {"nonsense": 1}}
        answer = answer_to(api, TOKENS[role], method, address_of(path, 99), **body)
        assert answer.status_code != 401 or path == "/session", f"{method} {path}"
        least = call_of(method, path).least
        is_refused = answer.status_code == 403 and "this needs a" in answer.json()["detail"]
        assert is_refused == (least is not None and not role.may(least)), f"{method} {path}"
        if not is_refused:
            allowed.add(f"{method} {path}")
    assert ("PUT /config" in allowed) == (role is Role.ADMIN)
    assert ("POST /jobs/{job_id}/retry" in allowed) == (role in (Role.OPERATOR, Role.ADMIN))
    assert ("POST /jobs" in allowed) == (role is not Role.VIEWER)
    assert {"GET /jobs", "GET /events"} <= allowed


@pytest.mark.parametrize(
    "path", ["/", "/ui/jobs", f"/ui/jobs/{SEEN}", "/ui/configuration", "/docs"]
)
def test_pages_hold_no_data_and_need_a_login(api: Running, path: str) -> None:
    assert api.client.get(path).status_code == 401
    for token in (TOKENS[Role.VIEWER], BY_BOTH):
        answer = api.client.get(path, headers=headers(token), follow_redirects=True)
        assert answer.status_code == 200


@pytest.mark.parametrize("token", SCOPES, ids=lambda token: token[:8])
def test_nothing_outside_of_a_scope_is_shown_by_any_call(api: Running, token: str) -> None:
    scope = SCOPES[token]
    shown = set()
    for method, path in operations(api):
        call = call_of(method, path)
        if method != "GET" or path in ("/session", "/openapi.json", "/events"):
            continue
        answer = answer_to(api, token, method, address_of(path, UNSEEN, "Zecret"))
        about = f"{method} {path}: {answer.status_code} {answer.text}"
        if (
            call.narrow is Narrow.REFUSED
            or (call.narrow is Narrow.QUEUES and not scope.has_every_type)
            or (call.narrow is Narrow.TYPES and not scope.has_every_queue)
        ):
            assert answer.status_code == 403 or call.least is None, about
        elif call.narrow is Narrow.JOB:
            assert answer.status_code == 404, about
            seen = answer_to(api, token, method, address_of(path, SEEN))
            assert seen.status_code == 200, about
            answer = seen
        if answer.status_code == 200:
            shown.add(path)
        if token != BY_QUEUE or path != "/types":  # a type has no queue
            assert not [word for word in SECRETS if word in answer.text], about
    assert {"/jobs", "/errors", "/types", "/schedules", "/jobs/{job_id}/graph"} <= shown
    assert ("/queues" in shown) == (token == BY_QUEUE)
    assert ("/stats/types" in shown) == (token == BY_TYPE)


@pytest.mark.parametrize("token", SCOPES, ids=lambda token: token[:8])
@pytest.mark.parametrize(
    "query",
    ["", "?status=failed", "?q=Zecret", "?q=broke", "?sort=ended", "?queue=vault", "?type=strict",
     "?by_status=true", "?error=ZecretError", "?tag=Zecret", "?payload=s=Zecret"],
)  # fmt: skip
def test_no_search_finds_or_counts_what_is_outside(api: Running, token: str, query: str) -> None:
    page = api.client.get(f"/jobs{query}", headers=headers(token)).json()
    assert all(SCOPES[token].sees(job["queue"], job["type"]) for job in page["items"])
    assert page["total"] == {"value": len(page["items"]), "relation": "eq"}
    by_status = page["by_status"] or {}
    assert sum(total["value"] for total in by_status.values()) in (0, page["total"]["value"])


@pytest.mark.parametrize("token", SCOPES, ids=lambda token: token[:8])
def test_no_action_reaches_a_job_outside(api: Running, token: str) -> None:
    before = api.store.jobs.get(UNSEEN), api.store.schedules.get("Zecret")

    def send(method: str, path: str, **body: Any) -> int:
        status: int = api.client.request(
            method, path, headers=headers(token), json=body
        ).status_code
        return status

    for action in ("cancel", "retry", "run"):
        assert send("POST", f"/jobs/{UNSEEN}/{action}") == 404
        assert send("POST", f"/schedules/Zecret/{'pause' if action == 'cancel' else 'run'}") == 404
    assert send("DELETE", f"/jobs/{UNSEEN}") == 404
    assert send("DELETE", "/schedules/Zecret") == 404
    assert send("PUT", "/schedules/Zecret", type="add", every=60, queue="mail") == 404
    assert send("POST", "/queues/vault/pause") in (403, 404)
    bulk = {"action": "retry", "filter": {"ids": [UNSEEN]}, "dry_run": True}
    counted = api.client.post("/jobs/bulk", headers=headers(token), json=bulk)
    assert counted.json() == {"changed": 0}
    assert (api.store.jobs.get(UNSEEN), api.store.schedules.get("Zecret")) == before


def test_a_submission_stays_inside_of_the_scope(api: Running) -> None:
    def submit(token: str = BY_BOTH, **fields: Any) -> Any:
        job = {"type": "add", "queue": "mail", "tags": ["new"], **fields}
        alone = api.client.post("/jobs", headers=headers(token), json=job)
        batch = api.client.post("/jobs/batch", headers=headers(token), json={"jobs": [job]})
        assert alone.status_code == batch.status_code
        return alone

    assert submit().status_code == 201
    refused = submit(type="strict", payload={"n": 1})
    assert refused.status_code == 422 and "no job type is called" in refused.text
    assert submit(queue="attic").status_code == 403
    assert submit(BY_TYPE, queue="attic").status_code == 201
    unknown = submit(depends_on=[UNSEEN])
    assert unknown.status_code == 422 and f"there is no job {UNSEEN}" in unknown.text
    assert submit(depends_on=[SEEN]).status_code == 201
    for name, status in (("mine", 201), ("other", 403)):
        queue = "mail" if name == "mine" else "attic"
        put = {"type": "add", "every": 3600, "queue": queue}
        answer = api.client.put(f"/schedules/{name}", headers=headers(BY_BOTH), json=put)
        assert answer.status_code == status
    api.store.schedules.remove("mine")


@pytest.mark.parametrize("holder", [("add", "attic"), ("hoard", "mail")])
def test_a_unique_key_of_a_job_outside_is_taken_and_its_job_untouched(
    api: Running, holder: tuple[str, str]
) -> None:
    type, queue = holder
    key = f"key of {type}"
    held = NewJob(type, '{"n": 1}', queue=queue, unique_key=key, delay_ms=9_000_000)
    job = api.store.jobs.submit(held).job
    for duplicate in ("keep", "replace"):
        new = {"type": "add", "queue": "mail", "unique_key": key, "on_duplicate": duplicate}
        alone = api.client.post("/jobs", headers=headers(BY_BOTH), json=new)
        batch = api.client.post("/jobs/batch", headers=headers(BY_BOTH), json={"jobs": [new]})
        for answer in (alone, batch):
            assert answer.status_code == 409
            assert (
                str(job.id) not in answer.json()["detail"] and type not in answer.json()["detail"]
            )
    assert api.store.jobs.get(job.id) == job


def test_nobody_gets_the_answer_to_another_one(api: Running) -> None:
    def submit(token: str) -> Any:
        given = {**headers(token), "Idempotency-Key": "the-same"}
        return api.client.post("/jobs", headers=given, json={"type": "add", "queue": "mail"})

    first, again = submit(TOKENS[Role.SUBMITTER]), submit(TOKENS[Role.SUBMITTER])
    assert (again.headers["Idempotent-Replayed"], again.json()) == ("true", first.json())
    other = submit(TOKENS[Role.ADMIN])
    assert other.status_code == 201 and other.json()["id"] != first.json()["id"]


def test_nothing_that_is_said_of_a_job_names_one_outside(api: Running) -> None:
    def get(path: str) -> Any:
        return api.client.get(path, headers=headers(BY_BOTH)).json()

    store = api.store
    hidden = store.jobs.submit(NewJob("hoard", queue="attic", unique_key="taken")).job.id
    waiting = store.jobs.submit(NewJob("add", queue="mail", depends_on=(hidden,))).job.id
    (reason,) = get(f"/jobs/{waiting}/why")["reasons"]
    assert reason["text"] == "dependency, by a job that you may not see"
    assert "hoard" not in str(reason) and reason["by"] is None
    held = store.jobs.submit(NewJob("add", queue="mail", unique_key="free")).job.id
    store.jobs.cancel(held)
    store.jobs.submit(NewJob("add", queue="attic", unique_key="free"))
    path = f"/jobs/{held}/retry"
    retried = api.client.post(path, headers=headers(BY_BOTH))
    assert retried.status_code == 409
    assert retried.json()["detail"] == "Another job holds this unique_key."
    for query in ("type=hoard", "queue=attic", "type=add&queue=attic"):
        page = get(f"/jobs?{query}")
        assert (page["items"], page["next_cursor"], page["searched"]) == ([], None, None)
        assert page["total"] == {"value": 0, "relation": "eq"}
    put = {"type": "strictt", "every": 3600, "queue": "mail"}
    for given, is_suggested in ((ENDING, False), (TOKENS[Role.ADMIN], True)):
        unknown = api.client.put("/schedules/new", headers=headers(given), json=put)
        assert unknown.status_code == 422 and ("did you mean" in unknown.text) == is_suggested


def test_how_far_a_search_has_looked_is_not_told_as_others_are_in_it(
    api: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orpheus.shared.storage.verbs.windows._FIRST_WINDOW", 1)
    monkeypatch.setattr("orpheus.api.routes.listing.PAGE_S", 0.0)
    for token, is_told in ((TOKENS[Role.ADMIN], True), (BY_BOTH, False)):
        page = api.client.get("/jobs?q=nothing", headers=headers(token)).json()
        assert page["next_cursor"] and (page["searched"] is not None) == is_told
    for _ in range(9):
        api.store.jobs.submit(NewJob("strict", queue="vault"))
    page = api.client.get("/jobs?type=strict", headers=headers(BY_BOTH)).json()
    assert (page["items"], page["next_cursor"]) == ([], None)  # it would say that there are some


def test_an_answer_is_not_repeated_to_a_token_that_sees_less_now(
    start: Callable[..., Running],
) -> None:
    def submit(types: tuple[str, ...]) -> int:
        api = start(token=[Key((BY_TYPE,), Role.SUBMITTER, Scope(types=types), "ci")])
        given = {**headers(BY_TYPE), "Idempotency-Key": "k"}
        return int(api.client.post("/jobs", headers=given, json={"type": "add"}).status_code)

    assert [submit(("add",)), submit(("add",)), submit(("other",))] == [201, 201, 422]


def test_a_submitter_cannot_end_a_pause_by_putting_the_schedule_anew(api: Running) -> None:
    put = {"type": "add", "every": 3600, "queue": "mail"}
    given = headers(TOKENS[Role.SUBMITTER])
    assert api.client.put("/schedules/held", headers=given, json=put).status_code == 201
    api.store.schedules.pause("held")
    refused = api.client.delete("/schedules/held", headers=given)
    assert refused.status_code == 403 and "only an operator may delete it" in refused.text
    assert api.client.put("/schedules/held", headers=given, json=put).json()["paused"]
    operator = headers(TOKENS[Role.OPERATOR])
    assert api.client.delete("/schedules/held", headers=operator).status_code == 204


@pytest.mark.parametrize("token", SCOPES, ids=lambda token: token[:8])
def test_a_stream_tells_only_of_what_is_in_the_scope(api: Running, token: str) -> None:
    with api.watch(additional_headers=headers(token)) as watcher:
        hello = watcher.next("hello")
        api.store.jobs.submit(NewJob("strict", '{"n": 1}', "vault", tags=("Zecret",)))
        api.store.queues.resume("vault")
        api.store.queues.pause("vault")
        inside = api.store.jobs.submit(NewJob("add", queue="mail")).job
        (event,) = watcher.events(1)
        beat = watcher.next("heartbeat")
    seen = api.client.get("/jobs?limit=500", headers=headers(token)).json()["items"]
    assert (event["kind"], event["job"]["id"]) == ("job.enqueued", inside.id)
    assert hello["workers"] == beat["workers"] == []
    assert sum(beat["counts"].values()) == len(seen) < sum(api.store.stats.counts().values())
    told = json.dumps([hello, event, beat])
    assert not [word for word in SECRETS if word in told and token != BY_QUEUE]
    with api.watch("?after=0", additional_headers=headers(token)) as watcher:
        resumed = watcher.events(2)
    jobs = [event["job"] for event in resumed]
    assert all(SCOPES[token].sees(job["queue"], job["type"]) for job in jobs)
    with (
        pytest.raises(InvalidStatus),
        api.watch(f"?job={UNSEEN}", additional_headers=headers(token)),
    ):
        pass
    with api.client.stream("GET", "/events?after=0", headers=headers(token)) as stream:
        lines = []
        for line in stream.iter_lines():
            lines.append(line)
            if f'"id":{inside.id},' in line:
                break
    assert "strict" not in "".join(lines) or token == BY_QUEUE
    assert "vault" not in "".join(lines) or token == BY_TYPE


def test_the_audit_log_names_the_token_and_the_login(start: Callable[..., Running]) -> None:
    proxy = ProxyRules("X-Email", "X-Roles", ("127.0.0.1",))
    api = start(token=KEYS, proxy=proxy)
    logged_in = {"X-Email": "ada@example.org", "X-Roles": "operator"}
    for given in (headers(TOKENS[Role.OPERATOR]), logged_in):
        assert api.client.post("/queues/mail/pause", headers=given, json={"reason": "r"}).is_success
        assert api.client.post("/queues/mail/resume", headers=given).is_success
    by = [entry.by for entry in entries_of(api.store, 9)]
    assert by[0] == "api:<ada@example.org>@127.0.0.1"
    assert by[-1] == "api:the-operator@127.0.0.1"
    scale = api.client.post("/pools/default/scale", headers=logged_in, json={"workers": 1})
    assert scale.status_code == 403
    assert "ada@example.org is an operator: this needs an admin" in scale.json()["detail"]
    session = api.client.get("/session", headers=logged_in).json()
    assert (session["name"], session["role"]) == ("ada@example.org", "operator")
    assert api.client.get("/jobs").status_code == 401


def test_a_session_has_the_role_of_its_token(api: Running) -> None:
    opened = api.client.post("/session", json={"token": TOKENS[Role.VIEWER]})
    api.client.cookies.clear()
    cookie = {"Cookie": opened.headers["Set-Cookie"].partition(";")[0]}
    session = api.client.get("/session", headers=cookie).json()
    assert (session["name"], session["role"]) == ("the-viewer", "viewer")
    assert api.client.get("/jobs", headers=cookie).status_code == 200
    assert api.client.post("/jobs", headers=cookie, json={"type": "add"}).status_code == 403
