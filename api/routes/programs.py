"""Programs: what they print. Their slots are in GET /workers, and restarted and drained there."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from orpheus.api.contract.openapi import answers, problems
from orpheus.api.contract.queries import ProgramLogsQuery
from orpheus.api.http.calls import json_response
from orpheus.api.services import services_of
from orpheus.shared.messages.http import ProgramLines
from orpheus.shared.operations.supervisor_requests import output_folder
from orpheus.shared.process.program_logs import read_lines

router = APIRouter(tags=["supervision"])


@router.get("/programs/{slot}/logs", responses=answers(ProgramLines) | problems(404, 409, 422))
async def get_program_logs(
    request: Request,
    slot: Annotated[str, Path(description="The slot of a program, as in GET /workers: `web-1`.")],
    query: Annotated[ProgramLogsQuery, Query()],
) -> Response:
    """The output of a program, oldest first: its newest part, or that before or after an id."""
    services = services_of(request)

    own_host = services.options.host_name
    folder = await services.readers.read(
        lambda store: output_folder(store, slot, query.host, own_host)
    )
    found = await asyncio.to_thread(read_lines, folder, query.after, query.before, query.limit)
    return json_response(ProgramLines(found))
