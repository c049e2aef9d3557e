"""Neighbors written to a Parquet file part by part, in bounded memory."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from corated.neighborhood.engine import Of
from corated.neighborhood.find import find
from corated.neighborhood.parquet import opened, passing_on
from corated.neighborhood.run import Run
from corated.neighborhood.table import schema_of
from corated.neighborhood.work import Search, fitting_work
from corated.output import atomic_path
from corated.progress import ProgressOption, reporting

__all__ = ["NeighborsFile", "write_neighbors"]


@dataclass(frozen=True)
class NeighborsFile:
    """What `neighbors` with ``to=`` wrote.

    path : the file;  subjects : how many were asked for;  without_neighbors : those of them without a row
    rows : rows in the file;  seconds : how long it took
    """

    path: Path
    of: Of
    measure: str
    k: int
    min_common: int
    subjects: int
    without_neighbors: int
    rows: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return everything as numbers and text that JSON can carry."""
        return {**asdict(self), "path": str(self.path)}

    def __str__(self) -> str:
        return (
            f"{self.rows:,} neighbors of {self.subjects:,} {self.of}, {self.measure}, k={self.k:,}, "
            f"min_common={self.min_common:,}: {self.path}, {self.seconds:.1f} s"
        )


def write_neighbors(search: Search, target: Path, run: Run, progress: ProgressOption) -> NeighborsFile:
    """Do a search and write its rows, a row group for each part; errors as for `neighbors`."""
    start = time.perf_counter()
    work = fitting_work(search, run)
    rows = alone = 0
    with (
        passing_on() as passing,
        atomic_path(target) as path,
        opened(path, schema_of(search.engine.ids)) as writer,
        reporting(progress, search.title) as report,
    ):
        for part in find(search, work, replace(run, progress=passing(report))):
            writer.write_table(part.to_arrow(), row_group_size=max(len(part), 1))
            rows += len(part)
            alone += part.without_neighbors
            del part  # before the next is made
    return NeighborsFile(
        path=target,
        of=search.side,
        measure=str(search.engine.measure),
        k=search.k,
        min_common=search.engine.asked,
        subjects=len(search.subjects),
        without_neighbors=alone,
        rows=rows,
        seconds=time.perf_counter() - start,
    )
