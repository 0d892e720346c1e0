"""GET /metrics, for Prometheus."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from orpheus.api.contract.openapi import problems
from orpheus.api.services import services_of
from orpheus.shared.storage import Store

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
    options = services.options
    own = services.measures.copy(resets=services.broadcaster.resets)

    def read(store: Store) -> Response:
        # At the first scrape: 30 ms and 1.4 MB that no start need pay; many are never scraped.
        from orpheus.api.routes.exposition import CONTENT_TYPE, exposition  # noqa: PLC0415

        return Response(exposition(store, options, own), headers={"Content-Type": CONTENT_TYPE})

    return await services.readers.read(read)
