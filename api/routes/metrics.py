"""GET /metrics, for Prometheus."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from orpheus.api.contract.openapi import problems
from orpheus.api.routes.exposition import CONTENT_TYPE, exposition
from orpheus.api.services import services_of

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "description": "Figures in Prometheus' text format.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **problems(),
    },
)
async def get_metrics(request: Request) -> Response:
    """Workers, their exits and restarts, jobs, the database, answers and listeners, as of now."""
    services = services_of(request)
    resets = services.broadcaster.resets
    text = await services.readers.read(
        lambda store: exposition(store, services.options, services.measures, resets)
    )
    return Response(text, headers={"Content-Type": CONTENT_TYPE})
