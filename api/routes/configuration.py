"""GET and PUT /config: the configuration in force, and a checked replacement of its file.

Only the file is changed. The supervisor takes a changed file as if an editor had saved it, so
editing here and editing on the machine have the same effect.

The new file is written first, then the row in the audit log is committed, then the file is put in
its place. So nothing slow happens while the write lock is held, and a failed commit leaves the file
as it was. Whenever the process dies, no change lacks its row. If the file has changed at the last
moment, a second row says that it was not replaced.
"""

import asyncio
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from msgspec.structs import replace
from starlette.responses import Response

from orpheus.api.contract.openapi import answers, body, header, header_parameter, problems
from orpheus.api.contract.queries import ConfigurationQuery
from orpheus.api.contract.requests import EditConfiguration
from orpheus.api.http.calls import audit_actor, json_response, read_body
from orpheus.api.http.problems import Refusal, and_more
from orpheus.api.services import Services, services_of
from orpheus.shared.errors import NO_SPACE, FieldProblem
from orpheus.shared.messages.configuration import (
    Configuration,
    ConfigurationChange,
    ConfigurationVersions,
    SettingProblem,
)
from orpheus.shared.operations.configuration import (
    ConfigurationEditor,
    Edit,
    EditOutcome,
    NotEditable,
    PlannedEdit,
    RefusedEntries,
    version_of,
)
from orpheus.shared.operations.reclaim import is_supervised
from orpheus.shared.operations.replace_configuration import replace_configuration
from orpheus.shared.operations.stored_settings import refused_entries
from orpheus.shared.storage import Actor, Store

router = APIRouter(tags=["configuration"])

_ETAG = header("ETag", "Names the state of the file: send it back as If-Match.", '"5f2c…"')
_IF_MATCH = header_parameter(
    "If-Match",
    "The ETag of GET /config: nothing is written if the file has another one by now (412). A whole "
    "text needs it (428); `*` replaces whatever is there.",
    {"type": "string"},
)


@router.get("/config", responses=answers(Configuration, headers=_ETAG) | problems(409))
async def get_configuration(request: Request) -> Response:
    """Every setting with what set it, and the file's text; secrets are masked."""
    services = services_of(request)
    shown = await asyncio.to_thread(services.configuration().show)
    rejected = await services.readers.read(_rejection)
    headers = {"Cache-Control": "no-store"}
    if shown.etag is not None:
        headers["ETag"] = f'"{shown.etag}"'
    return json_response(replace(shown, rejected=rejected), headers=headers)


@router.get("/config/versions", responses=answers(ConfigurationVersions) | problems(409))
async def list_versions(request: Request) -> Response:
    """The texts that the file has held, each with who put it there and why; secrets are masked."""
    services = services_of(request)
    async with services.masking:
        found = await asyncio.to_thread(_versions, services.configuration())
    return json_response(found, headers={"Cache-Control": "no-store"})


@router.put(
    "/config",
    responses={
        **answers(ConfigurationChange, headers=_ETAG),
        **problems(403, 404, 409, 412, 413, 415, 422, 428, 507),
    },
    openapi_extra=body(EditConfiguration) | _IF_MATCH,
)
async def put_configuration(
    request: Request, query: Annotated[ConfigurationQuery, Query()]
) -> Response:
    """Check a new text or an earlier one, and put it into the file.

    The old file stays beside it, with `.bak` after its name. Job modules, commands, the database
    and the token's file can only be changed on the machine (403); what is in force may come back.
    """
    services, new = services_of(request), read_body(request, EditConfiguration)
    expected = _if_match(request.headers.getlist("if-match"))
    if expected is None and not query.check:
        raise Refusal(
            428,
            "A whole text replaces what others may have changed: send the ETag of GET /config as "
            "If-Match, or If-Match: * to replace whatever is there.",
        )
    states = None if expected is None or "*" in expected else expected
    edit, editor = Edit(new.text, new.version), services.configuration()
    types = await services.types.with_names(())
    # Without types, no worker has described them yet: the start will check the jobs.
    refused: RefusedEntries = partial(refused_entries, types) if types else lambda _: {}
    planned = await asyncio.to_thread(editor.plan, edit, states, refused)
    outcome, etag, written = planned.outcome, planned.etag, False
    if not query.check:
        _refuse(outcome, "/text" if new.version is None else "/version")
        write = partial(_replace, editor, planned, audit_actor(request, new), new.version)
        etag, written = await asyncio.to_thread(services.with_own_store, write), True
    takes_effect = await services.readers.read(lambda s: _takes_effect(services, s, outcome))
    change = ConfigurationChange(
        written=written,
        etag=etag,
        problems=outcome.problems,
        refused=outcome.refused,
        text=outcome.text,
        changed=outcome.changed,
        restarts=outcome.restarts,
        starts=outcome.starts,
        stops=outcome.stops,
        takes_effect=takes_effect,
    )
    return json_response(change, headers={"ETag": f'"{etag}"'})


def _versions(editor: ConfigurationEditor) -> ConfigurationVersions:
    return ConfigurationVersions([version_of(shown) for shown in editor.versions()])


def _rejection(store: Store) -> str | None:
    """Return why the supervisor keeps an earlier configuration; None if it does not."""
    return next((slot.rejected for slot in store.processes.slots() if slot.rejected), None)


def _if_match(headers: list[str]) -> list[str] | None:
    """Return the states in If-Match; None without the header. A weak one matches nothing."""
    if not headers:
        return None
    tags = [tag.strip() for value in headers for tag in value.split(",")]
    return [tag if tag == "*" else tag[1:-1] if tag.startswith('"') else "" for tag in tags]


def _refuse(outcome: EditOutcome, pointer: str) -> None:
    """Raise Refusal unless the edit may be written: 403 if it names code, else 422.

    `pointer`: the field of the body that gives the text.
    """
    if not outcome.problems:
        return
    problems = [_field_problem(problem, pointer) for problem in outcome.problems]
    status = 403 if outcome.refused else 422
    detail = f"{problems[0].detail}{and_more(problems)}. Nothing was written."
    raise Refusal(status, detail, problems)


def _field_problem(problem: SettingProblem, pointer: str) -> FieldProblem:
    line = "" if problem.line is None else f"line {problem.line}"
    detail = ": ".join(part for part in (line, problem.key, problem.detail) if part)
    return FieldProblem(pointer, detail)


def _replace(
    editor: ConfigurationEditor,
    planned: PlannedEdit,
    actor: Actor,
    version: int | None,
    store: Store,
) -> str:
    """Replace the file, with its row in the audit log; return the new etag."""
    try:
        return replace_configuration(editor, planned, actor, version, store)
    except OSError as error:
        if error.errno in NO_SPACE:
            raise Refusal(507, "The disk that holds the configuration is full.") from None
        reason = f"The configuration file cannot be replaced: {error.strerror}"
        raise NotEditable(reason) from None


def _takes_effect(services: Services, store: Store, outcome: EditOutcome) -> str:
    """Return when the new file is in force."""
    options = services.options
    if not options.supervised and not is_supervised(store, options.beat_timeout_s):
        return "at the next start: no supervisor is running"
    if outcome.watched:
        return "within 2 seconds: the supervisor watches the file"
    return "when the supervisor gets SIGHUP: supervisor.watch_config is false"
