"""Every exception and notice of the package, drawn as a tree.

::

    CoratedError                        exit code
    ├── ParameterError (ValueError)     2  a setting that cannot be used
    ├── UnknownIdError (LookupError)    2  an id that is not in the data
    │   └── IdTypeError (TypeError)     2  an id of another type than the data's ids
    ├── DataError (ValueError)          3  ratings or a catalog that cannot be read as they are
    ├── ModelFileError (ValueError)     4  a model file that cannot be used
    ├── StoreError                      4  a store of ratings that cannot be used
    │   ├── StoreUnavailableError       4  one that cannot be used now: busy, or not reachable
    │   ├── LogTrimmedError             4  changes that its log no longer has
    │   └── KeyReusedError (ValueError) 2  an idempotency key that stands for other content
    ├── OutputError (OSError)           1  a result that could not be written
    ├── DownloadError (OSError)         1  a data set that could not be fetched
    ├── MemoryLimitError (MemoryError)  1  work that would not fit, refused beforehand
    ├── NotFittedError                  2  a model asked before ``fit``
    ├── MissingExtraError (ImportError) 2  an optional library that is not installed
    └── Cancelled                       1  stopped by the caller

    CoratedNotice (UserWarning)         a decision made for the caller, who may want another

Each message says what was wrong, what was got, what was expected, shows the first offending rows
where there are rows, and ends with the next step.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "Cancelled",
    "CoratedError",
    "CoratedNotice",
    "DataError",
    "DownloadError",
    "IdTypeError",
    "KeyReusedError",
    "LogTrimmedError",
    "MemoryLimitError",
    "MissingExtraError",
    "ModelFileError",
    "NotFittedError",
    "OutputError",
    "ParameterError",
    "StoreError",
    "StoreUnavailableError",
    "UnknownIdError",
]


class CoratedError(Exception):
    """Base of every exception raised on purpose.

    Parameters
    ----------
    what : one sentence: what was wrong and what was got
    expected : what would have been right
    rows : the first offending rows, already rendered, one per line
    hint : the next step, as an imperative sentence
    """

    exit_code = 1

    def __init__(self, what: str, *, expected: str = "", rows: Sequence[str] = (), hint: str = "") -> None:
        self.what = what
        self.expected = expected
        self.rows = tuple(rows)
        self.hint = hint
        super().__init__(what)

    def __str__(self) -> str:
        lines = [self.what]
        if self.expected:
            lines.append(f"Expected: {self.expected}")
        lines.extend(f"  {row}" for row in self.rows)
        if self.hint:
            lines.append(f"Next step: {self.hint}")
        return "\n".join(lines)


class ParameterError(CoratedError, ValueError):
    """A setting that cannot be used: out of range, unknown, or at odds with another."""

    exit_code = 2


class UnknownIdError(CoratedError, LookupError):
    """A user or item that is not in the data."""

    exit_code = 2


class IdTypeError(UnknownIdError, TypeError):
    """An id of another type than the data's ids, such as ``"2"`` where ids are integers."""


class DataError(CoratedError, ValueError):
    """Ratings or a catalog that cannot be used as they are."""

    exit_code = 3


class ModelFileError(CoratedError, ValueError):
    """A model file that cannot be used: absent, damaged, of another format, or of a newer one.

    Nothing in it was run, and nothing was made of it.
    """

    exit_code = 4


class StoreError(CoratedError):
    """A store of ratings that cannot be used: absent, damaged, of something else, or without room."""

    exit_code = 4


class StoreUnavailableError(StoreError):
    """A store that cannot be used at this moment: another writer holds it, or its server is not reachable.

    The same call may succeed later.
    """


class LogTrimmedError(StoreError):
    """Changes after a position that the log no longer has; who follows it reads the ratings anew."""


class KeyReusedError(StoreError, ValueError):
    """An idempotency key that was given with other content before. Nothing was written."""

    exit_code = 2


class OutputError(CoratedError, OSError):
    """A result that could not be written. What stood at the target before is unharmed."""


class DownloadError(CoratedError, OSError):
    """A data set that could not be fetched or did not match its checksum."""


class MemoryLimitError(CoratedError, MemoryError):
    """Work whose foreseen memory is more than there is; nothing was allocated."""


class NotFittedError(CoratedError, ValueError):
    """A model that was asked before it was fitted."""

    exit_code = 2


class MissingExtraError(CoratedError, ImportError):
    """An optional library that is not installed; the hint is the command that installs it."""

    exit_code = 2


class Cancelled(CoratedError):  # noqa: N818 - it reports a wish of the caller, not a fault
    """Work that was stopped by the caller's cancel event or progress callback."""


class CoratedNotice(UserWarning):
    """A decision that was made for the caller and can be overruled; the message says how."""
