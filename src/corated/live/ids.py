"""Ids that are added to: codes in the order of arrival, and the rank of each id among all."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corated.errors import DataError, UnknownIdError
from corated.ratings.ids import MAX_ID_BYTES, Id, IdMap, as_id_array, quote_id

__all__ = ["LiveIds"]

Int64s = npt.NDArray[np.int64]


class LiveIds:
    """The ids of one side, with a code for each in the order in which they came.

    rank : int64, by code; the place of each id among all, ascending, with spare entries behind
    order : int64, by rank; the code that has it, with spare entries behind
    """

    def __init__(self, known: IdMap) -> None:
        self._empty = IdMap(known.ids.slice(0, 0), known.what)
        self.what, self.kind = known.what, known.kind
        self._of: list[Id] = known.ids.to_pylist()
        self._codes: dict[Id, int] = {id: code for code, id in enumerate(self._of)}
        self._sorted = list(self._of)
        self.rank = np.arange(len(self._of) + 16)
        self.order = np.arange(len(self._of) + 16)
        self._map: IdMap | None = known

    def __len__(self) -> int:
        return len(self._of)

    def id(self, code: int) -> Id:
        """Return the id of a code."""
        return self._of[code]

    def find(self, id: object) -> int:
        """Return the code of an id, −1 where it never came; raises `IdTypeError` for another type."""
        # A plain key of the stored type is the usual case; all others take the long way.
        if type(id) is (int if self.kind == "integer" else str):
            return self._codes.get(id, -1)
        array = self._empty.as_array([id])
        return self._codes.get(array[0].as_py(), -1)

    def check(self, id: object) -> Id:
        """Return an id that may be stored, of the stored type; raises `IdTypeError` and `DataError`."""
        if (type(id) is str or type(id) is int) and id in self._codes:
            return id
        value = id if type(id) is str or type(id) is int else self._empty.as_array([id])[0].as_py()
        if type(value) is not (int if self.kind == "integer" else str):
            raise self._empty._wrong_type(id)
        if type(value) is str:
            self._check_text(value)
        checked: Id = as_id_array([value], self.what)[0].as_py()
        return checked

    def _check_text(self, value: str) -> None:
        try:
            size = len(value.encode())
        except UnicodeEncodeError:
            size = -1  # half of a surrogate pair, which no file and no database can hold
        if not 0 < size <= MAX_ID_BYTES:
            what = {0: "empty", -1: "no valid text"}.get(size, "too long")
            raise DataError(
                f"The {self.what} id {quote_id(value)} is {what}.",
                expected=f"text of 1 to {MAX_ID_BYTES} bytes",
                hint="give another id",
            )

    def add(self, id: Id) -> int:
        """Give a new id a code and a rank; returns the code."""
        code = len(self._of)
        if code == len(self.rank):
            self.rank = np.concatenate([self.rank, np.zeros(code + 16, dtype=np.int64)])
            self.order = np.concatenate([self.order, np.zeros(code + 16, dtype=np.int64)])
        place = bisect_left(self._sorted, id)
        self._sorted.insert(place, id)
        if place < code:
            self.rank[:code] += self.rank[:code] >= place
            self.order[place + 1 : code + 1] = self.order[place:code]
        self.rank[code], self.order[place] = place, code
        self._of.append(id)
        self._codes[id] = code
        self._map = None
        return code

    def id_map(self) -> IdMap:
        """Return all ids that ever came, by rank."""
        made = self._map
        if made is None:
            made = IdMap(pa.array(self._sorted, self._empty.ids.type), self.what)
            self._map = made
        return made

    def some(self, codes: Int64s) -> IdMap:
        """Return the ids of some codes, which are in the order of their ranks."""
        return IdMap(pa.array([self._of[code] for code in codes.tolist()], self._empty.ids.type), self.what)

    def unknown(self, id: object, is_there: Callable[[int], bool]) -> UnknownIdError:
        """Return the error for an id without ratings."""
        shown = [quote_id(one) for one in self._sorted[:50] if is_there(self._codes[one])][:3]
        return UnknownIdError(
            f"There is no {self.what} {quote_id(id)} among those with ratings.",
            expected=f"one of the {self.what} ids in the data, such as {', '.join(shown)}"
            if shown
            else "ratings, of which there are none yet",
            hint=f"check the id, or write a rating of this {self.what} first",
        )
