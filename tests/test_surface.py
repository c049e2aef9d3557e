"""The public surface, the layers, and how quick the package is to import."""

import subprocess
import sys

import corated as cr

PUBLIC = {
    "ALS", "BiasedMF", "Blend",
    "Bias", "Catalog", "Chosen", "CoratedError", "CoratedNotice", "EASE", "Embedded", "Explanation",
    "Fallback", "GraphFilter", "ItemKNN", "Kriging", "LiveIndex",
    "Neighbors", "P3Alpha", "Popularity", "RP3Beta",
    "Ratings", "Recommendations", "Recommender", "Scale", "Timely", "UserKNN", "__version__", "all_pairs",
    "diagnose", "compare", "evaluate", "tune",
    "fetch", "load", "measures", "neighbors", "open", "pair", "plan", "preset", "read_catalog",
    "read_ratings", "sample", "save",
}  # fmt: skip


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_public_names():
    assert set(cr.__all__) == PUBLIC
    for name in cr.__all__:
        assert getattr(cr, name) is not None
    assert set(dir(cr)) >= PUBLIC


def test_measures_are_at_hand_without_what_compiles():
    code = (
        "import sys, corated as cr; print(cr.measures.Pearson(shrink=100), cr.measures.__name__); "
        "import corated.measures; print(cr.measures is corated.measures, 'numba' in sys.modules)"
    )
    assert run(code) == ["pearson(shrink=100)", "corated.measures", "True", "False"]


def test_measures_names_everything_there_is():
    for kinds in (cr.measures.MEASURES, cr.measures.WEIGHTS, cr.measures.ADJUSTMENTS):
        assert {kind.__name__ for kind in kinds.values()} <= set(cr.measures.__all__)
    assert all(getattr(cr.measures, name) is not None for name in cr.measures.__all__)


def test_unknown_name():
    try:
        cr.nothing  # noqa: B018
    except AttributeError as error:
        assert "nothing" in str(error)
    else:
        raise AssertionError("corated.nothing exists")


def test_import_loads_nothing_heavy():
    loaded = run("import sys, corated; print(*sorted(sys.modules))")
    assert not {"numpy", "numba", "scipy", "pyarrow", "pandas", "click", "rich"} & set(loaded)


def test_pandas_and_polars_are_not_needed():
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('pandas', 'polars', 'matplotlib'): raise ImportError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "import corated as cr; r = cr.Ratings.from_arrays([1, 1, 2], [1, 2, 1], [5, 5, 4])\n"
        "table = cr.preset('best').fit(r).recommend(); print(len(table.to_arrow()))\n"
        "str(r.check()); repr(table)\n"
        "try: table.to_pandas()\n"
        "except cr.CoratedError as error: print(str(error).endswith('pip install pandas'))"
    )
    assert run(code) == ["1", "True"]


def test_public_functions_win_over_the_folders_of_the_same_name():
    code = "from corated.models import knn; import corated as c; print(*map(callable, (c.neighbors, c.pair)))"
    assert run(code) == ["True", "True"]


def test_columns_are_part_of_the_surface():
    ratings = cr.Ratings.from_arrays([1, 1, 2, 2], [1, 2, 1, 3], [5, 3, 4, 5])
    graph = cr.neighbors(ratings, measure="cosine")
    assert graph.column_names == ["id", "neighbor", "rank", "value", "n_common"]
    result = cr.preset("best").fit(ratings).recommend()
    assert result.column_names == ["user_id", "item_id", "rank", "score", "support", "source"]
    types = [str(kind) for kind in result.to_arrow().schema.types[:5]]
    assert types == ["int64", "int64", "int32", "double", "int64"]
