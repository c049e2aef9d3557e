"""JSON that means one thing only: no NaN, no infinity, no key twice, no half characters, not too deep."""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.responses import Response

from corated.models._container_check import JsonError, read_strictly

__all__ = ["Answer", "NotStrictError", "json_bytes", "read_json"]

_STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


class NotStrictError(ValueError):
    """Text that is not strict JSON; the message says where and why."""


def read_json(text: bytes, *, depth: int) -> Any:
    """Read strict JSON; raises `NotStrictError`.

    depth : how many lists and objects may lie in each other, which is looked at before anything is read
    """
    _check_depth(text, depth)
    try:
        read = read_strictly(text.decode("utf-8"))
        if b"\\u" in text:  # an escape may stand for half a character, which no text can hold
            json.dumps(read, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        raise NotStrictError(f"it is not UTF-8 at byte {error.start}") from error
    except UnicodeEncodeError as error:
        raise NotStrictError("it has half a character (a lone surrogate)") from error
    except json.JSONDecodeError as error:
        raise NotStrictError(f"{error.msg} at line {error.lineno}, column {error.colno}") from error
    except JsonError as error:
        raise NotStrictError(f"it {error}") from error
    except ValueError as error:  # an integer of thousands of digits
        raise NotStrictError("it has a number of too many digits") from error
    return read


def _check_depth(text: bytes, most: int) -> None:
    depth = 0
    for found in _STRUCTURE.finditer(text):
        sign = found[0]
        if sign in (b"[", b"{"):
            depth += 1
            if depth > most:
                raise NotStrictError(f"lists and objects lie more than {most} deep in each other")
        elif sign in (b"]", b"}"):
            depth -= 1


def json_bytes(value: Any) -> bytes:
    """Return strict JSON; raises ValueError for NaN and infinity."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


class Answer(Response):
    """An answer as strict JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return json_bytes(content)
