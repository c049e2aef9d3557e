"""Errors as HTTP has them: problem details (RFC 9457) with a code, the field, and the next step."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from corated.errors import (
    CoratedError,
    DataError,
    IdTypeError,
    KeyReusedError,
    LogTrimmedError,
    MemoryLimitError,
    MissingExtraError,
    ParameterError,
    StoreError,
    StoreUnavailableError,
    UnknownIdError,
)
from corated.serve.strict import json_bytes

__all__ = ["INTERNAL", "MEDIA_TYPE", "Problem", "problem_of"]

MEDIA_TYPE = "application/problem+json"

_STATUS: tuple[tuple[type[CoratedError], int, str], ...] = (
    # What comes first holds: the tree is gone through from its leaves.
    (IdTypeError, 422, "id_type"),
    (KeyReusedError, 422, "key_reused"),
    (StoreUnavailableError, 503, "store_unavailable"),
    (LogTrimmedError, 410, "log_trimmed"),
    (StoreError, 503, "store"),
    (ParameterError, 422, "parameter"),
    (DataError, 422, "data"),
    (MemoryLimitError, 413, "too_much"),
    (MissingExtraError, 501, "not_installed"),
)


@dataclass(eq=False)
class Problem(Exception):  # noqa: N818 - the name that RFC 9457 gives it
    """What went wrong with a request.

    status : of HTTP;  code : a word that programs go by, which stays
    detail : what was wrong and what was got;  expected : what would have been right
    field : where in the request, as a JSON pointer (RFC 6901) into the body, or ``query/n``, ``path/user``
    hint : the next step;  rows : the first offending rows
    headers : of the answer, such as Retry-After
    """

    status: int
    code: str
    detail: str
    expected: str = ""
    field: str = ""
    hint: str = ""
    rows: Sequence[str] = ()
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the members of the problem that are not empty."""
        members: dict[str, Any] = {
            "type": f"urn:corated:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "expected": self.expected,
            "field": self.field,
            "next_step": self.hint,
            "rows": list(self.rows),
        }
        return {name: value for name, value in members.items() if value not in ("", [])}

    def response(self, request_id: str = "") -> Response:
        """Return the answer."""
        members = self.to_dict() | ({"request_id": request_id} if request_id else {})
        return Response(json_bytes(members), self.status, headers=dict(self.headers), media_type=MEDIA_TYPE)


INTERNAL = Problem(
    500, "internal", "Something went wrong that should not.", hint="tell whoever runs it the request_id"
)


def problem_of(error: CoratedError) -> Problem:
    """Return the problem that one of the package's errors is."""
    if isinstance(error, UnknownIdError) and not isinstance(error, IdTypeError):
        found = re.match(r"There is no (user|item) ", error.what)
        code = f"unknown_{found[1]}" if found else "unknown_id"
        return _problem(error, 404 if found else 422, code)
    for kind, status, code in _STATUS:
        if isinstance(error, kind):
            return _problem(error, status, code)
    return INTERNAL


def _problem(error: CoratedError, status: int, code: str) -> Problem:
    headers = {"Retry-After": "1"} if status == 503 else {}
    # What a store says of itself may name its address; a server's caller has no use for that.
    detail = error.what if not isinstance(error, StoreError) or status == 422 else _STORE[code]
    rows = error.rows if status == 422 else ()
    expected = error.expected.replace(", such as (there are none)", "")
    return Problem(status, code, detail, expected, "", error.hint, rows, headers)


_STORE = {
    "store_unavailable": "The store cannot be used at this moment.",
    "log_trimmed": "The log no longer goes back that far.",
    "store": "The store cannot be used.",
}
