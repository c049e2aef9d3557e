"""A model's class and parameters as JSON, and back: read, never run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from corated.errors import CoratedError, ParameterError

if TYPE_CHECKING:
    from corated.models.base import Recommender

__all__ = ["KNOWN", "Wrong", "described", "model_of", "plain_model", "shown_model"]

Wrong = Callable[[str], CoratedError]
"""Makes the error of a sentence's end, such as "its ids are not unique"."""

KNOWN: Final[Mapping[str, str]] = {
    "ALS": "corated.models.als",
    "Bias": "corated.models.bias",
    "BiasedMF": "corated.models.biased_mf",
    "Blend": "corated.models.blend",
    "Chosen": "corated.models.chosen",
    "EASE": "corated.models.ease",
    "Fallback": "corated.models.fallback",
    "GraphFilter": "corated.models.graph_filter",
    "ItemKNN": "corated.models.knn",
    "Kriging": "corated.models.kriging",
    "P3Alpha": "corated.models.graph_walk",
    "Popularity": "corated.models.popularity",
    "RP3Beta": "corated.models.graph_walk",
    "Timely": "corated.models.timely",
    "UserKNN": "corated.models.knn",
}
"""The recommenders that can be kept, and where each is; nothing else is ever imported for a file."""

_MAX_DEPTH: Final = 20
_MAX_MODELS: Final = 100
_MAX_TEXT: Final = 10_000
_MAX_EPOCHS: Final = 10_000
_BEYOND: Final = 2**63


# -- writing --------------------------------------------------------------------------------------


def described(model: Recommender, depth: int = _MAX_DEPTH) -> dict[str, Any]:
    """Return a model's class and parameters as JSON.

    Numbers, text, True, False and None stand for themselves, a list for a list. Whatever else there is stands
    in an object of one key, which tells what it is: ``measure`` and ``centering`` with the shorthand of a
    record, ``datetime`` and ``datetime64`` with a time in ISO form, ``tuple``, and ``model`` with the same
    again. Raises `ParameterError` for what cannot be told so.
    """
    name = type(model).__name__
    if name not in KNOWN or type(model) is not _class_of(name):
        raise ParameterError(
            f"A {name} cannot be kept: it is no recommender of Corated, and a file holds no code.",
            expected=f"one of {', '.join(KNOWN)}",
            hint="Keep one of these, or what your own is made of.",
        )
    given = {
        key: _told(value, f"{name}({key}=…)", depth - 1)
        for key, value in model.get_params(deep=False).items()
    }
    return {"class": name, "parameters": given}


def _told(value: object, where: str, depth: int) -> Any:
    from corated.models.base import Recommender
    from corated.models.centering import Centering
    from corated.similarity.custom import Custom
    from corated.similarity.measures import Measure

    if depth <= 0:
        raise _cannot(where, f"nested more than {_MAX_DEPTH} deep", "fewer models within models")
    if value is None or isinstance(value, bool | str):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, np.bool_ | np.number):
        value = value.item()
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, np.ndarray) and value.ndim == 1:
        value = value.tolist()  # parameters that are arrays, such as weights, may as well be lists
    if isinstance(value, list | tuple):
        inner = [_told(one, where, depth - 1) for one in value]
        return inner if isinstance(value, list) else {"tuple": inner}
    if isinstance(value, Recommender):
        return {"model": described(value, depth)}
    if isinstance(value, Measure | Centering) and not isinstance(value, Custom):
        return {"measure" if isinstance(value, Measure) else "centering": str(value)}
    if isinstance(value, np.datetime64) and not np.isnat(value):
        return {"datetime64": str(value.astype("M8[us]"))}
    if isinstance(value, datetime):
        return {"datetime": value.isoformat()}
    if isinstance(value, Custom) or callable(value):
        raise _cannot(where, "a function of your own, which is code", "a measure of corated.measures")
    raise _cannot(where, f"{value!r}, a {type(value).__name__}", "numbers, text, records and recommenders")


def _cannot(where: str, got: str, expected: str) -> ParameterError:
    return ParameterError(
        f"{where} cannot be kept in a model file: it is {got}.",
        expected=expected,
        hint="Fit with a parameter that can be written down, or fit again instead of keeping the model.",
    )


# -- reading --------------------------------------------------------------------------------------


def model_of(told: object, wrong: Wrong) -> Recommender:
    """Return the unfitted model that was described, its parameters as they were.

    A parameter that is missing has its default: files of an older version may lack those that came later.
    Raises what ``wrong`` makes.
    """
    return _Reader(wrong).model(told, _MAX_DEPTH)


def _class_of(name: str) -> type[Recommender]:
    found: type[Recommender] = getattr(import_module(KNOWN[name]), name)
    return found


class _Reader:
    """Turns a description into a model; counts models, since each takes work."""

    def __init__(self, wrong: Wrong) -> None:
        self._wrong, self._models = wrong, 0

    def model(self, told: object, depth: int) -> Recommender:
        """Return a model."""
        name, given = _parts(told, self._wrong)
        self._models += 1
        if self._models > _MAX_MODELS or depth <= 0:
            raise self._wrong("it has too many models within models")
        kind = _class_of(name)
        known = kind._parameters()
        unknown = next((key for key in given if key not in known), None)
        if unknown is not None:
            raise self._wrong(f"a {name} has no parameter {_quoted(unknown)}")
        values = {key: self._value(value, f"{name}'s {key}", depth - 1) for key, value in given.items()}
        try:
            return kind(**values)
        except TypeError as error:  # one that has no default
            raise self._wrong(f"a parameter of its {name} is missing") from error

    def _value(self, told: Any, where: str, depth: int) -> Any:
        if depth <= 0:
            raise self._wrong(f"{where} is nested too deeply")
        if told is None or isinstance(told, bool | float):
            return told
        if isinstance(told, int):
            if abs(told) >= _BEYOND:
                raise self._wrong(f"{where} is beyond the 64-bit integers")
            return told
        if isinstance(told, str):
            if len(told) > _MAX_TEXT:
                raise self._wrong(f"{where} is text of {len(told):,} characters")
            return told
        if isinstance(told, list):
            return [self._value(one, where, depth - 1) for one in told]
        if isinstance(told, dict) and len(told) == 1:
            ((tag, inner),) = told.items()
            return self._tagged(tag, inner, where, depth)
        raise self._wrong(f"{where} is not told as parameters are")

    def _tagged(self, tag: str, inner: Any, where: str, depth: int) -> Any:
        if tag == "model":
            return self.model(inner, depth)
        if tag == "tuple" and isinstance(inner, list):
            return tuple(self._value(one, where, depth - 1) for one in inner)
        if isinstance(inner, str) and len(inner) <= _MAX_TEXT and tag in _FROM_TEXT:
            try:
                return _FROM_TEXT[tag](inner)
            except (ParameterError, ValueError, OverflowError) as error:
                raise self._wrong(f"{where} is no {tag}") from error
        raise self._wrong(f"{where} is not told as parameters are")


def _measure(text: str) -> object:
    from corated.similarity.measures import get_measure

    return get_measure(text)


def _centering(text: str) -> object:
    from corated.models.centering import get_centering

    return get_centering(text)


def _datetime64(text: str) -> object:
    found = np.datetime64(text, "us")
    if str(found) != text:  # beyond 64 bits it wraps around
        raise ValueError(text)
    return found


_FROM_TEXT: Final[Mapping[str, Callable[[str], object]]] = {
    "measure": _measure,
    "centering": _centering,
    "datetime": datetime.fromisoformat,
    "datetime64": _datetime64,
}


def check_rounds(record: object, wrong: Wrong) -> None:
    """Refuse rounds of fitting a baseline that would not end in time, in a measure or a centering."""
    epochs = getattr(record, "epochs", 0)
    if epochs > _MAX_EPOCHS:
        raise wrong(f"it asks for {epochs:,} rounds of fitting a baseline, and {_MAX_EPOCHS:,} are the most")


# -- showing --------------------------------------------------------------------------------------


def plain_model(told: object, wrong: Wrong) -> dict[str, Any]:
    """Return a description with records, times and tuples as what they hold: for reading by people."""
    name, given = _parts(told, wrong)
    return {"class": name, "parameters": {key: _plain(value, wrong) for key, value in given.items()}}


def _plain(told: Any, wrong: Wrong) -> Any:
    if isinstance(told, list):
        return [_plain(one, wrong) for one in told]
    if isinstance(told, dict):
        if len(told) != 1:
            raise wrong("a parameter is not told as parameters are")
        ((tag, inner),) = told.items()
        return plain_model(inner, wrong) if tag == "model" else _plain(inner, wrong)
    return told


def shown_model(plain: Mapping[str, Any], indent: str = "") -> str:
    """Write what `plain_model` returns as lines: the class, and its parameters below, further in."""
    lines = [f"{indent}{plain['class']}"]
    for key, value in sorted(plain["parameters"].items()):
        if isinstance(value, list) and any(isinstance(one, dict) for one in value):
            deeper = f"{indent}    "
            lines.append(f"{indent}  {key}")
            lines += [
                shown_model(one, deeper) if isinstance(one, dict) else f"{deeper}{one}" for one in value
            ]
        else:
            start = f"{indent}  {key} = "
            lines.append(shown_model(value, start) if isinstance(value, dict) else f"{start}{value}")
    return "\n".join(lines)


def _parts(told: object, wrong: Wrong) -> tuple[str, dict[str, Any]]:
    """Return the class, which is known, and the parameters."""
    if not isinstance(told, dict) or set(told) != {"class", "parameters"}:
        raise wrong("a model in it is not told as models are")
    name, given = told["class"], told["parameters"]
    if not isinstance(name, str) or name not in KNOWN:
        raise wrong(f"it is of the class {_quoted(name)}, and known are {', '.join(KNOWN)}")
    if not isinstance(given, dict):
        raise wrong(f"the parameters of its {name} are not told by name")
    return name, given


def _quoted(value: object) -> str:
    """Render what a file says for a message: in ASCII and not long, whatever it is."""
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."
