"""What is searched: a parameter's range or choices, said in plain tuples and lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from corated.errors import ParameterError

__all__ = ["Choices", "Range", "Space", "read_space"]

_PLAIN = (type(None), bool, int, float, str)


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included; whole ones, or any."""

    kind: Literal["int", "float"]
    low: float
    high: float
    log: bool

    def suggest(self, trial: Any, name: str) -> Any:
        """Ask an Optuna trial for a value."""
        if self.kind == "int":
            return trial.suggest_int(name, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    @property
    def first(self) -> Any:
        """One of the values."""
        return int(self.low) if self.kind == "int" else self.low

    def __str__(self) -> str:
        return f"({self.low:.17g}, {self.high:.17g}{', log' if self.log else ''}; {self.kind})"


@dataclass(frozen=True)
class Choices:
    """Some values of any kind, in no order; Optuna knows those that are not plain by their text."""

    values: tuple[Any, ...]

    @property
    def labels(self) -> list[Any]:
        """What Optuna is given."""
        return [value if isinstance(value, _PLAIN) else repr(value) for value in self.values]

    def suggest(self, trial: Any, name: str) -> Any:
        """Ask an Optuna trial for a value."""
        labels = self.labels
        label = trial.suggest_categorical(name, labels)
        # True equals 1, so the type counts too.
        at = next(k for k, one in enumerate(labels) if type(one) is type(label) and one == label)
        return self.values[at]

    @property
    def first(self) -> Any:
        """One of the values."""
        return self.values[0]

    def __str__(self) -> str:
        return repr(self.labels)


Space = dict[str, Range | Choices]


def read_space(given: Any) -> Space:
    """Read a space: ``{"k": (10, 500, "log"), "measure": ["cosine", "jaccard"], "half_life": (0.5, 90.0)}``.

    A tuple is a range: of whole numbers where both ends are whole, else of any; with ``"log"`` every factor
    is as likely as any other. A list is of choices. Raises `ParameterError` for anything else.
    """
    if not isinstance(given, Mapping) or not given:
        raise ParameterError(
            f"space={given!r} names no parameters.",
            expected="a dict of one parameter or more",
            hint='for example {"k": (10, 500, "log"), "measure": ["cosine", "jaccard"]}',
        )
    return {_name(name): _dimension(name, value) for name, value in given.items()}


def _name(name: object) -> str:
    if isinstance(name, str) and name and name not in RESERVED:
        return name
    raise ParameterError(
        f"{name!r} is no name of a parameter to search.",
        expected=f"a name, and none of {', '.join(sorted(RESERVED))}",
        hint="name the parameters as the model does",
    )


RESERVED = frozenset({"trial", "value", "state", "users", "seconds", "reason"})
"""Columns of the table of trials beside the parameters."""


def _dimension(name: str, value: Any) -> Range | Choices:
    if isinstance(value, list) and value:
        found = Choices(tuple(value))
        if len({(type(label), label) for label in found.labels}) == len(value):
            return found
        raise ParameterError(f"space[{name!r}] has a choice twice.", hint="name each once")
    if isinstance(value, tuple) and 2 <= len(value) <= 3 and value[2:] in ((), ("log",)):
        low, high = value[:2]
        if all(isinstance(end, int | float | np.number) and not isinstance(end, bool) for end in (low, high)):
            return _range(name, low, high, bool(value[2:]))
    raise ParameterError(
        f"space[{name!r}]={value!r} cannot be searched.",
        expected='a tuple (low, high) or (low, high, "log"), or a list of choices',
        hint='for example (10, 500, "log"), or ["cosine", "jaccard"]',
    )


def _range(name: str, low: Any, high: Any, log: bool) -> Range:
    if not (np.isfinite(low) and np.isfinite(high) and low < high) or (log and low <= 0):
        raise ParameterError(
            f"space[{name!r}] goes from {low} to {high}{' by factors' if log else ''}.",
            expected="finite ends, the smaller one first" + (", and above 0" if log else ""),
            hint="change the ends",
        )
    whole = all(isinstance(end, int | np.integer) for end in (low, high))
    return Range("int" if whole else "float", float(low), float(high), log)
