"""What is served, and everything there is as a file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from fastapi import APIRouter, Depends, Query
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from corated._version import __version__
from corated.serve.answers import InfoAnswer
from corated.serve.api.parts import PROBLEMS, Served, known_queries
from corated.serve.service import Service
from corated.serve.strict import Answer

__all__ = ["about", "router"]

router = APIRouter(
    prefix="/v1", tags=["administration"], responses=PROBLEMS, dependencies=[Depends(known_queries)]
)

_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl",
    "parquet": "application/vnd.apache.parquet",
}
_FORMULA = r"^([=+\-@\t\r])"


@router.get("/info", response_model=InfoAnswer)
async def info(service: Served) -> Answer:
    """Tell what is served."""
    _, made = await service.ask(lambda: about(service))
    return Answer(made)


def about(service: Service) -> dict[str, Any]:
    """Return what is served: counts, the model, the scale, the types of ids."""
    position, index = service.embedded.position, service.index
    users, items = service.kinds()
    scale = service.embedded.store.head().shape.scale
    return {
        "version": __version__,
        "position": position,
        "stale": service.embedded.stale,
        "model": repr(service.model if index is None else index.model),
        "live": index is not None and index.is_live,
        "users": 0 if index is None else index.n_users,
        "items": 0 if index is None else index.n_items,
        "ratings": 0 if index is None else index.n_ratings,
        "scale": None if scale is None else [scale.low, scale.high, scale.step],
        "user_ids": users,
        "item_ids": items,
    }


@router.get(
    "/export",
    response_class=FileResponse,
    responses={200: {"content": {kind.partition(";")[0]: {} for kind in _TYPES.values()}}},
)
async def export(
    service: Served,
    format: Annotated[Literal["csv", "jsonl", "parquet"], Query(description="of the file")] = "jsonl",
) -> Response:
    """Return all ratings of this moment.

    In csv, text that a spreadsheet would run as a formula has a quotation mark before it.
    """
    folder = tempfile.TemporaryDirectory(prefix="corated-export-")
    path = Path(folder.name) / f"ratings.{format}"

    def work() -> int:
        if format == "csv":
            return _csv(service, path)
        return service.embedded.export(path, format=format)

    position = service.embedded.position
    try:
        await service.look(work)
    except BaseException:
        folder.cleanup()
        raise
    return FileResponse(
        path,
        media_type=_TYPES[format],
        filename=path.name,
        headers={"Corated-Position": str(position)},
        background=BackgroundTask(folder.cleanup),
    )


def _csv(service: Service, path: Path) -> int:
    """Write csv in which no text begins as a formula does."""
    written = 0
    with service.embedded.store.read() as snapshot, pacsv.CSVWriter(path, snapshot.schema) as writer:
        for batch in snapshot:
            columns = [
                pc.replace_substring_regex(column, _FORMULA, r"'\1")
                if pa.types.is_string(column.type)
                else column
                for column in batch.columns
            ]
            writer.write_batch(pa.record_batch(columns, schema=snapshot.schema))
            written += len(batch)
    return written
