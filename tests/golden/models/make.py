"""Makes a golden model file of the format that is written now, and the JSON of its answers, beside this.

    python tests/golden/models/make.py

Run it when the format gets a new number; files of older formats stay as they are.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import corated as cr
from corated.measures import Pearson
from corated.models.container import FORMAT

HERE = Path(__file__).parent


def fitted():
    """A model with something of everything that a file can hold."""
    world = cr.sample(users=24, items=18, ratings=190, seed=11)
    near = cr.UserKNN(
        measure=Pearson(shrink=2.5),
        k=6,
        min_common=2,
        rule="mean",
        center="mean",
        at=datetime(2017, 1, 1, 12, tzinfo=UTC),
        min_similarity=0.05,
        fallback=False,
    )
    items = cr.ItemKNN(measure="cosine(weight=binary)", k=4, rule="mean")
    model = cr.Fallback(models=[near, items, cr.Bias(epochs=3, reg_u=0.1)])
    return model.fit(world.ratings, catalog=world.catalog)


def answers(model):
    """What a model answers, floats in hexadecimal so that every bit counts."""
    users, items = model.ratings.users.ids.to_pylist(), model.ratings.items.ids.to_pylist()
    history = {items[2]: 9.0, items[5]: 2.0, items[11]: 8.0}
    found = {
        "recommend": model.recommend(n=5),
        "genres": model.recommend(users[:6], n=3, genres="Drama", exclude_seen=False),
        "history": model.recommend(history=history, n=4),
        "predict": model.predict([user for user in users[:5] for _ in items], items * 5),
    }
    return {name: [_exact(row) for row in table.to_pylist()] for name, table in found.items()}


def _exact(row):
    return {key: value.hex() if isinstance(value, float) else value for key, value in row.items()}


if __name__ == "__main__":
    model = fitted()
    cr.save(model, HERE / f"format-{FORMAT}.corated")
    text = json.dumps(answers(model), indent=1, ensure_ascii=False)
    (HERE / f"format-{FORMAT}.json").write_text(text + "\n", encoding="utf-8")
