"""The functions of a classroom notebook on collaborative filtering, by their names, exact and for everyone.

import pandas as pd
from corated.notebook import Notebook

nb = Notebook(pd.read_csv("reviews_clean.csv"), pd.read_csv("movies_clean.csv"))
nb.compute_correlation(2, 66)
nb.make_recommendations(2)
everyone = nb.all_recommendations()
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from corated.errors import MemoryLimitError, ParameterError
from corated.models.knn import UserKNN
from corated.neighborhood.graph import neighbors
from corated.neighborhood.pair import pair
from corated.neighborhood.plan import available_memory
from corated.ratings.catalog import Catalog, read_catalog
from corated.ratings.frames import column_names
from corated.ratings.ids import Id, IdMap
from corated.ratings.ratings import Ratings
from corated.ratings.read import read_ratings

__all__ = ["Notebook", "UserItemMatrix"]

Dense = Literal["float32", "int8"]

_UNRATED: Final[dict[Dense, float]] = {"float32": float("nan"), "int8": -1}
_LIKE: Final = 7
_PAIRS_AT_ONCE: Final = 1 << 19
"""Pairs that a batch of `Notebook.df_dists` is made from; about 250 bytes each while it is made."""


class UserItemMatrix(NamedTuple):
    """Ratings as a matrix: ``matrix[i, j]`` is what ``users[i]`` gave ``movies[j]``.

    Attributes
    ----------
    matrix : a SciPy ``csr_array`` of float64, in which a stored 0 is a rating and what is not stored is
        unrated; or, where a dense one was asked for, a NumPy array with NaN (float32) or -1 (int8) there
    users, movies : the ids of rows and columns, ascending
    """

    matrix: Any
    users: list[Id]
    movies: list[Id]

    def dense_bytes(self, dtype: Dense = "float32") -> int:
        """Return the bytes that the whole matrix takes, cell by cell."""
        return len(self.users) * len(self.movies) * np.dtype(dtype).itemsize

    def __repr__(self) -> str:
        cells = max(len(self.users) * len(self.movies), 1)
        shape = f"{len(self.users):,} users × {len(self.movies):,} movies"
        dense = " or ".join(f"{_size(self.dense_bytes(dtype))} as {dtype}" for dtype in _UNRATED)
        if isinstance(self.matrix, np.ndarray):
            return f"UserItemMatrix({shape}, dense {self.matrix.dtype}: {_size(self.matrix.nbytes)})"
        matrix = self.matrix
        stored = matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes
        filled = f"{matrix.nnz:,} ratings, {matrix.nnz / cells:.3%} of the cells"
        return f"UserItemMatrix({shape}; {filled}; sparse: {_size(stored)}; dense would be {dense})"


class Notebook:
    """The notebook's functions on some reviews and movies.

    Parameters
    ----------
    reviews : user_id, movie_id and rating in a pandas frame (ids as columns or in a named index), a polars
        frame, Arrow, a dict of columns, or a file; or `Ratings`. Other columns are left alone, times too
    movies : movie_id and movie (or title), in the same forms; or a `Catalog`

    For columns of other names, duplicates or bad rows make `Ratings` first, as in
    ``cr.read_ratings(frame, item="film", duplicates="last")``. Raises what `read_ratings` and `read_catalog`
    raise, and `DataError` where the movie ids of the two are of different types.

    Answers are plain lists and dicts in the caller's ids, by ascending id where nothing else is said. A user
    who is not in the reviews has seen nothing and is like nobody: [] or NaN, no exception. An id of another
    type than the reviews' ids raises `IdTypeError`; a count below 1 raises `ParameterError`.

    Notes
    -----
    **NaN does not equal itself.** A correlation or a distance that does not exist is ``float("nan")``, "not
    a number". ``value == nan`` is False even for NaN, so that test never finds one: use ``math.isnan``. ``<``
    and ``>`` are False too, so a sort or ``max`` that meets NaN gives an arbitrary result: leave such pairs
    out first. A correlation is NaN where two users share fewer than two movies, and where one of them rated
    all shared movies the same: there is no variation to compare. A distance is NaN only without a shared
    movie. ``cr.pair`` says which it is.

    **Ratings must be on one scale.** Three stars of five and six points of ten are the same opinion and look
    far apart to a distance. Correlation forgives that, since it compares users with their own means;
    distances and likes do not. Rescale before you mix sources.

    **Distance looks at what two users share, however little.** The squares add up with every shared movie, so
    one movie rated alike (distance 0) is closer than forty of which one differs by a point. That is what the
    method says, and it recommends poorly; ``cr.UserKNN()`` and ``cr.preset("best")`` let the overlap count.
    """

    def __init__(self, reviews: Any, movies: Any) -> None:
        self.ratings = _read_reviews(reviews)
        self.catalog = movies if isinstance(movies, Catalog) else read_catalog(movies, ids=self.ratings)
        self.catalog.aligned(self.ratings.items)  # raises where the two cannot belong together

    # -- who saw what -------------------------------------------------------------------------

    def user_item_matrix(self, dense: bool | Dense = False) -> UserItemMatrix:
        """Return all ratings as a matrix of users × movies of the catalog (and any rated besides).

        dense : False for a sparse matrix; "float32" (or True) for a dense one with NaN where there is no
            rating, "int8" for one with -1 there

        Raises `MemoryLimitError`, with its size, for a dense matrix that does not fit, and `ParameterError`
        where int8 cannot hold the ratings (halves, negative ones).
        """
        kind = _dense_kind(dense)
        ratings = self.ratings
        titled, rated = self.catalog.ids.ids, ratings.items.ids
        movies = IdMap.from_ids(pa.concat_arrays([titled, rated.cast(titled.type)]), "movie")
        columns = movies.codes(rated)[ratings.by_user.indices]
        shape = (ratings.n_users, len(movies))
        if kind is None:
            matrix = sp.csr_array(
                (ratings.values.copy(), columns, ratings.by_user.indptr.copy()), shape=shape
            )
        else:
            matrix = _dense_matrix(ratings, columns, shape, kind)
        return UserItemMatrix(matrix, list(ratings.users), list(movies))

    def get_user_row(self, user_id: Id) -> dict[Id, float]:
        """Return a user's ratings, movie to rating."""
        return self.ratings.profile(user_id) if self._knows(user_id) else {}

    def get_common_movies(self, user1: Id, user2: Id) -> list[Id]:
        """Return the movies that both users rated."""
        theirs = self.get_user_row(user2)
        return [movie for movie in self.get_user_row(user1) if movie in theirs]

    def movies_watched(self, user_id: Id) -> list[Id]:
        """Return the movies that a user rated."""
        return list(self.get_user_row(user_id))

    def create_user_movie_dict(self) -> dict[Id, list[Id]]:
        """Return for each user the movies they rated."""
        by_user = self.ratings.by_user
        movies = self.ratings.items.take(by_user.indices).to_pylist()
        ends = by_user.indptr.tolist()
        spans = pairwise(ends)
        return {
            user: movies[first:last] for user, (first, last) in zip(self.ratings.users, spans, strict=True)
        }

    def create_movies_to_analyze(
        self, movies_seen: Mapping[Id, Sequence[Id]], lower_bound: int = 2
    ) -> dict[Id, Sequence[Id]]:
        """Return those who rated more than ``lower_bound`` movies: fewer say too little about a taste."""
        return {user: movies for user, movies in movies_seen.items() if len(movies) > lower_bound}

    @cached_property
    def movies_to_analyze(self) -> Mapping[Id, Sequence[Id]]:
        """Whom `all_recommendations` serves: users of more than two movies, unless you assign others."""
        return self.create_movies_to_analyze(self.create_user_movie_dict())

    # -- how alike two users are --------------------------------------------------------------

    def compute_correlation(self, user1: Id, user2: Id) -> float:
        """Return Pearson's correlation over the movies both rated, from -1 to 1; NaN where there is none."""
        return self._compare(user1, user2, "pearson")

    def compute_euclidean_dist(self, user1: Id, user2: Id) -> float:
        """Return the Euclidean distance over the movies both rated, in rating points; NaN without any."""
        return self._compare(user1, user2, "euclidean")

    def df_dists(self) -> Any:
        """Return the distance of every two users with a movie in common, as a stream of Arrow batches.

        A `pyarrow.RecordBatchReader` with columns user1, user2, eucl_dist: each pair once, user1 < user2, by
        user1, then closest first. It computes while it is read, once, in bounded memory: loop over its
        batches, hand it to polars or DuckDB, or call ``.read_pandas()`` where all pairs fit in memory.
        ``cr.all_pairs`` writes the same distances to a Parquet file, sooner and unsorted.
        """
        users = self.ratings.users.ids.type
        schema = pa.schema([("user1", users), ("user2", users), ("eucl_dist", pa.float64())])
        return pa.RecordBatchReader.from_batches(schema, self._distances(schema))

    def find_closest_neighbors(self, user: Id, k: int = 10) -> list[Id]:
        """Return the k users closest by Euclidean distance, closest first, without the user.

        Ties: more movies in common, then the smaller id. Fewer than k where fewer share a movie.
        """
        asked = [user] if self._knows(user) else []
        found = neighbors(self.ratings, of="users", measure="euclidean", k=k, subjects=asked)
        closest: list[Id] = found.to_arrow()["neighbor"].to_pylist()
        return closest

    # -- recommendations ----------------------------------------------------------------------

    def movies_liked(self, user_id: Id, min_rating: float = 7) -> list[Id]:
        """Return the movies that a user rated ``min_rating`` or more, best rated first, then by id."""
        liked = [
            (movie, rating) for movie, rating in self.get_user_row(user_id).items() if rating >= min_rating
        ]
        return [movie for movie, _ in sorted(liked, key=lambda seen: -seen[1])]

    def movie_names(self, movie_ids: Iterable[Id]) -> list[str]:
        """Return the names of movies, in the order asked; one without a name is named by its id."""
        asked = list(movie_ids) if not isinstance(movie_ids, str) else movie_ids
        codes = self.catalog.ids.codes(asked)
        names = self.catalog.titles.take(pa.array(codes, mask=codes < 0)).to_pylist()
        return [str(id) if name is None else name for id, name in zip(asked, names, strict=True)]

    def make_recommendations(self, user: Id, num_recs: int = 10) -> list[str]:
        """Return the names of up to ``num_recs`` movies that the user has not rated.

        They are what the 2 * num_recs closest neighbors rated 7 or more: the closest neighbor's first, best
        rated first; each movie once.
        """
        return self._recommend([user], num_recs)[user]

    def all_recommendations(self, num_recs: int = 10) -> dict[Id, list[str]]:
        """Return `make_recommendations` for everyone in `movies_to_analyze`, found together on all cores."""
        return self._recommend(list(self.movies_to_analyze), num_recs)

    # -- inside -------------------------------------------------------------------------------

    def _knows(self, user: Id) -> bool:
        """Tell whether a user is in the reviews; raises `IdTypeError` for an id of another type."""
        return bool(self.ratings.users.codes([user])[0] >= 0)

    def _compare(self, user1: Id, user2: Id, measure: str) -> float:
        known = [self._knows(user) for user in (user1, user2)]  # both, so that a wrong type is always told
        value = pair(self.ratings, user1, user2, measure=measure).value if all(known) else None
        return float("nan") if value is None else value

    @cached_property
    def _model(self) -> UserKNN:
        model = UserKNN(measure="euclidean", k="2n", min_common=1, rule="closest", like=_LIKE)
        return model.fit(self.ratings, catalog=self.catalog)

    def _recommend(self, users: list[Id], num_recs: int) -> dict[Id, list[str]]:
        """Return names of recommended movies by user, with a key for each, known or not."""
        codes = self.ratings.users.codes(users)
        known = [user for user, code in zip(users, codes.tolist(), strict=True) if code >= 0]
        named: dict[Id, list[str]] = {user: [] for user in users}
        rows = self._model.recommend(known, n=num_recs).to_arrow()
        names = pc.coalesce(rows["title"], rows["item_id"].cast(pa.string()))
        for user, name in zip(rows["user_id"].to_pylist(), names.to_pylist(), strict=True):
            named[user].append(name)
        return named

    def _distances(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the batches of `df_dists`: users block by block, against all who come after them."""
        users, n = self.ratings.users, self.ratings.n_users
        for first, last in _blocks(self.ratings):
            asked = users.ids[first:last].to_pylist()
            graph = neighbors(self.ratings, of="users", measure="euclidean", k=max(n, 1), subjects=asked)
            one = np.repeat(graph.subjects, np.diff(graph.indptr))
            after = np.flatnonzero(graph.neighbor > one)
            columns = [
                users.take(one[after]),
                users.take(graph.neighbor[after]),
                pa.array(graph.value[after]),
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _blocks(ratings: Ratings) -> Iterator[tuple[int, int]]:
    """Cut the users into ranges whose pairs fit into one batch; a user alone may have more."""
    others = np.zeros(ratings.n_ratings + 1, dtype=np.int64)
    np.cumsum((ratings.item_counts - 1)[ratings.by_user.indices], out=others[1:])
    ends = ratings.by_user.indptr
    pairs = np.minimum(others[ends[1:]] - others[ends[:-1]], max(ratings.n_users - 1, 0))
    before = np.concatenate(([0], np.cumsum(pairs)))
    first = 0
    while first < ratings.n_users:
        last = int(np.searchsorted(before, before[first] + _PAIRS_AT_ONCE, side="right")) - 1
        last = min(max(last, first + 1), ratings.n_users)
        yield first, last
        first = last


def _read_reviews(reviews: Any) -> Ratings:
    if isinstance(reviews, Ratings):
        return reviews
    names = column_names(reviews)
    if all(names.count(name) == 1 for name in ("user_id", "movie_id", "rating")):
        return read_ratings(reviews, user="user_id", item="movie_id", rating="rating", time=False)
    return read_ratings(reviews, time=False)


def _dense_kind(dense: object) -> Dense | None:
    if dense is False or dense is None:
        return None
    if dense is True or dense == "float32":
        return "float32"
    if dense == "int8":
        return "int8"
    raise ParameterError(
        f"dense={dense!r} cannot be used.",
        expected='False for a sparse matrix, "float32" (True) or "int8" for a dense one',
        hint="leave dense out: the sparse matrix holds every rating",
    )


def _dense_matrix(
    ratings: Ratings, columns: npt.NDArray[np.int64], shape: tuple[int, int], kind: Dense
) -> npt.NDArray[Any]:
    values = ratings.values
    if kind == "int8" and not (values == np.clip(np.rint(values), 0, 127)).all():
        raise ParameterError(
            f"int8 cannot hold these ratings ({values.min():g} to {values.max():g}) beside -1 for unrated.",
            expected="whole numbers from 0 to 127",
            hint='use dense="float32"',
        )
    needed, free = shape[0] * shape[1] * np.dtype(kind).itemsize, available_memory()
    if free is not None and needed > free:
        raise MemoryLimitError(
            f"The dense matrix of {shape[0]:,} users × {shape[1]:,} movies takes {_size(needed)} as {kind}; "
            f"{_size(free)} of memory are available.",
            hint="use the sparse one (leave dense out): it holds every rating",
        )
    matrix = np.full(shape, _UNRATED[kind], dtype=kind)
    matrix[np.repeat(np.arange(shape[0]), ratings.user_counts), columns] = values
    return matrix


def _size(count: int) -> str:
    """Render bytes: "6.7 GB"."""
    for unit, bytes_in_one in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= bytes_in_one:
            return f"{count / bytes_in_one:.1f} {unit}"
    return f"{count} bytes"
