"""A client of the service, which needs nothing but Python: ``Client("http://127.0.0.1:8000").recommend(7)``."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict, Unpack, cast
from urllib.parse import quote, urlencode, urlsplit

from corated._version import __version__
from corated.errors import CoratedError, ParameterError
from corated.output import atomic_path

__all__ = ["CatalogItem", "Client", "Neighbor", "Rated", "Recommended", "ServiceError", "Wishes", "Written"]

Id = int | str
Rating = tuple[Id, Id, float | None]
"""User, item, rating; None takes the rating out."""

_WAITS = frozenset({429, 503})


class Recommended(TypedDict):
    """One recommended item; ``why`` where it was asked for."""

    item_id: Id
    rank: int
    score: float | None
    support: int
    source: str
    title: NotRequired[str]
    why: NotRequired[dict[str, Any]]


class Neighbor(TypedDict):
    """One of the nearest of a user or an item."""

    neighbor: Id
    rank: int
    value: float
    n_common: int
    title: NotRequired[str]


class Rated(TypedDict):
    """One rating of a user."""

    item_id: Id
    rating: float
    title: NotRequired[str]


class CatalogItem(TypedDict):
    """What is known of an item."""

    item: Id
    title: NotRequired[str | None]
    year: NotRequired[int | None]
    genres: NotRequired[list[str]]


class Written(TypedDict):
    """What became of ratings that were sent together, row by row."""

    position: int
    written: int
    refused: int
    results: list[dict[str, Any]]


class Wishes(TypedDict, total=False):
    """What is left out before anything is ranked; as in the service."""

    genres: list[str]
    first_year: int
    last_year: int
    exclude: list[Id]
    min_support: int
    diversity: float


class ServiceError(CoratedError):
    """A request that was refused, or did not get through.

    status : of HTTP, 0 where there was no answer;  code : a word that programs go by
    problem : all that was told
    """

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(
            str(problem.get("detail", f"The service answered with status {status}.")),
            expected=str(problem.get("expected", "")),
            rows=[str(row) for row in problem.get("rows", ())],
            hint=str(problem.get("next_step", "")),
        )
        self.status, self.code, self.problem = status, str(problem.get("code", "")), dict(problem)


class Client:
    """A service at an address; safe in any number of threads, each of which has a connection of its own.

    key : an API key, where the service asks for one
    timeout : seconds to wait for an answer
    retries : how often a request is sent again that got no answer, or was refused for the moment. Writes are
        safe to repeat: each carries a key of its own, by which the service writes it once.

    Answers are at least of what this client wrote, whichever process of several gives them. Ids, order and
    errors are those of the service: see docs/serve.md.
    """

    def __init__(
        self,
        address: str = "http://127.0.0.1:8000",
        *,
        key: str | None = None,
        timeout: float = 30.0,
        retries: int = 2,
    ) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
            raise ParameterError(
                f"address={address!r} is no address of a service.",
                expected='such as "http://127.0.0.1:8000"',
                hint="give scheme, host and port; keys go into key=",
            )
        self._parts, self._timeout, self._retries = parts, timeout, retries
        self._headers = {"Accept": "application/json", "User-Agent": f"corated/{__version__}"}
        if key is not None and not (key.isascii() and key.isprintable()):
            raise ParameterError(
                "key= is no key of a service.", hint="give what corated key create has shown"
            )
        if key is not None:
            self._headers["Authorization"] = f"Bearer {key}"
        self._local = threading.local()
        self.position = 0
        """The position in the log from which all counts that this client wrote."""

    # -- asking -----------------------------------------------------------------------------------

    def info(self) -> dict[str, Any]:
        """Return what is served: counts, the model, the scale, the types of ids."""
        return self._ask("/v1/info", fresh=False)

    def recommend(
        self, user: Id, *, n: int = 10, explain: bool = False, popular: bool = False, **wishes: Unpack[Wishes]
    ) -> list[Recommended]:
        """Return what is recommended to a user, the best first."""
        found = self.recommend_many([user], n=n, explain=explain, popular=popular, **wishes)[user]
        if found is None:
            detail = {"detail": f"There is no user {user!r} with ratings.", "code": "unknown_user"}
            raise ServiceError(404, {**detail, "next_step": "check the id, or ask with popular=True"})
        return found

    def recommend_many(
        self,
        users: Sequence[Id],
        *,
        n: int = 10,
        explain: bool = False,
        popular: bool = False,
        **wishes: Unpack[Wishes],
    ) -> dict[Id, list[Recommended] | None]:
        """Return what is recommended to each of some users; None for those who are not known."""
        body = {"users": list(users), "n": n, "explain": explain, "popular": popular, **wishes}
        found = self._ask("/v1/recommendations", body)["users"]
        return {row["user_id"]: None if row["status"] == "unknown_user" else row["items"] for row in found}

    def recommend_for(
        self, history: Mapping[Id, float], *, n: int = 10, explain: bool = False, **wishes: Unpack[Wishes]
    ) -> list[Recommended]:
        """Return what is recommended to somebody without an id, by ratings."""
        rows = [{"item": item, "rating": rating} for item, rating in history.items()]
        found = self._ask("/v1/recommendations", {"history": rows, "n": n, "explain": explain, **wishes})
        return cast("list[Recommended]", found["items"])

    def neighbors(
        self, user: Id, *, measure: str = "pearson", k: int = 20, min_common: int = 1
    ) -> list[Neighbor]:
        """Return who rated most like a user."""
        asked = {"measure": measure, "k": k, "min_common": min_common}
        found = self._ask(f"/v1/users/{_segment(user)}/neighbors", query=asked)
        return cast("list[Neighbor]", found["neighbors"])

    def similar(
        self, item: Id, *, measure: str = "cosine", k: int = 20, min_common: int = 1
    ) -> list[Neighbor]:
        """Return the items that were rated most like one."""
        asked = {"measure": measure, "k": k, "min_common": min_common}
        found = self._ask(f"/v1/items/{_segment(item)}/similar", query=asked)
        return cast("list[Neighbor]", found["neighbors"])

    def explain(self, user: Id, item: Id, *, n: int = 10, anonymous: bool = False) -> dict[str, Any]:
        """Return what the score of an item for a user is made of."""
        return self._ask("/v1/explain", {"user": user, "item": item, "n": n, "anonymous": anonymous})

    def predict(self, user: Id, items: Sequence[Id]) -> list[dict[str, Any]]:
        """Return what a user would rate items, in their order."""
        found = self._ask("/v1/predict", {"user": user, "items": list(items)})
        return cast("list[dict[str, Any]]", found["predictions"])

    def search(self, text: str, *, limit: int = 10) -> dict[str, Any]:
        """Return the items and users that a few letters may be meant for."""
        return self._ask("/v1/search", query={"q": text, "limit": limit})

    # -- ratings ----------------------------------------------------------------------------------

    def ratings(self, user: Id) -> Iterator[Rated]:
        """Go through a user's ratings by item id, a page at a time."""
        return cast("Iterator[Rated]", self._pages(f"/v1/users/{_segment(user)}/ratings", "ratings"))

    def rate(self, user: Id, item: Id, rating: float, *, time: int | str | None = None) -> int:
        """Write a rating, durably; returns the position from which it counts.

        time : microseconds since 1970 in UTC, or ISO 8601 with a zone; None for now
        """
        path = f"/v1/users/{_segment(user)}/ratings/{_segment(item)}"
        return self._write("PUT", path, {"rating": rating, "time": time})

    def remove(self, user: Id, item: Id) -> int:
        """Take out a rating; that there is none is no error."""
        return self._write("DELETE", f"/v1/users/{_segment(user)}/ratings/{_segment(item)}")

    def write(self, ratings: Iterable[Rating]) -> Written:
        """Write and take out ratings: all that can be, together. Each row is told what became of it."""
        rows = [{"user": user, "item": item, "rating": rating} for user, item, rating in ratings]
        found = self._sent("POST", "/v1/ratings", {"ratings": rows})
        self.position = max(self.position, found["position"])
        return cast("Written", found)

    def erase(self, user: Id) -> dict[str, Any]:
        """Erase a user: ratings, log, idempotency keys. Needs scope admin, where keys are asked for."""
        return self._sent("DELETE", f"/v1/users/{_segment(user)}")

    def export(
        self, path: str | os.PathLike[str], *, format: Literal["csv", "jsonl", "parquet"] = "jsonl"
    ) -> None:
        """Write all ratings to a file, whole or not at all. Needs scope admin, where keys are asked for."""
        content = self._request("GET", f"/v1/export?{urlencode({'format': format})}", None)
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)

    # -- the catalog ------------------------------------------------------------------------------

    def items(self) -> Iterator[CatalogItem]:
        """Go through the catalog by item id, a page at a time."""
        return cast("Iterator[CatalogItem]", self._pages("/v1/items", "items"))

    def put_items(self, items: Iterable[CatalogItem]) -> int:
        """Put items into the catalog: all of them, or none."""
        return self._write("POST", "/v1/items", {"items": list(items)})

    def remove_item(self, item: Id) -> int:
        """Take an item out of the catalog, not out of the ratings."""
        return self._write("DELETE", f"/v1/items/{_segment(item)}")

    # -- over HTTP --------------------------------------------------------------------------------

    def close(self) -> None:
        """Close this thread's connection; a later request opens another."""
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _ask(
        self,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        fresh: bool = True,
    ) -> dict[str, Any]:
        """Ask for what is at least of this client's writes."""
        known = {"min_position": self.position} if fresh and self.position else {}
        if body is not None:
            return cast("dict[str, Any]", json.loads(self._request("POST", path, {**body, **known})))
        asked = urlencode({**(query or {}), **known})
        return cast("dict[str, Any]", json.loads(self._request("GET", f"{path}?{asked}", None)))

    def _pages(self, path: str, what: str) -> Iterator[Any]:
        query: dict[str, Any] = {"limit": 1000}
        while True:
            page = self._ask(path, query=query)
            yield from page[what]
            if page["next"] is None:
                return
            query["cursor"] = page["next"]

    def _write(self, method: str, path: str, body: dict[str, Any] | None = None) -> int:
        position: int = self._sent(method, path, body)["position"]
        self.position = max(self.position, position)
        return position

    def _sent(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        # One key for all tries: what was written, though the answer was lost, is not written again.
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        return cast("dict[str, Any]", json.loads(self._request(method, path, body, headers)))

    def _request(
        self, method: str, path: str, body: dict[str, Any] | None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """Return the body of a good answer; raises `ServiceError` for others."""
        sent = {**self._headers, **(headers or {})}
        content = None if body is None else json.dumps(body, allow_nan=False).encode()
        if content is not None:
            sent["Content-Type"] = "application/json"
        for left in range(self._retries, -1, -1):
            try:
                status, told, wait = self._once(method, path, content, sent)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if not left:
                    detail = f"{self._parts.scheme}://{self._parts.netloc} did not answer: {error}."
                    hint = "see that the service runs, and where: corated serve"
                    raise ServiceError(
                        0, {"detail": detail, "code": "no_answer", "next_step": hint}
                    ) from error
                continue
            if status < 300:
                return told
            if status not in _WAITS or not left:
                raise ServiceError(status, _problem(told))
            time.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _once(
        self, method: str, path: str, content: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes, float]:
        """Return status, body, and the seconds to wait before another try."""
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            secure = self._parts.scheme == "https"
            kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
            assert self._parts.hostname is not None
            connection = kind(self._parts.hostname, self._parts.port, timeout=self._timeout)
            self._local.connection = connection
        connection.request(method, path, content, dict(headers))
        answer = connection.getresponse()
        wait = answer.headers.get("Retry-After", "1")
        return answer.status, answer.read(), min(float(wait), 10.0) if wait.isdigit() else 1.0


def _segment(id: Id) -> str:
    """Return an id as a segment of a path; raises `ParameterError` for what clients take for folders."""
    if id in (".", ".."):
        raise ParameterError(
            f"The id {id!r} cannot stand in an address.",
            hint="use write() and recommend_many(), which send bodies",
        )
    return quote(str(id), safe="")


def _problem(told: bytes) -> dict[str, Any]:
    try:
        found = json.loads(told)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
