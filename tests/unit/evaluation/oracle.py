"""Metrics once more, user by user in plain Python, from their definitions."""

from math import log2


def gain_of(rating, gain):
    return {"binary": 1.0, "rating": rating, "exp": 2.0**rating - 1}[gain]


def dcg(gains):
    return sum(gain / log2(place + 1) for place, gain in enumerate(gains, 1))


def ndcg(row, relevant, n, gain, ideal):
    gains = {item: gain_of(rating, gain) for item, rating in relevant.items()}
    best = sorted(gains.values(), reverse=True)
    best = dcg(best[:n] if ideal == "cut" else best)
    return dcg([gains.get(item, 0.0) for item in row[:n]]) / best if best else None


def average_precision(row, relevant, n, most):
    hits, total = 0, 0.0
    for place, item in enumerate(row[:n], 1):
        if item in relevant:
            hits += 1
            total += hits / place
    return total / most


def auc(row, relevant, candidates, n_items):
    """Over all pairs of a right and a wrong candidate; those not listed are last, and tied."""
    place = {item: at for at, item in enumerate(row)}
    right = [item for item in relevant if item < n_items]
    wrong = [item for item in candidates if item not in relevant]
    if not right or not wrong:
        return None
    last = len(row)
    won = 0.0
    for good in right:
        for bad in wrong:
            ours, theirs = place.get(good, last), place.get(bad, last)
            won += 1.0 if ours < theirs else 0.5 if ours == theirs else 0.0
    return won / (len(right) * len(wrong))


def of_user(name, row, relevant, n):
    """The value of a metric of lists for one user who has something relevant."""
    top = row[:n]
    hits = [place for place, item in enumerate(top, 1) if item in relevant]
    if name.startswith("ndcg"):
        gain = next((g for g in ("rating", "exp") if name.endswith(g)), "binary")
        return ndcg(row, relevant, n, gain, "all" if "_all" in name else "cut")
    return {
        "precision": lambda: len(hits) / n,
        "recall": lambda: len(hits) / len(relevant),
        "recall_capped": lambda: len(hits) / min(n, len(relevant)),
        "hit_rate": lambda: float(bool(hits)),
        "mrr": lambda: 1 / hits[0] if hits else 0.0,
        "map": lambda: average_precision(row, relevant, n, len(relevant)),
        "map_capped": lambda: average_precision(row, relevant, n, min(n, len(relevant))),
    }[name]()
