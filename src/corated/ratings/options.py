"""The settings of a read, checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from corated.errors import ParameterError
from corated.ratings.scale import Scale, as_scale

__all__ = ["DUPLICATES", "FORMATS", "ReadOptions", "unused"]

DUPLICATES: Final = ("refuse", "last", "first", "max", "min", "mean", "sum", "count")
FORMATS: Final = ("dat", "csv", "tsv", "parquet", "arrow")
UNITS: Final = {"s": 10**6, "ms": 10**3, "us": 1, "ns": 0}  # microseconds in one; ns is below one
ID_KINDS: Final = ("integer", "text")
ON_BAD: Final = ("refuse", "drop")


@dataclass(frozen=True)
class ReadOptions:
    """What the caller gave to `read_ratings`, `from_table` or `from_arrays`.

    Raises `ParameterError` for a setting that cannot be used.
    """

    user: str | None = None
    item: str | None = None
    rating: str | Literal[False] | None = None  # False: every rating is 1
    time: str | Literal[False] | None = None  # False: no times
    format: str | None = None
    scale: Any = None  # becomes Scale | None
    duplicates: str = "refuse"
    time_unit: str | None = None
    tz: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    ids: str | Mapping[str, str] | None = None
    on_bad: str = "refuse"

    def __post_init__(self) -> None:
        _one_of("duplicates", self.duplicates, DUPLICATES)
        _one_of("on_bad", self.on_bad, ON_BAD)
        if self.format is not None:
            _one_of("format", self.format, FORMATS)
        if self.time_unit is not None:
            _one_of("time_unit", self.time_unit, tuple(UNITS))
        object.__setattr__(self, "scale", as_scale(self.scale))
        for role in ("user", "item", "rating", "time"):
            _column_name(role, getattr(self, role))
        self._check_ids()
        self._check_text()
        if self.tz is not None:
            _check_zone(self.tz)

    @property
    def declared_scale(self) -> Scale | None:
        """The scale the caller declared, if any."""
        scale: Scale | None = self.scale
        return scale

    def refuse_time_settings(self, name: str) -> None:
        """Raise `ParameterError` where settings of times were given and no times are read from `name`."""
        why = "time=False reads no times" if self.time is False else f"there is no column of times in {name}"
        for setting, value in (("time_unit", self.time_unit), ("tz", self.tz)):
            if value is not None:
                raise unused(setting, value, why, "times")

    def id_kind(self, what: str) -> str | None:
        """Return the declared type of the "user" or "item" ids, or None."""
        if self.ids is None or isinstance(self.ids, str):
            return self.ids
        return self.ids.get(what)

    def _check_ids(self) -> None:
        given: Any = {} if self.ids is None else self.ids
        kinds = list(given.values()) if isinstance(given, Mapping) else [given]
        for what in given if isinstance(given, Mapping) else ():
            _one_of("a key of ids", what, ("user", "item"))
        for kind in kinds:
            _one_of("ids", kind, ID_KINDS)

    def _check_text(self) -> None:
        delimiter: Any = self.delimiter
        if delimiter is not None and (not isinstance(delimiter, str) or not delimiter.strip("\r\n\0")):
            raise ParameterError(
                f"delimiter is {self.delimiter!r}.",
                expected='one or more characters, such as "," or "::"',
                hint="Leave it out to have it recognized.",
            )
        if self.encoding is not None:
            try:
                "".encode(self.encoding)
            except (LookupError, TypeError) as error:
                raise ParameterError(
                    f"encoding is {self.encoding!r}.",
                    expected='an encoding that Python knows, such as "utf-8" or "latin-1"',
                    hint="Leave it out for UTF-8.",
                ) from error


def unused(name: str, value: str, why: str, fits: str) -> ParameterError:
    """Make the error for a setting that was given where it has no use."""
    return ParameterError(
        f'{name}="{value}" has no use here: {why}.',
        expected=f"{name} only with {fits}",
        hint=f"Leave {name} out.",
    )


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ParameterError(
            f"{name} is {value!r}.",
            expected="one of " + ", ".join(f'"{one}"' for one in allowed),
            hint=f"Choose {name} from these.",
        )


def _column_name(role: str, value: object) -> None:
    optional = role in ("rating", "time")
    if value is None or isinstance(value, str) or (optional and value is False):
        return
    raise ParameterError(
        f"{role} is {value!r}.",
        expected="the name of a column" + (", or False for none" if optional else ""),
        hint=f"Leave {role} out to have it recognized.",
    )


def _check_zone(tz: object) -> None:
    try:
        ZoneInfo(tz)  # type: ignore[arg-type]
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise ParameterError(
            f"tz is {tz!r}.",
            expected='the name of a time zone, such as "UTC" or "Europe/Berlin"',
            hint="Use a name from the IANA time zone list.",
        ) from error
