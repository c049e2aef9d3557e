"""What k candidates are certain to reach, known before any pair is met.

Where sums of shared objects only grow, one shared object alone gives a lower bound: a product of two factors
for a cosine, 1 / (1 + α(a − 1) + β(b − 1)) for Tversky's ratios. If more than k raters of an object have at
least a certain factor, then each of its raters has k candidates with at least that bound, and the screening
can begin with it instead of with nothing.
"""

from __future__ import annotations

import numpy as np

from corated.similarity.finalize import SCREEN_PRODUCT
from corated.similarity.jit import allocating
from corated.similarity.profiles import Profiles
from corated.similarity.tasks import Task
from corated.similarity.topk import Floats, Ints

__all__ = ["certain"]

_SLACK = 1.0 - 1e-12
"""What rounding can do to a value, and more."""


@allocating
def certain(profiles: Profiles, task: Task, integers: Ints, k: int, floor: Floats) -> None:
    """Set ``floor`` to what k candidates of each subject reach at least, where that is known.

    integers : int64, what each rating code stands for; not used for Tversky
    floor : float64 (n,), by label, −∞; filled

    For tasks that screen by a product or by Tversky's ratio, take pairs with one object in common, and whose
    values nothing adjusts. O(ratings).
    """
    rater_ptr, indptr, objects, codes = profiles.rater_ptr, profiles.indptr, profiles.objects, profiles.codes
    bound, is_product = task.bound, task.screen == SCREEN_PRODUCT
    code_bits = (1 << profiles.shift) - 1
    reached = np.full(len(rater_ptr) - 1, -np.inf)
    factors = np.empty(np.diff(rater_ptr).max() if len(rater_ptr) > 1 else 0)
    for column in range(len(reached)):
        first, many = rater_ptr[column], rater_ptr[column + 1] - rater_ptr[column]
        if many <= k:
            continue
        for j in range(many):
            rater = np.int64(profiles.raters[first + j])
            v = rater >> profiles.shift
            factors[j] = integers[rater & code_bits] / bound[v] if is_product else -bound[v]
        # One more than k, since the subject itself is among them.
        reached[column] = np.partition(factors[:many], many - 1 - k)[many - 1 - k]
    for u in range(len(indptr) - 1):
        for entry in range(indptr[u], indptr[u + 1]):
            factor = reached[objects[entry]]
            if factor == -np.inf:
                continue
            if is_product:
                value = integers[codes[entry]] / bound[u] * factor
            else:
                value = 1.0 / (1.0 + task.alpha * (bound[u] - 1.0) + task.beta * (-factor - 1.0))
            if value > 0.0:
                floor[u] = max(floor[u], value * _SLACK)
