"""GET and PUT /config: the configuration as it is in force, and a checked replacement of its file.

The supervisor takes a changed file as if an editor had saved it, so what a person can do on the
machine and what is done here end in the same place: nothing but the file is changed.
"""

import asyncio
import errno
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from orpheus.api.contract import schemas
from orpheus.api.contract.openapi import body, header, problems
from orpheus.api.http.calls import actor_for, answer, checked
from orpheus.api.http.guard import json_of
from orpheus.api.http.problems import Refusal, pointer
from orpheus.api.services import Services, services_of
from orpheus.shared.errors import FieldProblem
from orpheus.shared.operations.configuration import (
    ConfigurationEditor,
    Edit,
    NotEditable,
    Outcome,
    PlannedEdit,
    SettingProblem,
)
from orpheus.shared.operations.stored_settings import is_supervised
from orpheus.shared.storage import Store

router = APIRouter(tags=["configuration"])

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_ETAG = header("ETag", "Names the state of the file: send it back as If-Match.", '"5f2c…"')
_IF_MATCH = {
    "parameters": [
        {
            "name": "If-Match",
            "in": "header",
            "required": False,
            "description": "The ETag of GET /config: nothing is written if the file is another by "
            "now (412). A whole text needs it (428); `*` replaces whatever is there.",
            "schema": {"type": "string"},
        }
    ]
}


@router.get(
    "/config",
    response_model=schemas.Configuration,
    responses={200: _ETAG, **problems(409)},
)
async def get_configuration(request: Request) -> Response:
    """Every setting with what set it, and the file's text; secrets are masked."""
    services = services_of(request)
    shown = await asyncio.to_thread(_editor(services).show)
    rejected = await services.readers.read(_rejection)
    headers = {"Cache-Control": "no-store"}
    if shown.etag is not None:
        headers["ETag"] = f'"{shown.etag}"'
    return answer({**asdict(shown), "rejected": rejected}, headers=headers)


@router.put(
    "/config",
    response_model=schemas.ConfigurationChange,
    responses={200: _ETAG, **problems(403, 409, 412, 413, 415, 422, 428, 507)},
    openapi_extra=body(schemas.EditConfiguration) | _IF_MATCH,
)
async def put_configuration(
    request: Request, query: Annotated[schemas.ConfigurationQuery, Query()]
) -> Response:
    """Check a new text, or new values of single settings, and replace the file by it.

    The old file stays beside it, with `.bak` after its name. Job modules, commands, the database
    and the token's file can only be changed on the machine (403).
    """
    services = services_of(request)
    asked = checked(schemas.EditConfiguration, json_of(request.scope))
    seen = _seen(request.headers.getlist("if-match"))
    if seen is None and asked.text is not None and not query.check:
        raise Refusal(
            428,
            "A whole text replaces what others may have changed: send the ETag of GET /config as "
            "If-Match, or If-Match: * to replace whatever is there.",
        )
    states = None if seen is None or "*" in seen else seen
    edit, editor = Edit(asked.text, asked.set or {}), _editor(services)
    planned = await asyncio.to_thread(editor.plan, edit, states)
    outcome, etag, written = planned.outcome, planned.etag, False
    if not query.check:
        _refuse(outcome, is_text=asked.text is not None)
        actor = actor_for(request, asked.reason)

        def change(store: Store) -> str:
            with store.write(durable=True):
                store.audit.record(
                    "configure",
                    "configuration",
                    by=actor.name,
                    reason=actor.reason,
                    count=len(outcome.changed or ()),
                )
                return _applied(editor, planned)

        # In a transaction of its own: a slow disk below the file must hold no other's commit.
        etag, written = await asyncio.to_thread(services.apart, change), True
    takes_effect = await services.readers.read(lambda s: _takes_effect(services, s, outcome))
    told = {key: value for key, value in asdict(outcome).items() if key != "watched"}
    told |= {"written": written, "takes_effect": takes_effect, "etag": etag}
    return answer(told, headers={"ETag": f'"{etag}"'})


def _editor(services: Services) -> ConfigurationEditor:
    """Where the file is edited. Made at the first call: what reads settings is large."""
    opened = services.configuration
    if opened is None:
        raise NotEditable("This API was not told which configuration it runs on")
    return opened()


def _rejection(store: Store) -> str | None:
    """Return why the supervisor goes on with an earlier configuration, if it does."""
    return next((slot.rejected for slot in store.processes.slots() if slot.rejected), None)


def _seen(headers: list[str]) -> list[str] | None:
    """The states that If-Match names; None without one. A weak one matches nothing."""
    if not headers:
        return None
    tags = [tag.strip() for value in headers for tag in value.split(",")]
    return [tag if tag == "*" else tag[1:-1] if tag.startswith('"') else "" for tag in tags]


def _refuse(outcome: Outcome, *, is_text: bool) -> None:
    """Raises Refusal unless the edit may be written: 403 for what names code, else 422."""
    if not outcome.problems:
        return
    told = [_field_problem(problem, is_text=is_text) for problem in outcome.problems]
    more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
    status = 403 if outcome.refused else 422
    raise Refusal(status, f"{told[0].detail}{more}. Nothing was written.", told)


def _field_problem(problem: SettingProblem, *, is_text: bool) -> FieldProblem:
    where = "/text" if is_text else pointer(["set", problem.key])
    line = None if problem.line is None or not is_text else f"line {problem.line}"
    place = line or (problem.place if not is_text else None)
    said = ": ".join(part for part in (place, problem.key, problem.detail) if part)
    return FieldProblem(where, said)


def _applied(editor: ConfigurationEditor, planned: PlannedEdit) -> str:
    try:
        return editor.apply(planned)
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise Refusal(507, "The disk that holds the configuration is full.") from None
        reason = f"The configuration file cannot be replaced: {error.strerror}"
        raise NotEditable(reason) from None


def _takes_effect(services: Services, store: Store, outcome: Outcome) -> str:
    """When what was written is in force."""
    options = services.options
    if not options.supervised and not is_supervised(store, options.beat_timeout_s):
        return "at the next start: no supervisor is running"
    if outcome.watched:
        return "within 2 seconds: the supervisor watches the file"
    return "when the supervisor gets SIGHUP: supervisor.watch_config is false"
