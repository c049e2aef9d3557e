"""Result tables: the same rows for every frame library, and what is shown of them."""

import sys

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from corated.errors import MissingExtraError
from corated.tables import Table


@pytest.fixture
def table():
    return Table(pa.table({"id": ["a", "b"], "value": [0.5, None], "n": [3, 4]}))


ROWS = [{"id": "a", "value": 0.5, "n": 3}, {"id": "b", "value": None, "n": 4}]


def test_rows(table):
    assert table.to_pylist() == ROWS
    assert list(table) == ROWS
    assert len(table) == 2
    assert table.column_names == ["id", "value", "n"]


def test_arrow(table):
    assert table.to_arrow().to_pylist() == ROWS
    assert pa.table(table).equals(table.to_arrow())
    wanted = pa.schema([("id", pa.string()), ("value", pa.float64()), ("n", pa.int64())])
    assert pa.RecordBatchReader.from_stream(table, schema=wanted).read_all().schema == wanted


def test_frames(table):
    pandas = table.to_pandas()
    assert isinstance(pandas, pd.DataFrame)
    assert pandas["id"].tolist() == ["a", "b"]
    assert pandas["value"].isna().tolist() == [False, True]
    assert table.to_polars().equals(pl.DataFrame(ROWS))
    assert pl.DataFrame(table).equals(pl.DataFrame(ROWS))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_library_that_is_not_there(table, library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=f"pip install {library}"):
        getattr(table, f"to_{library}")()


def test_iterating_crosses_chunks():
    chunks = pa.chunked_array([list(range(1500)), [], list(range(1500, 2100))])
    assert [row["n"] for row in Table(pa.table({"n": chunks}))] == list(range(2100))


def test_shown_as_text(table):
    lines = repr(table).splitlines()
    assert [line.split() for line in lines] == [["id", "value", "n"], ["a", "0.5", "3"], ["b", "–", "4"]]
    assert len({line.rfind(line.split()[-1]) for line in lines}) == 1  # columns are aligned


def test_shown_in_part():
    many = Table(pa.table({"n": range(1234)}))
    assert repr(many).splitlines()[10:] == ["9", "… 1,234 rows"]
    assert many._repr_html_().count("<tr>") == 11
    assert "<p>1,234 rows</p>" in many._repr_html_()
    ten = Table(pa.table({"n": range(10)}))
    assert "rows" not in repr(ten) + ten._repr_html_()


def test_nothing_to_show():
    empty = Table(pa.table({"n": pa.array([], pa.int64())}))
    assert repr(empty) == "n"
    assert len(empty) == 0
    assert list(empty) == []


def test_what_came_with_the_data_is_harmless():
    table = Table(pa.table({"<th>": ["<script>&", "two\nlines\x1b[2J"]}))
    shown = table._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;&amp;" in shown
    assert "<th><th>" not in shown
    assert repr(table).splitlines() == ["<th>", "<script>&", "two lines [2J"]


def test_floats_are_shown_short():
    assert repr(Table(pa.table({"x": [1 / 3]}))).splitlines()[1] == "0.333333"
