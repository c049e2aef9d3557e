"""Records of parameters, and their shorthand: ``"pearson"``, ``"pearson(shrink=100)"``, ``"bm25(k1=1.2)"``.

A shorthand is a name, or a name with arguments in Python's notation: numbers, words, and other shorthands.
It is read, never run.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import inspect
import math
import numbers
from collections.abc import Mapping
from typing import Any, ClassVar, Self, TypeVar

from corated.errors import ParameterError

__all__ = ["Record", "check_choice", "check_number", "read_record"]

R = TypeVar("R", bound="Record")


class _Signature:
    """What ``help()`` shows of a record: the parameters of its ``__init__``, whatever ``__new__`` takes."""

    def __get__(self, _: object, owner: type[Any]) -> inspect.Signature:
        whole = inspect.signature(owner.__init__)
        return whole.replace(parameters=list(whole.parameters.values())[1:])


@dataclasses.dataclass(frozen=True)
class Record:
    """Named parameters; ``str()`` gives the shorthand, with what differs from the defaults."""

    name: ClassVar[str]
    __signature__: ClassVar[_Signature] = _Signature()

    def __new__(cls, *_: object, **named: object) -> Self:
        """Refuse what is no parameter with a reason; the rest is ``__init__``'s."""
        cls._refuse_unknown(named)
        return super().__new__(cls)

    @classmethod
    def _refuse_unknown(cls, named: Mapping[str, object]) -> None:
        """Raise `ParameterError` for the first name that is no parameter."""
        fields = [field.name for field in dataclasses.fields(cls) if field.init]
        unknown = next((name for name in named if name not in fields), None)
        if unknown is not None:
            reason, hint = cls._why_not(unknown)
            close = difflib.get_close_matches(unknown, fields, n=1)
            raise ParameterError(
                f"{cls.name} takes no parameter {unknown!r}" + (f": {reason}." if reason else "."),
                expected=_form(cls),
                hint=hint or (f"did you mean {close[0]}?" if close else ""),
            )

    @classmethod
    def _why_not(cls, parameter: str) -> tuple[str, str]:  # noqa: ARG003 - for whoever knows more
        """Return why there is no such parameter, and what to do instead; each may be empty."""
        return "", ""

    def parameters(self) -> dict[str, Any]:
        """Return the parameters by name, those at their defaults included."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def __str__(self) -> str:
        given = [
            f"{field.name}={_shown(getattr(self, field.name))}"
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        ]
        return f"{self.name}({', '.join(given)})" if given else self.name


def _form(kind: type[Record]) -> str:
    """Return how a shorthand with all parameters is written."""
    fields = [field.name for field in dataclasses.fields(kind) if field.init]
    return f"{kind.name}({', '.join(f'{field}=…' for field in fields)})" if fields else kind.name


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def check_number(
    record: Record, field: str, *, above: float = -math.inf, least: float = -math.inf, below: float = math.inf
) -> None:
    """Check a numeric parameter and keep it as a float; raises `ParameterError`."""
    value = getattr(record, field)
    if not isinstance(value, bool) and isinstance(value, numbers.Real):
        number = float(value)
        if math.isfinite(number) and number > above and number >= least and number < below:
            object.__setattr__(record, field, number)
            return
    bounds = [f"above {above:g}"] if above > -math.inf else []
    bounds += [f"of at least {least:g}"] if least > -math.inf else []
    bounds += [f"below {below:g}"] if below < math.inf else []
    raise ParameterError(
        f"{record.name}: {field}={value!r} cannot be used.",
        expected=" ".join(["a number", " and ".join(bounds)]).strip(),
    )


def check_choice(record: Record, field: str, choices: tuple[str, ...]) -> None:
    """Check a parameter that is one of a few words; raises `ParameterError`."""
    value = getattr(record, field)
    if value not in choices:
        raise ParameterError(
            f"{record.name}: {field}={value!r} cannot be used.", expected=f"one of {', '.join(choices)}"
        )


def read_record(given: object, kinds: Mapping[str, type[R]], base: type[R], what: str) -> R:
    """Return a record given as itself or as its shorthand; raises `ParameterError` naming what there is.

    kinds : the records by the names of their shorthands;  what : what they are called in messages
    """
    if isinstance(given, base):
        return given
    if isinstance(given, str):
        name, positional, named = _parse(given, what)
        if name in kinds:
            return _make(kinds[name], positional, named, given)
        given = name
    if not isinstance(given, str):
        raise _no_record(given, kinds, base, what)
    close = difflib.get_close_matches(given, kinds, n=1)
    raise ParameterError(
        f"Unknown {what} {given!r}.",
        expected=f"one of {', '.join(kinds)}",
        hint=f"did you mean {close[0]}?" if close else "choose one of these",
    )


def _no_record(
    given: object, kinds: Mapping[str, type[Record]], base: type[Record], what: str
) -> ParameterError:
    """Return the error for what is neither a record nor a text."""
    expected = f"a {what}, or its shorthand as text"
    if isinstance(given, type) and issubclass(given, base):
        return ParameterError(
            f"The class {given.__name__} was given as the {what}.",
            expected=expected,
            hint=f"make one: {given.__name__}()",
        )
    if isinstance(given, Record):
        return ParameterError(
            f"{given} is no {what}.",
            expected=expected,
            hint="weights and adjustments are parameters of a measure",
        )
    is_function = callable(given) and what == "measure"
    hint = "wrap the function in corated.measures.Custom(…)" if is_function else f"try {next(iter(kinds))!r}"
    return ParameterError(
        f"{given!r} was given as the {what}: {type(given).__name__}.", expected=expected, hint=hint
    )


def _make(kind: type[R], positional: list[Any], named: dict[str, Any], given: str) -> R:
    kind._refuse_unknown(named)
    ordered = [field.name for field in dataclasses.fields(kind) if field.init and not field.kw_only]
    twice = [name for name in ordered[: len(positional)] if name in named]
    if twice or len(positional) > len(ordered):
        most = f"at most {len(ordered)} parameters" if ordered else "no parameters"
        wrong = f"{twice[0]!r} once" if twice else f"{most} without their names"
        raise ParameterError(f"{given!r} cannot be read: {kind.name} takes {wrong}.", expected=_form(kind))
    return kind(**dict(zip(ordered, positional, strict=False)), **named)


def _parse(text: str, what: str) -> tuple[str, list[Any], dict[str, Any]]:
    """Split a shorthand into its name and its arguments."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        if isinstance(tree, ast.Name):
            return tree.id, [], {}
        if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
            named = {keyword.arg: _argument(keyword.value) for keyword in tree.keywords}
            if None not in named and len(named) == len(tree.keywords):
                return (
                    tree.func.id,
                    [_argument(argument) for argument in tree.args],
                    {str(name): value for name, value in named.items()},
                )
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    raise ParameterError(
        f"Unknown {what} {text!r}.",
        expected='a name, or a name with parameters, such as "pearson" or "pearson(shrink=100)"',
    )


def _argument(node: ast.expr) -> Any:
    """Return an argument: a number or word, or another shorthand as text."""
    if isinstance(node, ast.Name):
        return {"True": True, "False": False, "None": None}.get(node.id, node.id)
    if isinstance(node, ast.Call):
        return ast.unparse(node)
    return ast.literal_eval(node)
