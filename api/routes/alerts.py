"""Alerts: list the rules."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from orpheus.api.contract.openapi import answers, problems
from orpheus.api.http.calls import json_response
from orpheus.api.services import services_of
from orpheus.shared.messages.alerts import Alerts, alerts_of

router = APIRouter(tags=["overview"])


@router.get("/alerts", responses=answers(Alerts) | problems())
async def list_alerts(request: Request) -> Response:
    """Every rule of the configuration, with when it fired last."""
    return json_response(await services_of(request).readers.read(alerts_of))
