"""The worked examples of docs/measures.md: each measure by hand, on one small table of ratings.

An example is a chain of expressions in the page's notation, each equal to the next. They are written from the
table alone; the value at the end is the engine's, and a test computes every expression.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

__all__ = ["ADJUSTED", "EXAMPLES", "ONE", "OTHER", "TABLE", "WEIGHTED", "Example", "facts"]

Profile = Mapping[str, float]

TABLE: dict[str, dict[str, int]] = {
    "ann": {"A": 5, "B": 3, "C": 4, "D": 1, "E": 3, "F": 2},
    "bob": {"A": 4, "B": 1, "C": 5, "D": 2, "G": 3},
    "cat": {"A": 1, "C": 3, "E": 5, "H": 4},
    "dan": {"A": 2, "B": 2, "D": 3, "F": 4},
    "eve": {"E": 4, "G": 2, "H": 5},
    "fay": {"F": 1, "G": 4, "H": 5},
}
"""Six users' ratings of eight movies, from 1 to 5."""
ONE, OTHER = "ann", "bob"
_X, _Y = TABLE[ONE], TABLE[OTHER]
_C = sorted(_X.keys() & _Y.keys())
_N, _A, _B = len(_C), len(_X), len(_Y)
_MOVIES = sorted({movie for profile in TABLE.values() for movie in profile})
_MIDPOINT = 3


class Example(NamedTuple):
    """A measure on the pair: its shorthand, what is to be known first, and expressions that are equal.

    rounded : whether numbers in the expressions are rounded
    """

    measure: str
    about: str
    steps: list[str]
    rounded: bool = False


# -- notation -------------------------------------------------------------------------------------


def _number(value: float) -> str:
    return f"{value:.5g}".replace("-", "−")


def _factor(value: float) -> str:
    return f"({_number(value)})" if value < 0 else _number(value)


def _listed(values: Iterable[float]) -> str:
    return ", ".join(map(_number, values))


def _shown(profile: Profile) -> str:
    return ", ".join(f"{movie} {_number(value)}" for movie, value in profile.items())


def _dot(x: Iterable[float], y: Iterable[float]) -> str:
    return " + ".join(f"{_factor(a)}·{_factor(b)}" for a, b in zip(x, y, strict=True))


def _squares(x: Iterable[float]) -> str:
    return " + ".join(f"{_factor(a)}²" for a in x)


def _common(profile: Profile) -> list[float]:
    return [profile[movie] for movie in _C]


def _sum(x: Iterable[float], y: Iterable[float]) -> float:
    return sum(a * b for a, b in zip(x, y, strict=True))


def facts() -> str:
    """Return the sums of the pair."""
    x, y = _common(_X), _common(_Y)
    differences = [a - b for a, b in zip(x, y, strict=True)]
    return (
        f"Both rated {', '.join(_C)}: n = {_N}, x = {_listed(x)}, y = {_listed(y)}. "
        f"So Σx = {_number(sum(x))}, Σy = {_number(sum(y))}, Σx² = {_number(_sum(x, x))}, "
        f"Σy² = {_number(_sum(y, y))}, Σxy = {_number(_sum(x, y))}, "
        f"Σ(x−y)² = {_number(_sum(differences, differences))}, "
        f"Σ|x−y| = {_number(sum(map(abs, differences)))}. Whole profiles: a = {_A}, b = {_B}, "
        f"‖X‖² = {_number(_norm(_X))}, ‖Y‖² = {_number(_norm(_Y))}; N = {len(_MOVIES)} movies."
    )


def _norm(profile: Profile) -> float:
    return _sum(profile.values(), profile.values())


# -- the forms that measures have -----------------------------------------------------------------


def _pearson(x: list[float], y: list[float]) -> list[str]:
    """(nΣxy − ΣxΣy) / √((nΣx² − (Σx)²)(nΣy² − (Σy)²)) in numbers."""
    sx, sy, sxx, syy, sxy = sum(x), sum(y), _sum(x, x), _sum(y, y), _sum(x, y)
    sums = [_number(value) for value in (sx, sy, sxx, syy, sxy)]
    above = f"({_N}·{sums[4]} − {sums[0]}·{sums[1]})"
    below = f"√(({_N}·{sums[2]} − {sums[0]}²)·({_N}·{sums[3]} − {sums[1]}²))"
    return [f"{above} / {below}", _correlation(x, y)]


def _correlation(x: list[float], y: list[float]) -> str:
    num = _N * _sum(x, y) - sum(x) * sum(y)
    vx, vy = _N * _sum(x, x) - sum(x) ** 2, _N * _sum(y, y) - sum(y) ** 2
    return f"{_number(num)} / √({_number(vx)}·{_number(vy)})"


def _cosine_common(x: list[float], y: list[float]) -> list[str]:
    short = f"{_number(_sum(x, y))} / √({_number(_sum(x, x))}·{_number(_sum(y, y))})"
    return [f"({_dot(x, y)}) / √(({_squares(x)})·({_squares(y)}))", short]


def _cosine(x: Profile, y: Profile) -> list[str]:
    product = _sum(_common(x), _common(y))
    short = f"{_number(product)} / √({_number(_norm(x))}·{_number(_norm(y))})"
    return [
        f"({_dot(_common(x), _common(y))}) / √(({_squares(x.values())})·({_squares(y.values())}))",
        short,
    ]


def _distance(x: list[float], y: list[float]) -> list[str]:
    squares = " + ".join(f"({_number(a)} − {_factor(b)})²" for a, b in zip(x, y, strict=True))
    return [f"√({squares})"]


def _minus(profile: Profile, mean: float | Profile) -> dict[str, float]:
    if isinstance(mean, Mapping):
        return {movie: value - mean[movie] for movie, value in profile.items()}
    return {movie: value - mean for movie, value in profile.items()}


def _mean(profile: Profile) -> float:
    return sum(profile.values()) / len(profile)


def _of_movie(movie: str) -> list[int]:
    return [profile[movie] for profile in TABLE.values() if movie in profile]


# -- the measures ---------------------------------------------------------------------------------


def _constrained() -> Example:
    x, y = _common(_minus(_X, _MIDPOINT)), _common(_minus(_Y, _MIDPOINT))
    about = f"Ratings minus the midpoint {_MIDPOINT}: x = {_listed(x)}; y = {_listed(y)}."
    return Example("constrained_pearson", about, _cosine_common(x, y))


def _centered() -> tuple[str, dict[str, float], dict[str, float]]:
    x, y = _minus(_X, _mean(_X)), _minus(_Y, _mean(_Y))
    means = f"The mean of {ONE} is {_number(_mean(_X))}, that of {OTHER} {_number(_mean(_Y))}."
    return f"{means} Deviations: {_shown(x)}; {_shown(y)}.", x, y


def _adjusted() -> Example:
    means = {movie: sum(_of_movie(movie)) / len(_of_movie(movie)) for movie in _C}
    x, y = ([profile[movie] - means[movie] for movie in _C] for profile in (_X, _Y))
    about = (
        f"The movies' means, over all who rated them: {_shown(means)}. Ratings minus these: "
        f"x = {_listed(x)}; y = {_listed(y)}."
    )
    return Example("adjusted_cosine", about, _cosine_common(x, y))


def _baseline() -> Example:
    """Fit μ + b_u + b_i by alternating least squares and show what it leaves."""
    rows = [(user, movie, rating) for user, profile in TABLE.items() for movie, rating in profile.items()]
    mu = sum(rating for _, _, rating in rows) / len(rows)
    user, item = dict.fromkeys(TABLE, 0.0), dict.fromkeys(_MOVIES, 0.0)
    for _ in range(10):
        for movie in item:
            left = [rating - mu - user[u] for u, m, rating in rows if m == movie]
            item[movie] = sum(left) / (10 + len(left))
        for name in user:
            left = [rating - mu - item[m] for u, m, rating in rows if u == name]
            user[name] = sum(left) / (15 + len(left))
    x, y = ([TABLE[u][m] - mu - user[u] - item[m] for m in _C] for u in (ONE, OTHER))
    about = (
        f"The mean of all ratings, μ, is {_number(mu)}; the baseline moves {ONE} by "
        f"{_number(user[ONE])} and {OTHER} by {_number(user[OTHER])}, the movies by "
        f"{_shown({movie: item[movie] for movie in _C})}. What it leaves: x = {_listed(x)}; y = {_listed(y)}."
    )
    value = _cosine_common(x, y)[-1]
    return Example("pearson_baseline", about, [f"{value}·({_N - 1} / ({_N - 1} + 100))"], rounded=True)


def _ranks(profile: Profile) -> dict[str, float]:
    values = list(profile.values())
    below = {movie: sum(other < value for other in values) for movie, value in profile.items()}
    return {movie: below[movie] + (values.count(value) + 1) / 2 for movie, value in profile.items()}


def _spearman() -> Example:
    x, y = _common(_ranks(_X)), _common(_ranks(_Y))
    about = f"Ranks in {ONE}'s whole profile: {_shown(_ranks(_X))}; in {OTHER}'s: {_shown(_ranks(_Y))}."
    return Example("spearman", about, _pearson(x, y))


def _log_likelihood() -> Example:
    total, only_a, only_b = len(_MOVIES), _A - _N, _B - _N
    neither = total - _A - only_b
    cells = [
        (_N, _A, _B),
        (only_a, _A, total - _B),
        (only_b, total - _A, _B),
        (neither, total - _A, total - _B),
    ]
    terms = " + ".join(f"{k}·ln({k}·{total} / ({row}·{column}))" for k, row, column in cells)
    about = (
        f"Of {total} movies {_N} were rated by both, {only_a} by {ONE} alone, {only_b} by {OTHER} alone, "
        f"{neither} by neither; nN = {_N * total} > {_A * _B} = ab, so it is positive."
    )
    return Example("log_likelihood", about, [f"2·({terms})"])


def _walk() -> str:
    total = sum(_X.values())
    return " + ".join(f"{_X[m]}/{total}·{_Y[m]}/{sum(_of_movie(m))}" for m in _C)


def _p3alpha() -> Example:
    totals = _listed(sum(_of_movie(movie)) for movie in _C)
    about = f"The ratings of {ONE} add up to {sum(_X.values())}, those of {', '.join(_C)} to {totals}."
    return Example("p3alpha", about, [_walk()])


def _examples() -> dict[str, Example]:
    x, y = _common(_X), _common(_Y)
    distances = " + ".join(f"|{_number(a)} − {_number(b)}|" for a, b in zip(x, y, strict=True))
    squared = _number(sum((a - b) ** 2 for a, b in zip(x, y, strict=True)))
    centered, centered_x, centered_y = _centered()
    product, norm_x, norm_y = _number(_sum(x, y)), _number(_norm(_X)), _number(_norm(_Y))
    found = [
        Example("pearson", "", _pearson(x, y)),
        Example("euclidean", "", _distance(x, y)),
        Example("msd", "", [f"1 / (1 + {squared}/{_N})"]),
        Example("manhattan", "", [distances]),
        Example("cosine", "", _cosine(_X, _Y)),
        Example("cosine_common", "", _cosine_common(x, y)),
        _constrained(),
        Example("centered_cosine", centered, _cosine(centered_x, centered_y)),
        _adjusted(),
        _baseline(),
        _spearman(),
        Example("jaccard", "", [f"{_N} / ({_A} + {_B} − {_N})"]),
        Example("dice", "", [f"2·{_N} / ({_A} + {_B})"]),
        Example("overlap", "", [f"{_N} / min({_A}, {_B})"]),
        Example(
            "tversky(alpha=0.8, beta=0.2)",
            "",
            [f"{_N} / ({_N} + 0.8·({_A} − {_N}) + 0.2·({_B} − {_N}))"],
        ),
        Example("conditional", "", [f"{_N} / {_B}"]),
        _log_likelihood(),
        Example("asymmetric_cosine(alpha=0.8)", "", [f"{product} / ({norm_x}^0.8·{norm_y}^0.2)"]),
        _p3alpha(),
        Example("rp3beta", "", [f"({_walk()}) / {_B}^0.5"]),
    ]
    return {example.measure.partition("(")[0]: example for example in found}


# -- weights --------------------------------------------------------------------------------------


def _tfidf() -> Example:
    n = len(TABLE)
    idf = {movie: math.log(n / (1 + len(_of_movie(movie)))) for movie in _MOVIES}
    x, y = ({m: math.sqrt(r) * idf[m] for m, r in profile.items()} for profile in (_X, _Y))
    about = (
        f"A was rated by {len(_of_movie('A'))} of {n}, so it counts √x·ln({n}/{1 + len(_of_movie('A'))}). "
        f"So {ONE} has {_shown(x)}, and {OTHER} {_shown(y)}."
    )
    return Example("cosine(weight=tfidf)", about, _cosine(x, y)[1:], rounded=True)


def _bm25() -> Example:
    n, lengths = len(TABLE), {user: sum(profile.values()) for user, profile in TABLE.items()}
    mean = sum(lengths.values()) / n
    weighted = []
    for user in (ONE, OTHER):
        base = 1.2 * (1 - 0.75 + 0.75 * lengths[user] / mean)
        weighted.append(
            {m: r * 2.2 / (base + r) * math.log(n / (1 + len(_of_movie(m)))) for m, r in TABLE[user].items()}
        )
    about = (
        f"The ratings of {ONE} add up to {lengths[ONE]}, those of {OTHER} to {lengths[OTHER]}, "
        f"the mean of all users' sums is {_number(mean)}. "
        f"So {ONE} has {_shown(weighted[0])}, and {OTHER} {_shown(weighted[1])}."
    )
    return Example("cosine(weight=bm25(variant=tois))", about, _cosine(*weighted)[1:], rounded=True)


def _zscore() -> Example:
    scores, sigmas = [], []
    for profile in (_X, _Y):
        deviations = _minus(profile, _mean(profile))
        sigmas.append(math.sqrt(_norm(deviations) / len(profile)))
        scores.append({movie: value / sigmas[-1] for movie, value in deviations.items()})
    x, y = map(_common, scores)
    about = (
        f"Means {_number(_mean(_X))} and {_number(_mean(_Y))}, standard deviations {_number(sigmas[0])} and "
        f"{_number(sigmas[1])}: x = {_listed(x)}; y = {_listed(y)}."
    )
    return Example("euclidean(weight=zscore)", about, _distance(x, y), rounded=True)


def _minmax() -> Example:
    x, y = (
        [(profile[m] - min(profile.values())) / (max(profile.values()) - min(profile.values())) for m in _C]
        for profile in (_X, _Y)
    )
    about = f"Both used the scale from 1 to 5: x = {_listed(x)}; y = {_listed(y)}."
    return Example("euclidean(weight=minmax)", about, _distance(x, y))


def _weighted() -> dict[str, Example]:
    centered, x, y = _centered()
    return {
        "binary": Example("cosine(weight=binary)", "", [f"{_N} / √({_A}·{_B})"]),
        "tfidf": _tfidf(),
        "bm25": _bm25(),
        "center": Example("cosine(weight=center)", centered, _cosine(x, y)[1:]),
        "zscore": _zscore(),
        "minmax": _minmax(),
    }


# -- adjustments ----------------------------------------------------------------------------------


def _adjustments() -> dict[str, Example]:
    value = _correlation(_common(_X), _common(_Y))
    above, below = value.split(" / ")
    found = [
        Example("pearson(shrink=10)", "", [f"{value}·({_N} / ({_N} + 10))"]),
        Example("pearson(adjust=shrink_mul1(10))", "", [f"{value}·({_N - 1} / ({_N - 1} + 10))"]),
        Example("pearson(adjust=shrink_add(10))", "", [f"{above} / ({below} + 10)"]),
        Example("pearson(adjust=significance(50))", "", [f"{value}·(min({_N}, 50) / 50)"]),
        Example(
            "pearson(adjust=lower_bound(0.95))",
            "For 95 % z is 1.96. The cap, 1 − 1/(2·4), is not reached.",
            [f"tanh(atanh({value}) − 1.95996 / √({_N} − 3))"],
            rounded=True,
        ),
    ]
    names = ("shrink_mul", "shrink_mul1", "shrink_add", "significance", "lower_bound")
    return dict(zip(names, found, strict=True))


EXAMPLES: dict[str, Example] = _examples()
"""An example of each measure by its name."""
WEIGHTED: dict[str, Example] = _weighted()
"""An example of each weight by its name."""
ADJUSTED: dict[str, Example] = _adjustments()
"""An example of each adjustment by its name."""
