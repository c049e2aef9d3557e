"""What a fitted model keeps beyond its ratings and parameters: named arrays, and facts for the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Packed"]

Array = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Packed:
    """Arrays by name, and facts that JSON can carry."""

    arrays: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def together(cls, parts: list[Packed]) -> Packed:
        """Return several as one, each under its number."""
        arrays = {f"{at}/{name}": made for at, part in enumerate(parts) for name, made in part.arrays.items()}
        return cls(arrays, {"parts": [dict(part.facts) for part in parts]})

    def part(self, at: int) -> Packed:
        """Return one of those put together."""
        start = f"{at}/"
        arrays = {name[len(start) :]: made for name, made in self.arrays.items() if name.startswith(start)}
        return Packed(arrays, self.facts["parts"][at])
