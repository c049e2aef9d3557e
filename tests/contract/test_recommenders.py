"""The contract of `corated.testing` on every recommender of the package, in many settings."""

import subprocess
import sys

import pytest

import corated as cr
from corated.models.presets import PRESETS
from corated.testing import RecommenderContract

pytestmark = [pytest.mark.jit, pytest.mark.filterwarnings("ignore::corated.errors.CoratedNotice")]


class Ours(RecommenderContract):
    """What holds for all of ours beyond the contract."""

    saves = True

    def test_repr_makes_the_same_again(self):
        model = self.make()
        names = {name: getattr(cr, name) for name in cr.__all__}
        again = eval(repr(model), names)
        assert type(again) is type(model)
        assert repr(again) == repr(model)


MEAN = {"rule": "mean", "center": "mean"}
NEIGHBORS = {
    "plain": {},
    "votes": {"measure": "jaccard", "k": 3, "rule": "votes", "like": 6},
    "mean": {"measure": "msd", "k": 4, **MEAN},
    "mean_of_raters": {"measure": "msd", "k": 4, "scope": "raters", "clip": True, **MEAN},
    "votes_of_raters": {"measure": "msd", "k": 2, "scope": "raters", "rule": "votes", "like": 6},
    "zscore": {"measure": "cosine", "k": 4, "rule": "mean", "center": "zscore", "support_shrink": 1.0},
    "baseline": {"measure": "cosine", "k": "all", "rule": "mean", "center": "baseline"},
    "zeros": {"k": 4, "rule": "mean", "center": "zeros"},
    "sum": {"measure": "pearson(shrink=5)", "min_common": 2, "rule": "sum", "min_similarity": 0.0},
    "closest": {"measure": "euclidean", "k": "2n", "rule": "closest"},
    "closest_of_few": {"measure": "euclidean", "k": 5, "rule": "closest", "min_support": 2},
    "twice_n": {"measure": "jaccard", "k": "2n", "rule": "weighted_votes"},
    "everyone": {"measure": "jaccard", "k": "all", "half_life": 90, "everyone": 0.01, "min_support": 2},
    "some_of_everyone": {"measure": "cosine", "k": 3, "half_life": 90, "everyone": 0.5, "like": "mean"},
    "reverse": {"measure": "cosine", "k": 3, "direction": "reverse"},
    "reverse_mean": {"measure": "conditional", "k": 4, "direction": "reverse", **MEAN},
    "looking_back": {"measure": "jaccard", "k": 4, "at": "2023-11-14T22:13:20", "half_life": 200},
}


def contract(name, make, **attributes):
    """Make a class of tests of a recommender."""
    attributes["make"] = lambda self: make()
    globals()[f"Test{name}"] = type(f"Test{name}", (Ours,), attributes | {"__module__": __name__})


def title(name):
    return "".join(word.capitalize() for word in name.replace("-", "_").split("_"))


for _name, _given in NEIGHBORS.items():
    for _kind in (cr.UserKNN, cr.ItemKNN):
        contract(
            f"{_kind.__name__}{title(_name)}",
            lambda kind=_kind, given=_given: kind(**given),
            predicts=_given.get("rule") != "closest" and _given.get("k") != "2n",
            folds_in="refit" if _kind is cr.UserKNN else "profile",
            by_itself=_given.get("k") != "2n",
        )

CAN_PREDICT = [name for name in PRESETS if name not in ("best", "notebook")]
OF_USERS = ("best", "notebook", "surprise-", "lenskit-user", "tois-userknn")
for _name in PRESETS:
    contract(
        f"Preset{title(_name)}",
        lambda name=_name: cr.preset(name),
        predicts=_name in CAN_PREDICT,
        folds_in="refit" if _name.startswith(OF_USERS) else "profile",
        by_itself=_name != "notebook",
    )

contract("Popularity", cr.Popularity)
contract("PopularityOfLate", lambda: cr.Popularity(half_life=60, like=5, at="2023-10-01"))
contract("Timely", cr.Timely, folds_in="refit")
contract(
    "TimelyOfLongAgo",
    lambda: cr.Timely(
        half_life=90, everyone=0.5, everyone_half_life=None, sitting_half_life=60, window=30, like="mean"
    ),
    folds_in="refit",
)
contract(
    "TimelySince", lambda: cr.Timely(half_life=None, sittings=0, like=6, at="2024-01-01"), folds_in="refit"
)
contract("Bias", cr.Bias, predicts=True)
contract("BiasClipped", lambda: cr.Bias(epochs=1, reg_u=1, reg_i=1, clip=True), predicts=True)
contract("Ease", lambda: cr.EASE(reg=2.0), exactness="1e-6")
contract("P3Alpha", lambda: cr.P3Alpha(alpha=0.8, k=6), predicts=True)
contract("RP3Beta", lambda: cr.RP3Beta(alpha=1.1, beta=0.4, k=6), predicts=True)
contract("BiasedMF", lambda: cr.BiasedMF(factors=3, epochs=4, reg=1.0), predicts=True, exactness="1e-6")
contract("Kriging", cr.Kriging, predicts=True, folds_in="refit", exactness="1e-6")
contract("GraphFilter", lambda: cr.GraphFilter(factors=3), exactness="1e-6")
contract("ALS", lambda: cr.ALS(factors=3, iterations=4), exactness="1e-6")
contract(
    "Fallback",
    lambda: cr.Fallback(models=[cr.UserKNN(measure="jaccard", k=2, min_support=2), cr.Popularity()]),
    folds_in="refit",
)
contract(
    "FallbackOfPredictions",
    lambda: cr.Fallback(models=[cr.ItemKNN(k=2, min_support=2, fallback=False, **MEAN), cr.Bias()]),
    predicts=True,
)
contract(
    "FallbackOfFallbacks",
    lambda: cr.Fallback(
        models=[cr.UserKNN(measure="euclidean", k=1, rule="closest"), cr.Fallback(models=[cr.Popularity()])]
    ),
    folds_in="refit",
    by_itself=False,  # what the first may not list for want of support, the second may
)
contract(
    "Chosen",
    lambda: cr.Chosen(models=[cr.Timely(half_life=90), cr.Popularity()], last=0.2, like=2),
    folds_in="refit",
)
contract(
    "ChosenOfPredictors",
    lambda: cr.Chosen(models=[cr.ItemKNN(k=4, **MEAN), cr.Bias()], n=3, users=5, seed=1),
    predicts=True,
)
contract(
    "BlendOfRanks",
    lambda: cr.Blend(models=[cr.UserKNN(k=3), cr.Popularity()], by="rank"),
    folds_in="refit",
    by_itself=False,
)
contract(
    "BlendOfScores",
    lambda: cr.Blend(models=[cr.ItemKNN(k=5, **MEAN), cr.Bias()], weights=[2, 1]),
    predicts=True,
    by_itself=False,
)


def test_every_recommender_is_held_to_it():
    held = {type(one().make()) for name, one in globals().items() if name.startswith("Test")}
    public = {getattr(cr, name) for name in cr.__all__}
    kinds = {one for one in public if isinstance(one, type) and issubclass(one, cr.Recommender)}
    assert held == kinds - {cr.Recommender}


@pytest.mark.parametrize(
    ("fault", "caught"),
    [
        ("seen", "test_the_table"),
        ("padding", "test_the_table"),
        ("nan", "test_numbers_are_finite"),
        ("order", "test_the_order"),
    ],
)
def test_the_contract_catches(fault, caught):
    """A recommender with a fault fails the test that names it."""

    class Faulty(cr.Popularity):
        def recommend(self, *args, **kwargs):
            found = super().recommend(*args, **kwargs)
            lists = found._answer.lists
            if fault == "seen":
                lists.item[:] = self.ratings.by_user.indices[0]
            if fault == "padding":
                lists.size[:] = found._answer.n
            if fault == "nan":
                lists.score[:] = float("nan")
            if fault == "order":
                lists.score[:] *= -1
            return found

    class Test(RecommenderContract):
        def make(self):
            return Faulty()

    with pytest.raises(AssertionError):
        getattr(Test(), caught)()


def test_it_needs_no_pytest():
    code = "import sys, corated.testing; print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
