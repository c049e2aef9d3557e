"""Logs: one JSON object a line on standard error, without secrets, and without ids of people by default."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

__all__ = ["log", "start_logging"]

_LOGGER = logging.getLogger("corated.serve")


class _Lines(logging.Formatter):
    """Writes a record as JSON on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "members", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line |= _where(record.exc_info[1])
        # Control characters are escaped, so that nothing in a request can begin a line of its own.
        return json.dumps(line, ensure_ascii=True, default=str)


def _where(error: BaseException) -> dict[str, Any]:
    """Return what an exception is and where it was raised, without its message: that may name people."""
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "error": type(error).__name__,
        "trace": [
            f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames[-12:]
        ],
    }


def start_logging(level: str, stream: TextIO | None = None) -> None:
    """Write logs of the service and of its server from some level on."""
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(_Lines())
    for name in ("corated.serve", "uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = [handler] if name != "uvicorn.error" else []
        logger.setLevel(level.upper() if name == "corated.serve" else "WARNING")
        logger.propagate = name == "uvicorn.error"


def log(event: str, *, level: int = logging.INFO, error: BaseException | None = None, **members: Any) -> None:
    """Log an event with its members."""
    if _LOGGER.isEnabledFor(level):
        _LOGGER.log(level, event, extra={"members": members}, exc_info=error)
