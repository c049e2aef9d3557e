"""The checked parameters of a nearest-neighbor recommender, and which of them go together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from corated.errors import ParameterError
from corated.models.centering import Centering, Plain, Zeros, get_centering
from corated.models.rules import (
    Direction,
    Like,
    Rule,
    Scope,
    check_amount,
    check_direction,
    check_rule,
    check_scope,
)
from corated.neighborhood.engine import Of, check_count
from corated.similarity.measures import Measure, get_measure

__all__ = ["Settings", "check_switch"]

_ADDING = ("votes", "weighted_votes", "sum")


@dataclass(frozen=True)
class Settings:
    """The checked parameters of a fit; see `corated.models.knn.UserKNN`.

    k : None where it depends on the recommendations asked for;  every : everyone with a value is a neighbor
    """

    side: Of
    measure: Measure
    k: int | None
    every: bool
    min_common: int
    rule: Rule
    scope: Scope
    direction: Direction
    center: Centering
    like: Like
    min_support: int
    min_similarity: float
    support_shrink: float
    half_life: float | None
    at: object
    everyone: float
    clip: bool
    fallback: bool

    @classmethod
    def of(cls, side: Of, given: Mapping[str, Any]) -> Settings:
        """Check parameters; raises `ParameterError` for one that cannot be used, or not with another."""
        k = given["k"]
        is_2n, every = (isinstance(k, str) and k == word for word in ("2n", "all"))
        least = given["min_similarity"]
        made = cls(
            side=side,
            measure=get_measure(given["measure"]),
            k=None if is_2n else 2**31 - 1 if every else _check_k(k),
            every=every,
            min_common=check_count("min_common", given["min_common"]),
            rule=check_rule(given["rule"]),
            scope=check_scope(given["scope"]),
            direction=check_direction(given["direction"]),
            center=get_centering(given["center"]),
            like=given["like"],
            min_support=check_count("min_support", given["min_support"]),
            min_similarity=-np.inf
            if least is None
            else check_amount("min_similarity", least, "a number, or None for every neighbor with a value"),
            support_shrink=check_amount(
                "support_shrink", given["support_shrink"], "a number from 0 up", least=0.0
            ),
            half_life=given["half_life"],
            at=given["at"],
            everyone=check_amount("everyone", given["everyone"], "a number from 0 up", least=0.0),
            clip=check_switch("clip", given["clip"]),
            fallback=check_switch("fallback", given["fallback"]),
        )
        made._check_together(k)
        return made

    def _check_together(self, k: object) -> None:
        rule, center = self.rule, self.center
        if rule != "mean" and not isinstance(center, Plain):
            raise _apart(f"center={str(center)!r}", rule, 'rule="mean", which measures ratings from a center')
        if rule != "mean" and self.support_shrink > 0.0:
            raise _apart(
                f"support_shrink={self.support_shrink:g}", rule, 'rule="mean", whose deviations it holds back'
            )
        if self.everyone > 0.0 and rule not in _ADDING:
            raise _apart(f"everyone={self.everyone:g}", rule, f"a rule that adds up: {', '.join(_ADDING)}")
        if isinstance(center, Zeros) and (
            self.scope == "raters" or self.k is None or self.support_shrink > 0 or self.min_support > 1
        ):
            raise ParameterError(
                f'center="zeros" cannot be used with scope={self.scope!r}, k={k!r}, '
                f"support_shrink={self.support_shrink:g} and min_support={self.min_support}.",
                expected='scope="all" and a number of neighbors: who did not rate counts too',
                hint='set scope="all", a number for k, and leave support_shrink and min_support out',
            )
        if self.direction == "reverse" and (
            self.scope == "raters" or self.k is None or self.every or rule == "closest"
        ):
            raise ParameterError(
                f'direction="reverse" cannot be used with scope={self.scope!r}, k={k!r} and rule={rule!r}.',
                expected='scope="all", a number of neighbors, and a rule that adds up',
                hint='set scope="all", a number for k, and another rule',
            )
        if self.scope == "raters" and (rule == "closest" or self.k is None):
            raise ParameterError(
                f'scope="raters" cannot be used with rule={rule!r} and k={k!r}.',
                expected="a rule that scores each item by itself, and a number of neighbors",
                hint='set scope="all", or another rule',
            )

    @property
    def is_deferred(self) -> bool:
        """Whether neighbors are sought when an answer is asked for, and not kept."""
        return self.scope == "raters" or (self.every and self.side == "users" and not self._needs_graph)

    @property
    def _needs_graph(self) -> bool:
        return self.rule == "closest" or isinstance(self.center, Zeros)

    @property
    def counts_all(self) -> bool:
        """Whether all ratings of neighbors count, and not only likes."""
        return self.rule in {"sum", "mean"}


def _apart(setting: str, rule: str, expected: str) -> ParameterError:
    return ParameterError(
        f"{setting} has no meaning with rule={rule!r}.",
        expected=expected,
        hint=f"set another rule, or leave {setting.split('=')[0]} out",
    )


def _check_k(k: object) -> int:
    """Return a number of neighbors."""
    if isinstance(k, str):
        raise ParameterError(
            f"k={k!r} cannot be used.",
            expected='a number of at least 1, "2n" for twice the recommendations, or "all"',
            hint="try k=40",
        )
    return check_count("k", k)


def check_switch(name: str, value: object) -> bool:
    """Return a parameter that is True or False; raises `ParameterError` for anything else."""
    if not isinstance(value, bool | np.bool_):
        raise ParameterError(
            f"{name}={value!r} cannot be used.", expected="True or False", hint=f"set {name}=True or False"
        )
    return bool(value)
