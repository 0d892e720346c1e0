"""Errors as problem details."""

import importlib
import json
import pkgutil

import pytest

from orpheus.api.http.problems import Refusal, refusal_of, refused_fields
from orpheus.shared.errors import (
    AlreadyRunning,
    CannotBind,
    ConfigurationError,
    DatabaseBusy,
    DatabaseFull,
    DatabaseUnusable,
    FieldProblem,
    InvalidJob,
    ModulesNotDescribed,
    NoAnswer,
    NoSupervisor,
    NotFound,
    OrpheusError,
    ReadTookTooLong,
    TooLarge,
    TransitionRefused,
    Unauthorized,
    UnexpectedAnswer,
    WaitTimedOut,
)
from orpheus.shared.storage import BackupRefused, MoveRefused

PROGRAMS = ("orpheus.api", "orpheus.shared")
NO_CLIENTS = {
    AlreadyRunning,  # of starts
    CannotBind,
    ModulesNotDescribed,
    ConfigurationError,
    BackupRefused,  # of the command line
    MoveRefused,
    TooLarge,  # of clients
    Unauthorized,
    UnexpectedAnswer,
    WaitTimedOut,
}


@pytest.mark.parametrize(
    ("error", "status", "retry"),
    [
        (NotFound("there is no job 5"), 404, False),
        (TransitionRefused("job 5 is done"), 409, False),
        (InvalidJob("no"), 422, False),
        (DatabaseBusy("locked"), 503, True),
        (DatabaseUnusable("gone"), 503, True),
        (DatabaseFull("full"), 507, True),
        (ReadTookTooLong("slow"), 503, True),
        (NoSupervisor("none"), 503, True),
        (NoAnswer("none"), 503, True),
    ],
)
def test_each_error_has_its_status(error: Exception, status: int, retry: bool) -> None:
    response = refusal_of(error).response()

    assert response.status_code == status
    assert ("retry-after" in response.headers) is retry
    assert response.headers["content-type"] == "application/problem+json"
    body = json.loads(bytes(response.body))
    assert (body["status"], body["detail"]) == (status, str(error))
    assert body["title"] and body["type"] == "about:blank"
    assert "errors" not in body


def kinds(of: type[OrpheusError]) -> set[type[OrpheusError]]:
    return {*of.__subclasses__(), *(kind for sub in of.__subclasses__() for kind in kinds(sub))}


def test_every_error_that_can_reach_a_client_is_in_the_table() -> None:
    import_all_programs()
    ours = {kind for kind in kinds(OrpheusError) if kind.__module__.startswith(PROGRAMS)}
    assert ours >= NO_CLIENTS
    for kind in ours - NO_CLIENTS - {Refusal}:
        refusal = refusal_of(kind("why"))
        assert refusal.status != 500, kind
        assert refusal.detail == "why"


def import_all_programs() -> None:
    for program in PROGRAMS:
        package = importlib.import_module(program)
        for found in pkgutil.walk_packages(package.__path__, f"{program}."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)


def test_an_error_that_was_not_meant_tells_nothing_of_itself() -> None:
    for error in (ZeroDivisionError("secret"), ConfigurationError("secret")):
        refusal = refusal_of(error)
        assert refusal.status == 500 and "secret" not in refusal.detail


def test_fields_are_named_with_pointers() -> None:
    problems = [FieldProblem("/payload/n", "is required"), FieldProblem("/queue", "is no name")]
    body = json.loads(bytes(refused_fields(problems).response().body))

    assert body["detail"] == "/payload/n: is required (and 1 more)"
    assert body["errors"] == [
        {"pointer": "/payload/n", "detail": "is required"},
        {"pointer": "/queue", "detail": "is no name"},
    ]


def test_no_answer_grows_with_the_number_of_problems() -> None:
    assert len(Refusal(422, "no", [FieldProblem("/a", "b")] * 500).problems) == 100
