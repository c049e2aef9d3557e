"""What docs/measures.md says besides the measures themselves; see `corated.cli.measures_docs`."""
# ruff: noqa: E501 - lines of the page

from __future__ import annotations

from typing import Final

__all__ = [
    "ADJUSTED_HEAD",
    "EXACTNESS",
    "GUIDE",
    "HEAD",
    "ONE_ITEM",
    "OWN",
    "SHARED",
    "SHORTHANDS",
    "UNDEFINED",
]

HEAD: Final = """# Measures

<!-- Written by `python -m corated.cli.measures_docs > docs/measures.md`. Change the measures, not this page. -->

For two profiles, C is the set of items both rated, n its size, x and y their ratings on C; X and Y are the whole
profiles, with a and b ratings. Sums run over C. Every measure is undefined when n = 0, and pairs with
n < `min_common` are left out before any of them. X is the profile of who asks, Y that of the other; for items the
roles of users and items swap.

```python
import corated as cr

ratings = cr.sample(size="small").ratings
graph = cr.neighbors(ratings, measure="pearson(shrink=10)", k=5)
same = cr.neighbors(ratings, measure=cr.measures.Pearson(shrink=10), k=5)
assert graph.to_pylist() == same.to_pylist()
```
"""

UNDEFINED: Final = """## Undefined is a state

Pearson compares how two people deviate from their own means. Where one of them gave every shared item the same
rating there is no deviation, the formula is 0/0, and a notebook shows NaN, which is not equal to itself and
slips through comparisons. Here such a pair has no value, is nobody's neighbor, and `pair` says why:

```python
rows = [("ann", "a", 8), ("ann", "b", 8), ("ann", "c", 8), ("bob", "a", 9), ("bob", "b", 7), ("bob", "c", 7)]
users, items, values = zip(*rows)
alike = cr.Ratings.from_arrays(users, items, values, scale=(1, 10, 1))
flat = cr.pair(alike, "ann", "bob", measure="pearson")
assert flat.value is None
print(flat)
assert cr.pair(alike, "ann", "bob", measure="euclidean").value == 3 ** 0.5
```

Nor is it decided by a tolerance. Ratings are integer codes on their scale, all sums are exact integers, and
"flat" is the integer nΣx² − (Σx)² being 0. With floating-point sums the same test fails on one flat user in five
on a scale of tenths.
"""

EXACTNESS: Final = """## Exactness

A value is computed from exact integers by one fixed expression, for Pearson `num / sqrt(vx * vy)` in float64. It
has the same bits in any row order, on any number of threads, in any block. Order is total: better value first,
then more items in common, then the smaller id. So lists are the same too, not just values.

Sums are over rating codes c = (rating − low)/step where a shift changes nothing (`pearson`, `euclidean`, `msd`,
`manhattan`, `constrained_pearson`; the distances are multiplied by the step), and for the cosines over ratings in the
largest unit, a step or a part of one, that makes all of them integers. `spearman` has ranks, which are integers
when doubled. Scales have at most 256 levels.

What is on no scale, such as play counts, and what is made of ratings, such as deviations from a mean, takes the
same way in float64. Sums are then added up one after another in ascending order of ids, so that neither row order
nor threads change a bit. Deviations are taken so that those of equal numbers are exactly 0, and a Pearson
correlation whose variances lose digits is computed anew from the deviations on the overlap: flat is still flat.

| ratings and measure | promise |
|---|---|
| on a scale: `pearson`, `euclidean`, `msd`, `manhattan`, `cosine`, `cosine_common`, `constrained_pearson`, `spearman`; on any ratings: `jaccard`, `dice`, `overlap`, `tversky`, `conditional`; these with `weight="binary"`, `shrink`, or any adjustment but `lower_bound` | the same bits everywhere: threads, blocks, row order, machines |
| any other: on no scale, weighted, of whole profiles | the same bits on one machine; 1e-12 between machines and from the definition, for ratings whose differences are not tiny beside them: of means of other profiles (`adjusted_cosine`), as many digits are lost as the ratings have in common |
| `log_likelihood`, `asymmetric_cosine`, the walks, `lower_bound`, which take logarithms and powers | the same |
| `Custom` | sums as above, then whatever your function does |

`corated.similarity.reference` states every measure a second time, slowly, from the ratings themselves; the tests
compare the two.
"""

ONE_ITEM: Final = """## One item in common

A Euclidean distance over one shared movie is 0 as soon as two people agree on it, and 0 beats any distance over
forty movies. That is what the formula says, and seldom what is meant: ask for more with `min_common`, or take a
measure that grows with the evidence, such as `cosine`, or an adjustment such as `shrink`. On a distance adjustments
are refused: they draw values to 0, which would bring thin pairs closer still.
"""

GUIDE: Final = """## Which measure for what

No measure is best everywhere. What is certain follows from the formulas; what is best on your ratings only a
comparison on your ratings tells.

- **To recommend** from who rated what: `jaccard`, which the preset `best` takes, or `cosine`. They grow with what
  two have in common, so that pairs with one shared item do not come first. `log_likelihood` asks how surprising the
  overlap is, given how much both rated; it does not say how large.
- **To find who has the same taste** in how things were rated: `pearson`, with `min_common` at 3 or more, and
  `shrink`, `significance` or `lower_bound`, since two ratings in common always correlate by 1 or −1.
- **To predict ratings**: for items `pearson_baseline` or `adjusted_cosine`, which take away that some users are
  strict and some items good; for users `centered_cosine` or `pearson`. With `constrained_pearson`, which side of the
  scale's midpoint a rating is on counts.
- **Where people use the scale differently**: `pearson` and `spearman` mind only how ratings vary, `spearman` only
  their order. For a distance, give it `weight="zscore"` or `"minmax"`.
- **Play counts and purchases**: `cosine(weight=bm25)` or `cosine(weight=tfidf)`, or the set measures, which read no
  values; for items `rp3beta`, where β decides how much popular items are held back.
- **Lists that depend on who asks**: `conditional`, `tversky` and `asymmetric_cosine` can say that the small profile
  is like the large one and not the other way around.
- **To repeat the notebook**: `euclidean`, and mind the section above.
"""

SHORTHANDS: Final = """## Shorthands

Wherever a measure is asked for, in Python and as `--measure` on the command line, it is a record or its shorthand: a
name, or a name with parameters. Weights and adjustments are written the same way, inside. A shorthand is read, never
run. `str()` of a record is its shorthand.

| record | shorthand |
|---|---|
| `cr.measures.Pearson()` | `pearson` |
| `cr.measures.Pearson(shrink=100)` | `pearson(shrink=100)` |
| `cr.measures.Pearson(adjust=cr.measures.LowerBound(0.95))` | `pearson(adjust=lower_bound(0.95))` |
| `cr.measures.Cosine(weight=cr.measures.BM25(k1=1.2, b=0.75))` | `cosine(weight=bm25(k1=1.2, b=0.75))` |
| `cr.measures.MSD(weight="zscore", shrink=25)` | `msd(weight=zscore, shrink=25)` |
| `cr.measures.Euclidean(weight=cr.measures.Center(by="item"))` | `euclidean(weight=center(by=item))` |

```python
measure = cr.measures.get_measure("cosine(weight=bm25(k1=1.2, b=0.75), shrink=5)")
assert measure == cr.measures.Cosine(weight=cr.measures.BM25(k1=1.2, b=0.75), shrink=5)
assert cr.measures.get_measure(str(measure)) == measure
```

```sh
corated neighbors ratings.dat --measure 'cosine(weight=bm25)' -o neighbors.parquet
```
"""

SHARED: Final = """## Parameters that many have

- `weight`: what each rating counts as before the measure, see [Weights](#weights). For measures of rating values
  that do not make numbers of their own of them.
- `shrink`: s of n/(n + s), the factor that draws pairs with little in common to 0; short for
  `adjust="shrink_mul(s)"`. For `pearson_baseline` it is s of (n − 1)/(n − 1 + s), 100 by default.
- `adjust`: another adjustment, see [Adjustments](#adjustments).
"""

ADJUSTED_HEAD: Final = """## Adjustments

How much a value is to be trusted depends on how many ratings it rests on. Each is a record with a shorthand, such as
`"shrink_mul(100)"`, given to a measure as its `adjust`. On a distance they are refused: they would bring pairs with
little in common closer.
"""

OWN: Final = '''## A measure of your own

A function of the statistics of two profiles is a measure. Its parameters' names say what it reads:

| parameter | what it is |
|---|---|
| `n` | how many both rated |
| `sx`, `sy`, `sxx`, `syy`, `sxy` | Σx, Σy, Σx², Σy², Σxy over what both rated, x of who asks, or of either where the measure is symmetric |
| `sdd`, `sad` | Σ(x−y)², Σ\\|x−y\\| |
| `count_x`, `count_y` | a and b, the numbers of ratings of the whole profiles |
| `sum_x`, `sum_y`, `norm_x`, `norm_y` | sums of the whole profiles and of their squares |
| `total` | the observed size of the other side: how many items there are when users are compared |

All are in rating units. An ordinary function gets float64 arrays, one number a pair, and returns an array: plain
NumPy, nothing to compile.

```python
def trust(n, sdd):
    return n / (n + sdd + 5)

graph = cr.neighbors(ratings, measure=cr.measures.Custom(trust), k=5)
```

A function compiled by `numba.njit` gets one pair's numbers and returns one number; that reads better where there
are cases. NaN says that a pair has no value:

```python
import math
import numba

@numba.njit
def same_side(n, sx, sy, sxy):
    """Covariance of the ratings in common, for those with at least three."""
    if n < 3:
        return math.nan
    return (sxy - sx * sy / n) / n

graph = cr.neighbors(ratings, measure=cr.measures.Custom(same_side), k=5)
```

- `better="smaller"` makes it a distance.
- `symmetric=False` says that the value of (u, v) is not that of (v, u); the function is then called for both.
- `weight=` is as above. `scalar=True` has a function of scalars compiled for you, `title=` names it in results.
- What is not a number, infinity aside, is no value: such pairs are nobody's neighbors.

```python
def share(n, count_y):
    """How much of what the other rated did the one who asks rate too?"""
    return n / count_y

mine = cr.measures.Custom(share, symmetric=False)
graph = cr.neighbors(ratings, measure=mine, k=5)
assert graph.to_pylist() == cr.neighbors(ratings, measure="conditional", k=5).to_pylist()
```
'''
