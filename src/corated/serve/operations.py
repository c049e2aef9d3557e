"""Whether it lives, whether it is ready and why not, and what it counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from corated.errors import CoratedError
from corated.serve.api.parts import Served
from corated.serve.service import Service
from corated.serve.strict import Answer

__all__ = ["router", "watch"]

router = APIRouter(tags=["operations"])


@router.get("/livez")
async def livez() -> Answer:
    """Tell that the process answers."""
    return Answer({"status": "live"})


@router.get("/readyz", responses={503: {"description": "Not ready; reasons says why."}})
async def readyz(service: Served) -> Answer:
    """Tell whether requests should come here, and why not."""
    reasons = []
    if service.stopping:
        reasons.append("the service is stopping")
    elif not service.warm:
        reasons.append("kernels are being compiled")
    if service.failed:
        reasons.append("warming failed; the log has why")
    notes = []
    if service.embedded.stale:
        notes.append("the store could not be reached when last looked at: answers may lack writes")
    # The index may be on its way, as after somebody was erased: others are answered meanwhile.
    index = await asyncio.to_thread(service.index_or_none)
    if index is None or not index.n_ratings:
        notes.append("there are no ratings yet")
    status = "not ready" if reasons else "ready"
    return Answer({"status": status, "reasons": reasons, "notes": notes}, 503 if reasons else 200)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(service: Served) -> Response:
    """Return what was counted, in Prometheus' text format."""
    return Response(await asyncio.to_thread(service.metrics.text), media_type=CONTENT_TYPE_LATEST)


def watch(service: Service) -> None:
    """Have the sizes of the index and the lag of its log read when metrics are."""

    def of_index(name: str) -> Callable[[], float]:
        def read() -> float:
            index = service.index_or_none()
            return 0.0 if index is None else float(getattr(index, name))

        return read

    for name, what in (("n_ratings", "ratings"), ("n_users", "users"), ("n_items", "items")):
        service.metrics.watch(f"index_{what}", f"{what.capitalize()} in the index.", of_index(name))
    service.metrics.watch("position", "Log position of answers.", lambda: float(service.embedded.position))
    service.metrics.watch(
        "log_lag", "Changes of the log that answers lack; -1 when not known.", _lag(service)
    )
    service.metrics.watch(
        "log_lag_seconds",
        "Time since answers were known to lack no change of the log; 0 where nobody else can write.",
        lambda: service.embedded.unseen_seconds,
    )
    service.metrics.watch(
        "stale", "1 while the store cannot be reached.", lambda: float(service.embedded.stale)
    )
    service.metrics.watch("ready", "1 while ready.", lambda: float(service.warm and not service.stopping))


def _lag(service: Service) -> Callable[[], float]:
    def read() -> float:
        try:
            position = service.embedded.position
            return float(max(0, service.embedded.store.position - position))
        except CoratedError:
            return -1.0

    return read
