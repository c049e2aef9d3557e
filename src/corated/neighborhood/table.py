"""The neighbor table: for each subject its k closest, by the total order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corated.errors import ParameterError
from corated.neighborhood.engine import Of
from corated.ratings.ids import Id, IdMap
from corated.similarity.measures import Measure
from corated.tables import Table

__all__ = ["Neighbors", "schema_of"]

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class Neighbors(Table):
    """Each subject's nearest neighbors, best first: columns id, neighbor, rank, value, n_common.

    Order of rows: by id, then rank from 1. Among neighbors: better value first, then more common ratings,
    then the smaller id. A subject without any defined neighbor has no rows.

    ids : the subjects, by code
    subjects : int64 (m,), codes of the subjects asked for, ascending
    indptr : int64 (m + 1,), rows of the arrays below
    neighbor : int32, codes;  value : float64;  n_common : int32
    """

    side: Of
    measure: Measure
    k: int
    min_common: int
    ids: IdMap
    subjects: Int64s
    indptr: Int64s
    neighbor: npt.NDArray[np.int32]
    value: npt.NDArray[np.float64]
    n_common: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.neighbor)

    @property
    def without_neighbors(self) -> int:
        """How many of the subjects asked for have no rows."""
        return int((self.indptr[1:] == self.indptr[:-1]).sum())

    @cached_property
    def _table(self) -> pa.Table:
        return self._rows(0, len(self.subjects))

    def _rows(self, start: int, stop: int) -> pa.Table:
        """Return the rows of the subjects from one position to before another."""
        ends = self.indptr[start : stop + 1]
        sizes, rows = np.diff(ends), slice(int(ends[0]), int(ends[-1]))
        rank = np.arange(rows.start + 1, rows.stop + 1)
        rank -= np.repeat(ends[:-1], sizes)
        columns = [
            self.ids.take(np.repeat(self.subjects[start:stop], sizes)),
            self.ids.take(self.neighbor[rows]),
            pa.array(rank.astype(np.int32)),
            pa.array(self.value[rows]),
            pa.array(self.n_common[rows].astype(np.int64)),
        ]
        return pa.Table.from_arrays(columns, schema=schema_of(self.ids))

    def of_code(self, code: int) -> slice:
        """Return where the neighbors of a subject code stand in the arrays; empty if it was not asked for."""
        at = self._position(code)
        return slice(0, 0) if at is None else slice(int(self.indptr[at]), int(self.indptr[at + 1]))

    def _position(self, code: int) -> int | None:
        """Return where a code stands among the subjects asked for."""
        at = int(np.searchsorted(self.subjects, code))
        return at if at < len(self.subjects) and self.subjects[at] == code else None

    def of(self, subject: Id) -> Table:
        """Return the neighbors of one subject, best first.

        Raises `UnknownIdError` for an id that is not in the data, and `ParameterError` for one that is,
        but was not among the subjects asked for.
        """
        at = self._position(self.ids.code(subject))
        if at is None:
            raise ParameterError(
                f"{subject!r} was not among the subjects when these neighbors were made.",
                hint="call neighbors(...) without subjects=, or with this one in it",
            )
        return Table(self._rows(at, at + 1))

    def __repr__(self) -> str:
        head = (
            f"Neighbors of {self.side}: {self.measure}, k={self.k}, min_common={self.min_common}, "
            f"{len(self.subjects):,} subjects, {len(self.neighbor):,} rows"
        )
        return head + "\n" + super().__repr__()


def schema_of(ids: IdMap) -> pa.Schema:
    """Return the columns of neighbors with these ids."""
    kind = ids.ids.type
    columns = [("id", kind), ("neighbor", kind), ("rank", pa.int32())]
    return pa.schema([*columns, ("value", pa.float64()), ("n_common", pa.int64())])
