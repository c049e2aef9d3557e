"""The rules of recommendation once more, slow and obvious: plain dicts, from the definitions alone.

Users and items are whatever ids are; a *subject* is the one whose neighbors are asked (a user, or an item for
item-based models), a *thing* what they rated. Similarities come from `corated.similarity.reference`.
"""

import math
from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from corated.similarity import reference

DAY = 86_400_000_000


@dataclass(frozen=True)
class Options:
    """What `UserKNN` and `ItemKNN` are told, by the same names."""

    measure: str = "cosine"
    k: int | str = 40
    min_common: int = 1
    rule: str = "weighted_votes"
    like: float | str | None = None
    min_support: int = 1
    scope: str = "all"
    direction: str = "forward"
    center: str | None = None
    min_similarity: float | None = None
    support_shrink: float = 0.0
    half_life: float | None = None
    at: int | None = None  # microseconds
    everyone: float = 0.0
    clip: bool = False
    fallback: bool = True


class Row(NamedTuple):
    item: object
    score: float | None
    support: int
    source: str


class Neighbor(NamedTuple):
    who: object
    s: float
    n: int


@dataclass
class Oracle:
    """Answers for every user and item of some ratings, one at a time."""

    ratings: object
    side: str
    options: Options
    given: dict = field(default_factory=lambda: defaultdict(dict))  # subject -> thing -> rating
    time: dict = field(default_factory=dict)  # (subject, thing) -> microseconds

    def __post_init__(self):
        names = ("user_id", "item_id") if self.side == "users" else ("item_id", "user_id")
        table = self.ratings.to_arrow().to_pylist()
        times = [0] * len(table) if self.ratings.times is None else self.ratings.times.tolist()
        for row, time in zip(table, times, strict=True):
            subject, thing = (row[name] for name in names)
            self.given[subject][thing] = row["rating"]
            self.time[subject, thing] = time
        self.given = dict(self.given)
        self.things = sorted({thing for profile in self.given.values() for thing in profile})
        self.all = [(s, t, r) for s, profile in self.given.items() for t, r in profile.items()]
        self.mu = float(sum(Fraction(r) for *_, r in self.all) / len(self.all)) if self.all else 0.0
        self.latest = max(self.time.values(), default=0)
        self._near, self._baseline = {}, None

    # -- ratings ----------------------------------------------------------------------------------

    def counts(self, subject, thing):
        """What a rating counts by its age; 0 for one from after the time that is looked from."""
        half_life, at = self.options.half_life, self.options.at
        if half_life is None and at is None:
            return 1.0
        now = self.latest if at is None else at
        time = self.time[subject, thing]
        if time > now:
            return 0.0
        return 1.0 if half_life is None else 2.0 ** (-((now - time) / DAY) / half_life)

    def likes(self, subject, thing):
        """Whether the user of the two likes the item of the two."""
        rating, like = self.given[subject][thing], self.options.like
        if like is None:
            return rating >= reference.default_like(self.ratings)
        if like == "mean":
            user = subject if self.side == "users" else thing
            own = [Fraction(r) for s, t, r in self.all if user == (s if self.side == "users" else t)]
            return Fraction(rating) >= sum(own) / len(own)
        return rating >= like

    def brings(self, subject, thing):
        """Whether a rating takes part: one that counts, and a like where likes are what counts."""
        if thing not in self.given[subject] or self.counts(subject, thing) <= 0.0:
            return False
        return self.options.rule in ("sum", "mean") or self.likes(subject, thing)

    # -- neighbors --------------------------------------------------------------------------------

    def value(self, subject, other):
        return reference.value(
            self.ratings,
            subject,
            other,
            of=self.side,
            measure=self.options.measure,
            min_common=self.options.min_common,
        ).value

    def everybody(self, subject):
        """All others with a value, closest first."""
        if subject in self._near:
            return self._near[subject]
        distance, rows = reference.is_distance(self.options.measure), []
        for other in self.given:
            value = None if other == subject else self.value(subject, other)
            if value is not None:
                n = len(self.given[subject].keys() & self.given[other].keys())
                s = 1.0 / (1.0 + value) if distance else value
                rows.append((value if distance else -value, -n, other, s))
        found = [Neighbor(other, s, -n) for _, n, other, s in sorted(rows)]
        self._near[subject] = found
        return found

    def k(self, n):
        k = self.options.k
        return 2 * n if k == "2n" else len(self.given) if k == "all" else k

    def similar(self, neighbors):
        least = self.options.min_similarity
        return [near for near in neighbors if least is None or near.s >= least]

    def neighbors(self, subject, n=None):
        """Those of scope "all": the k closest, or those who have the subject among theirs."""
        k = self.k(n)
        if self.options.direction == "forward":
            return self.similar(self.everybody(subject)[:k])
        return self.similar(
            Neighbor(other, near.s, near.n)
            for other in self.given
            for near in self.everybody(other)[:k]
            if near.who == subject
        )

    def supporters(self, subject, thing, n=None):
        """The neighbors who stand behind a thing."""
        if self.options.scope == "all":
            return [near for near in self.neighbors(subject, n) if self.brings(near.who, thing)]
        raters = [
            near
            for near in self.similar(self.everybody(subject))
            if thing in self.given[near.who] and self.counts(near.who, thing) > 0.0
        ]
        return [near for near in raters[: self.k(n)] if self.brings(near.who, thing)]

    # -- what is expected -------------------------------------------------------------------------

    def mean(self, subject):
        values = [Fraction(r) for r in self.given[subject].values()]
        return float(sum(values) / len(values))

    def spread(self, subject):
        values = [Fraction(r) for r in self.given[subject].values()]
        mean = sum(values) / len(values)
        return math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))

    def baseline(self):
        """mu, b_user, b_item by ten rounds of alternating least squares: items first, 10 and 15 at rest."""
        if self._baseline is None:
            rows = [(s, t, r) if self.side == "users" else (t, s, r) for s, t, r in self.all]
            b_user = dict.fromkeys([u for u, _, _ in rows], 0.0)
            b_item = dict.fromkeys([i for _, i, _ in rows], 0.0)
            for _ in range(10):
                for item in b_item:
                    left = [r - self.mu - b_user[u] for u, i, r in rows if i == item]
                    b_item[item] = sum(left) / (10 + len(left))
                for user in b_user:
                    left = [r - self.mu - b_item[i] for u, i, r in rows if u == user]
                    b_user[user] = sum(left) / (15 + len(left))
            self._baseline = b_user, b_item
        return self._baseline

    def expected(self, subject, thing):
        """What the center says of a pair without any neighbor; None is somebody unknown."""
        center = self.options.center
        if center is None:
            return self.mu
        if center == "baseline":
            user, item = (subject, thing) if self.side == "users" else (thing, subject)
            b_user, b_item = self.baseline()
            return self.mu + b_user.get(user, 0.0) + b_item.get(item, 0.0)
        return self.mu if subject is None or thing is None else self.mean(subject)

    def deviation(self, subject, thing):
        """How far a rating lies from the center of whoever gave it (or, for items, of what it is of)."""
        rating, center = self.given[subject][thing], self.options.center
        if center is None:
            return rating
        if center == "baseline":
            return rating - self.expected(subject, thing)
        values = [Fraction(r) for r in self.given[subject].values()]
        above = float(Fraction(rating) - sum(values) / len(values))
        if center == "mean":
            return above
        return above / self.spread(subject) if self.spread(subject) > 0 else 0.0

    # -- scores -----------------------------------------------------------------------------------

    def zeros(self, subject, thing):
        """Who did not rate counts as having rated 0, among all the k neighbors."""

        def whole_mean(one):
            return sum(self.given[one].values()) / len(self.things)

        near = self.neighbors(subject)
        weight = math.fsum(abs(one.s) for one in near)
        if not weight:
            return whole_mean(subject)
        terms = []
        for one in near:
            x = 0.0
            if self.brings(one.who, thing):
                x = self.given[one.who][thing] * self.counts(one.who, thing)
            terms.append(one.s * (x - whole_mean(one.who)))
        return whole_mean(subject) + math.fsum(terms) / weight

    def before(self, user, item):
        """What everyone else's likes give an item."""
        total = []
        for subject, thing, _ in self.all:
            u, i = (subject, thing) if self.side == "users" else (thing, subject)
            if i == item and u != user and self.likes(subject, thing):
                total.append(self.counts(subject, thing))
        return self.options.everyone * math.fsum(total)

    def score(self, user, item, n=None):
        """(score or None, support, source) of a pair."""
        options = self.options
        subject, thing = (user, item) if self.side == "users" else (item, user)
        near = self.supporters(subject, thing, n)
        support, value = len(near), None
        if options.center == "zeros":
            return self.zeros(subject, thing), support, "neighbors"
        if support >= options.min_support:
            count = [self.counts(one.who, thing) for one in near]
            s = [1.0 if options.rule == "votes" else one.s for one in near]
            if options.rule in ("votes", "weighted_votes"):
                value = math.fsum(a * c for a, c in zip(s, count, strict=True))
            elif options.rule == "sum":
                value = math.fsum(
                    one.s * c * self.given[one.who][thing] for one, c in zip(near, count, strict=True)
                )
            else:
                value = self._mean(subject, thing, near, count)
        before = self.before(user, item) if options.everyone else 0.0
        if value is not None:
            return value + before, support, "neighbors"
        return (before, support, "everyone") if before > 0.0 else (None, support, "")

    def _mean(self, subject, thing, near, count):
        weight = math.fsum(abs(one.s) * c for one, c in zip(near, count, strict=True))
        if weight == 0.0:
            return None
        terms = [one.s * c * self.deviation(one.who, thing) for one, c in zip(near, count, strict=True)]
        above = math.fsum(terms) / weight * len(near) / (len(near) + self.options.support_shrink)
        if self.options.center == "zscore":
            above *= self.spread(subject)
        return above + (0.0 if self.options.center is None else self.expected(subject, thing))

    # -- answers ----------------------------------------------------------------------------------

    def users(self):
        return sorted(self.given) if self.side == "users" else self.things

    def items(self):
        return self.things if self.side == "users" else sorted(self.given)

    def seen(self, user, item):
        subject, thing = (user, item) if self.side == "users" else (item, user)
        return thing in self.given[subject]

    def ranking(self, user, n, *, exclude_seen=True):
        """All candidates of a user, best first."""
        if self.options.rule == "closest":
            return self._closest(user, n, exclude_seen)
        rows = []
        for item in self.items():
            if exclude_seen and self.seen(user, item):
                continue
            score, support, source = self.score(user, item, n)
            if score is not None:
                rows.append(Row(item, score, support, source))
        return sorted(rows, key=lambda row: (-row.score, -row.support, row.item))

    def _closest(self, user, n, exclude_seen):
        turns = []  # what each source brings in, source by source
        if self.side == "users":
            for near in self.neighbors(user, n):
                brought = [t for t in self.given[near.who] if self.brings(near.who, t)]
                turns.append(sorted(brought, key=lambda t: (-self.given[near.who][t], t)))
        else:
            mine = [item for item in self.given if self.brings(item, user)]
            for item in sorted(mine, key=lambda i: (-self.given[i][user], i)):
                turns.append([near.who for near in self.neighbors(item, n)])
        order = dict.fromkeys(item for turn in turns for item in turn)
        support = {item: sum(item in turn for turn in turns) for item in order}
        return [
            Row(item, None, support[item], "neighbors")
            for item in order
            if support[item] >= self.options.min_support and not (exclude_seen and self.seen(user, item))
        ]

    def predict(self, user, item):
        """(value or None, support, status) of a pair of ids, of which either may be None: unknown."""
        if user is None or item is None:
            value, support, status = None, 0, "unknown_user" if user is None else "unknown_item"
        else:
            value, support, _ = self.score(user, item)
            status = "too_few" if value is None else "ok"
        options, scale = self.options, self.ratings.scale
        if value is None and options.rule == "mean" and options.fallback:
            value = self.expected(*((user, item) if self.side == "users" else (item, user)))
            status = "fallback" if status == "too_few" else status
        if value is not None and options.clip and scale is not None:
            value = min(max(value, scale.low), scale.high)
        return value, support, status
