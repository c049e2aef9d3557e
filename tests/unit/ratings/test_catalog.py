"""Reading catalogs: every format, ids, years, genres, and what is refused."""

import csv
import gzip
import os
import warnings
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corated.errors import CoratedNotice, DataError, IdTypeError, ParameterError
from corated.ratings._catalog_columns import year_of_title
from corated.ratings.catalog import Catalog, read_catalog
from corated.ratings.ids import IdMap

DATA = Path(os.environ.get("CORATED_DATA", Path(__file__).parents[3] / "../shared/data"))
COLUMNS = ["item_id", "title", "year", "genres"]


@pytest.fixture
def write(tmp_path):
    """Write bytes or text to a file and return its path."""

    def put(content, name="movies.dat"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return put


def rows(catalog):
    return [tuple(row[name] for name in COLUMNS) for row in catalog.to_arrow().to_pylist()]


def titles(*ids):
    return "".join(f"{id}::Title of {id} (2000)::Drama\n" for id in ids)


# -- .dat --------------------------------------------------------------------------------------


def test_dat_keeps_whatever_is_in_a_title(write):
    path = write(
        "0104257::A Few Good Men (1992)::Crime|Drama\n"
        "0000003::Mission: Impossible, \"the\" 'film' (1996)::Action\n"
        "0000002::What::ever | happened (1999)::\n"
        "0000004::É o Amor\u2028em dois\n"
        "\n"
        "0000005::  spaced :: colons (2010/II)  ::Horror|Horror| |Sci-Fi"
    )
    catalog = read_catalog(path)
    assert catalog.ids.kind == "text"
    assert rows(catalog) == [
        ("0000002", "What::ever | happened (1999)", 1999, []),
        ("0000003", "Mission: Impossible, \"the\" 'film' (1996)", 1996, ["Action"]),
        ("0000004", "É o Amor\u2028em dois", None, []),
        ("0000005", "  spaced :: colons (2010/II)  ", 2010, ["Horror", "Sci-Fi"]),
        ("0104257", "A Few Good Men (1992)", 1992, ["Crime", "Drama"]),
    ]
    assert catalog.to_arrow().schema.types == [pa.string(), pa.string(), pa.int32(), pa.list_(pa.string())]


def test_dat_without_genres_keeps_the_whole_title(write):
    assert rows(read_catalog(write("1::One::Two (1999)\n2::Plain\n"))) == [
        (1, "One::Two (1999)", 1999, []),
        (2, "Plain", None, []),
    ]


def test_windows_line_ends_and_gzip(write):
    text = titles(1, 2).replace("\n", "\r\n").encode()
    expected = rows(read_catalog(write(titles(1, 2))))
    assert rows(read_catalog(write(text))) == expected
    assert rows(read_catalog(write(gzip.compress(text), "movies.dat.gz"))) == expected
    assert rows(read_catalog(write(gzip.compress(text), "no-ending-at-all"))) == expected


@pytest.mark.parametrize(
    ("title", "year"),
    [
        ("Alien (1979)", 1979),
        ("Alien (1979) ", 1979),
        ("The Big Bang Theory (2007-)", 2007),
        ("Fawlty Towers (1975-1979)", 1975),
        ("Fawlty Towers (1975–1979)", 1975),
        ("Running (2007– )", 2007),
        ("Emperor (2010/II)", 2010),
        ("Time (1995) (V)", 1995),
        ("Time (1995) (TV) ", 1995),
        ("2001: A Space Odyssey (1968)", 1968),
        ("(1922) Nosferatu (1979)", 1979),
        ("1984", None),
        ("Blade Runner 2049", None),
        ("Alien (1979) restored", None),
        ("Alien (79)", None),
        ("Alien (????)", None),
        ("Alien (19790)", None),
        ("", None),
        (None, None),
    ],
)
def test_year_at_the_end_of_a_title(title, year):
    assert year_of_title(title) == year


# -- ids ---------------------------------------------------------------------------------------


def test_ids_are_integers_only_if_all_are(write):
    assert read_catalog(write(titles(10, 9, -3))).ids.ids.to_pylist() == [-3, 9, 10]
    many = [str(id) for id in range(1000, 1900)]
    assert read_catalog(write(titles(*many, "0104257"))).ids.kind == "text"
    assert read_catalog(write(titles(*many, "tt1"))).ids.kind == "text"


def test_ids_take_the_type_of_the_ratings(write):
    class Ratings:
        items = IdMap.from_ids(["7", "8"], "item")

    path = write(titles(7, 8))
    for ids in ("text", Ratings(), Ratings.items, {"item": "text"}):
        assert read_catalog(path, ids=ids).ids.ids.to_pylist() == ["7", "8"]
    assert read_catalog(path, ids={"user": "text"}).ids.kind == "integer"
    padded = write(titles("007", "8"), "padded.dat")
    assert read_catalog(padded).ids.ids.to_pylist() == ["007", "8"]
    assert read_catalog(padded, ids=IdMap.from_ids([7], "item")).ids.ids.to_pylist() == [7, 8]
    with pytest.raises(ParameterError, match="ids is"):
        read_catalog(path, ids="number")
    with pytest.raises(ParameterError, match="ids is"):
        read_catalog(path, ids=7)


def test_ids_that_cannot_take_the_type_of_the_ratings(write):
    with pytest.raises(DataError, match="not integers") as caught:
        read_catalog(write(titles(1, "tt2")), ids="integer")
    assert caught.value.rows == ('line 2: item id "tt2"',)
    with pytest.raises(DataError, match="would become the integer 7"):
        read_catalog(write(titles("7", "007")), ids="integer")


def test_no_item_in_common_with_the_ratings_is_told(write):
    items = IdMap.from_ids(["0000007"], "item")
    with pytest.warns(CoratedNotice, match='"0000007"') as caught:
        catalog = read_catalog(write(titles(7)), ids=items)
    assert caught[0].filename == __file__
    assert catalog.aligned(items).to_pylist() == [None]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_catalog(write(titles("0000007")), ids=items)


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("::No id (1999)::Drama", "empty"),
        ("x" * 513 + "::Long (1999)::Drama", "513 bytes long"),
    ],
)
def test_ids_that_cannot_be_used(write, line, match):
    with pytest.raises(DataError, match=match) as caught:
        read_catalog(write(titles("a", "b") + line + "\n"))
    assert caught.value.rows[0].startswith("line 3: ") and caught.value.hint


def test_an_id_of_512_bytes_is_fine(write):
    assert len(read_catalog(write(titles("x" * 512)))) == 1


def test_integers_past_int64_are_refused_or_text(write):
    path = write(titles(1, 2**63))
    with pytest.raises(DataError, match="64-bit") as caught:
        read_catalog(path)
    assert caught.value.rows == (f'line 2: item id "{2**63}"',)
    assert read_catalog(path, ids="text").ids.ids.to_pylist() == ["1", str(2**63)]


def test_float_ids(write):
    frame = pd.DataFrame({"movie_id": [2.0, 1.0], "title": ["B", "A"]})
    with pytest.warns(CoratedNotice, match="floats"):
        assert read_catalog(frame).ids.ids.to_pylist() == [1, 2]
    for bad, match in ((1.5, "no exact integers"), (None, "missing")):
        with pytest.raises(DataError, match=match) as caught:
            read_catalog(pd.DataFrame({"movie_id": [2.0, bad], "title": ["B", "A"]}))
        assert caught.value.rows[0].startswith("row 1: ")


# -- repeated items ------------------------------------------------------------------------------


def test_an_item_repeated_word_for_word_is_kept_once(write):
    catalog = read_catalog(write(titles(1, 2, 1, 1)))
    assert catalog.ids.ids.to_pylist() == [1, 2]
    assert any(notice.startswith("2 rows repeated") for notice in catalog.notices)


@pytest.mark.parametrize(
    "other", ["Other (2000)::Drama", "Title of 1 (2001)::Drama", "Title of 1 (2000)::War"]
)
def test_an_item_with_two_different_rows_is_refused(write, other):
    with pytest.raises(DataError, match="differently") as caught:
        read_catalog(write(titles(1, 2) + f"1::{other}\n"))
    assert "line 1" in caught.value.rows[0] and "line 3" in caught.value.rows[0]


# -- u.item --------------------------------------------------------------------------------------

FLAGS = "|0" * 19
ITEM = (
    "1|Toy Story (1995)|01-Jan-1995||http://x|0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
    "267|unknown||||1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
    f"3|A|B|04-Feb-1971||http://x{FLAGS}\n"
)


def test_item_with_the_usual_genres(write):
    assert rows(read_catalog(write(ITEM, "u.item"))) == [
        (1, "Toy Story (1995)", 1995, ["Animation", "Children's", "Comedy"]),
        (3, "A|B", 1971, []),
        (267, "unknown", None, []),
    ]


def test_item_with_a_u_genre_beside_it(write):
    write("First|0\nThird|2\nSecond|1\n\n", "u.genre")
    catalog = read_catalog(write("5|Five (2005)||||1|0|1\n", "u.item"), format="item")
    assert rows(catalog) == [(5, "Five (2005)", 2005, ["First", "Third"])]


@pytest.mark.parametrize("genres", ["First\n", "First|1\n", "First|x\n", ""])
def test_a_u_genre_that_is_none(write, genres):
    write(genres, "u.genre")
    with pytest.raises(DataError, match=r"u\.genre"):
        read_catalog(write(ITEM, "u.item"))


def test_item_with_a_flag_that_is_none(write):
    with pytest.raises(DataError, match="line 4: there are 24 fields"):
        read_catalog(write(ITEM + "4|D (1999)|||http://x" + "|0" * 18 + "|7\n", "u.item"))
    with pytest.raises(DataError, match="line 4: there are 5 fields"):
        read_catalog(write(ITEM + "4|D (1999)|||http://x\n", "u.item"))


# -- csv and tsv ---------------------------------------------------------------------------------


def test_csv_with_quotes_and_line_breaks(write):
    catalog = read_catalog(
        write(
            "movieId,title,genres\r\n"
            '11,"American President, The (1995)",Comedy|Drama\r\n'
            '2,"Say ""hi""\nthere (1996)",(no genres listed)\r\n'
            "3,,\r\n",
            "movies.csv",
        )
    )
    assert rows(catalog) == [
        (2, 'Say "hi"\nthere (1996)', 1996, []),
        (3, None, None, []),
        (11, "American President, The (1995)", 1995, ["Comedy", "Drama"]),
    ]
    assert "item='movieId' was recognized by its name." in catalog.notices
    assert catalog.title(3) == "3"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found(write, delimiter):
    text = (
        delimiter.join(["Item ID", "Title", "Year"])
        + "\n"
        + delimiter.join(["a", '"x,;\t|y"', "1999"])
        + "\n"
    )
    assert rows(read_catalog(write(text, "c.txt"))) == [("a", "x,;\t|y", 1999, [])]


def test_the_notebooks_form(write):
    text = (
        ",movie_id,movie,genre,date,1800's,1900's,2000's,History,Documentary\n"
        "0,8,Edison Kinetoscopic Record of a Sneeze (1894),Documentary|Short,1894,1,0,0,0,1\n"
        "1,10,La sortie des usines Lumière (1895),,1895,1,0,0,0,0\n"
    )
    assert rows(read_catalog(write(text, "movies_clean.csv"))) == [
        (8, "Edison Kinetoscopic Record of a Sneeze (1894)", 1894, ["Documentary", "Short"]),
        (10, "La sortie des usines Lumière (1895)", 1895, []),
    ]


def test_columns_that_are_named(write):
    path = write("code,label,tags,when,title\n5,five,x;y,1995-02-01,no\n", "c.csv")
    catalog = read_catalog(path, item="code", title="label", genres="tags", year="when")
    assert rows(catalog) == [(5, "five", 1995, ["x", "y"])]
    assert catalog.notices == ()
    assert rows(read_catalog(path, item="code")) == [(5, "no", None, [])]
    with pytest.raises(ParameterError, match="no column 'nope' for year=") as caught:
        read_catalog(path, item="code", year="nope")
    assert "'when'" in caught.value.expected


def test_columns_are_not_taken_twice(write):
    path = write("movie,name,title\n1,x,The Title\n", "c.csv")
    assert rows(read_catalog(path)) == [(1, "The Title", None, [])]
    assert rows(read_catalog(path, title="movie", item="title")) == [("The Title", "1", None, [])]
    assert rows(read_catalog(write("id,movie\n1,x\n", "d.csv"))) == [(1, "x", None, [])]


@pytest.mark.parametrize(
    ("cell", "year"),
    [
        ("1995", 1995),
        ("1995.0", 1995),
        ("01-Jan-1995", 1995),
        ("1995-01-02", 1995),
        ("", 1977),
        ("n/a", 1977),
    ],
)
def test_a_year_column_wins_over_the_title(write, cell, year):
    path = write(f"id,title,year\n1,Star Wars (1977),{cell}\n", "c.csv")
    assert read_catalog(path).years.to_pylist() == [year]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("movieId;title\n1;A\n2;B;C\n", "line 3: there are 3 fields"),
        ("movieId,title\n1,A\n\n2\n", "line 4: there are 1 fields"),
        ('movieId,title\n1,A\n2,"B\n3,C\n', "line 3: "),
        ('movieId,title\n1,"A"x\n', "line 2: "),
        ("movieId,title\n", "no items"),
        ("movieId,genres\n1,Drama\n", "no column for the title"),
        ("title,genres\nA,Drama\n", "no column for the item id"),
        ("movieId title\n1 A\n", "no column for the item id"),
        ("movieId,title,title\n1,A,B\n", "2 columns are named 'title'"),
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("movieId,title\n1,A\0\n", "line 2: there is a NUL"),
    ],
)
def test_csv_that_cannot_be_read(write, text, match):
    with pytest.raises(DataError, match=match) as caught:
        read_catalog(write(text, "c.csv"))
    assert "c.csv" in caught.value.what and caught.value.hint


def test_a_line_break_in_quotes_does_not_shift_the_lines_told(write):
    with pytest.raises(DataError, match="line 4: there are 1 fields"):
        read_catalog(write('movieId,title\n1,"A\nB"\n2\n', "c.csv"))


def test_ratings_given_as_a_catalog(write):
    with pytest.raises(DataError, match="these are ratings") as caught:
        read_catalog(write("1::1193::5::978300760\n1::661::3::978302109\n", "ratings.dat"))
    assert "read_ratings" in caught.value.hint
    with pytest.raises(DataError, match="title") as caught:
        read_catalog(write("userId,movieId,rating,timestamp\n1,2,3,4\n", "ratings.csv"))


def test_a_line_without_the_separator(write):
    with pytest.raises(DataError, match="line 2: there is no '::'") as caught:
        read_catalog(write(titles(1) + "2:Two (1999):Drama\n"))
    assert caught.value.rows == ("2:Two (1999):Drama",)


# -- encodings -----------------------------------------------------------------------------------


def test_latin1_is_read_with_a_notice_and_without_one_when_named(write):
    path = write("1::Cité (1995)::Drama\n".encode("latin-1"))
    with pytest.warns(CoratedNotice, match="Latin-1") as caught:
        catalog = read_catalog(path)
    assert catalog.title(1) == "Cité (1995)"
    assert caught[0].filename == __file__
    assert "line 1: byte 0xe9 at offset 6 is not UTF-8" in catalog.notices[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_catalog(path, encoding="latin-1").title(1) == "Cité (1995)"


def test_other_encodings(write):
    text = "1::Cité “(1995)”::Drama\n"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert read_catalog(write(text.encode(encoding))).title(1) == "Cité “(1995)”"
    assert read_catalog(write(text.encode("cp1252")), encoding="cp1252").title(1) == "Cité “(1995)”"
    with pytest.raises(DataError, match="line 1: byte 0xe9 at offset 6 is not ascii"):
        read_catalog(write(text.encode("cp1252")), encoding="ascii")
    with pytest.raises(ParameterError, match="no encoding named 'nonsense'"):
        read_catalog(write(text), encoding="nonsense")


# -- Parquet, Arrow, frames ------------------------------------------------------------------------

FRAME = {
    "movieId": ["b", "a"],
    "title": ["Bee (2001)", None],
    "genres": [["x", "y"], None],
    "other": [1, 2],
}
EXPECTED = [("a", None, None, []), ("b", "Bee (2001)", 2001, ["x", "y"])]


def test_parquet_and_arrow_files(tmp_path):
    table = pa.table(FRAME)
    pq.write_table(table, tmp_path / "c.parquet")
    with pa.ipc.new_file(tmp_path / "c.arrow", table.schema) as writer:
        writer.write_table(table)
    with pa.ipc.new_stream(tmp_path / "c.arrows", table.schema) as writer:
        writer.write_table(table)
    assert rows(read_catalog(tmp_path / "c.parquet")) == EXPECTED
    assert rows(read_catalog(str(tmp_path / "c.arrow"))) == EXPECTED
    assert rows(read_catalog(tmp_path / "c.arrows", format="arrow")) == EXPECTED
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DataError, match="readable parquet"):
        read_catalog(tmp_path / "bad.parquet")


@pytest.mark.parametrize(
    "made",
    [
        FRAME,
        pa.table(FRAME),
        pa.table(FRAME).set_column(0, "movieId", pa.array(["b", "a"]).dictionary_encode()),
        pd.DataFrame(FRAME),
        pl.DataFrame(FRAME),
    ],
    ids=["dict", "arrow", "dictionary", "pandas", "polars"],
)
def test_frames(made):
    assert rows(read_catalog(made)) == EXPECTED


def test_a_pandas_index_is_a_column():
    frame = pd.DataFrame(
        {"movie": ["B", "A"], "date": pd.to_datetime(["2001-05-06", None])},
        index=pd.Index([8, 5], name="movie_id"),
    )
    assert rows(read_catalog(frame)) == [(5, "A", None, []), (8, "B", 2001, [])]


def test_text_ids_of_a_frame_stay_text():
    frame = {"id": ["1", "2"], "title": ["A", "B"]}
    assert read_catalog(frame).ids.kind == "text"
    assert read_catalog(frame, ids="integer").ids.kind == "integer"
    assert read_catalog({"id": [1, 2], "title": ["A", "B"]}, ids="text").ids.ids.to_pylist() == ["1", "2"]


def test_frames_that_cannot_be_read():
    with pytest.raises(DataError, match="cannot be turned into Arrow"):
        read_catalog(pd.DataFrame({"id": [1, "1"], "title": ["A", "B"]}))
    with pytest.raises(DataError, match="type bool"):
        read_catalog({"id": [True], "title": ["A"]})
    with pytest.raises(DataError, match="no items"):
        read_catalog({"id": pa.array([], pa.int64()), "title": pa.array([], pa.string())})
    with pytest.raises(ParameterError, match="from int"):
        read_catalog(7)
    with pytest.raises(ParameterError, match="for files"):
        read_catalog(FRAME, encoding="utf-8")


def test_files_that_cannot_be_opened(tmp_path):
    for path in (tmp_path / "missing.dat", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            read_catalog(path)
    with pytest.raises(ParameterError, match="no format 'xlsx'"):
        read_catalog(tmp_path / "missing.dat", format="xlsx")
    (tmp_path / "short.gz").write_bytes(gzip.compress(b"x" * 1000)[:-4])
    with pytest.raises(DataError, match="damaged gzip"):
        read_catalog(tmp_path / "short.gz")


def test_column_names_are_refused_where_there_are_none(write):
    with pytest.raises(ParameterError, match="title='name' cannot be used"):
        read_catalog(write(titles(1)), title="name")


def test_a_format_that_is_given_is_used(write):
    path = write("id::x,title\n1::y,A\n", "c.dat")
    assert rows(read_catalog(path, format="csv", item="id::x")) == [("1::y", "A", None, [])]
    with pytest.raises(DataError, match="no column for the item id"):
        read_catalog(write("id,title\n1,A\n", "c.csv"), format="tsv")


# -- the catalog itself ----------------------------------------------------------------------------


@pytest.fixture
def catalog(write) -> Catalog:
    return read_catalog(write("3::Three (1993)::X|Y\n1::One (1991)::X\n2::<b>Two</b>::\n"))


def test_title_falls_back_to_the_id(catalog):
    assert catalog.title(3) == "Three (1993)"
    assert catalog.title(99) == "99"
    with pytest.raises(IdTypeError, match="are integers"):
        catalog.title("3")


def test_aligned_is_in_the_order_of_the_items(catalog):
    items = IdMap.from_ids([9, 3, 1, -4], "item")
    assert catalog.aligned(items).to_pylist() == [None, "One (1991)", "Three (1993)", None]
    assert catalog.aligned_genres(items).to_pylist() == [None, ["X"], ["X", "Y"], None]
    with pytest.raises(DataError, match="integer, those of the ratings are text"):
        catalog.aligned(IdMap.from_ids(["1"], "item"))


def test_catalog_as_a_table(catalog):
    assert len(catalog) == 3 and 3 in catalog and 4 not in catalog and "3" not in catalog
    assert repr(catalog) == "Catalog(3 items, integer ids, years 1991–1993, 2 genres)"
    assert "&lt;b&gt;Two" in catalog._repr_html_() and "<b>Two" not in catalog._repr_html_()
    assert pa.table(catalog).equals(catalog.to_arrow())
    assert pl.DataFrame(catalog).columns == COLUMNS
    with pytest.raises(AttributeError):
        catalog.titles = None


def test_a_catalog_without_years_says_nothing_of_them(write):
    assert repr(read_catalog(write("1::A::\n"))) == "Catalog(1 items, integer ids, 0 genres)"


# What csv and .dat cannot carry: line ends, lone surrogates, NUL.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0\ufeff"), max_size=20)


@given(st.dictionaries(st.integers(-(2**63), 2**63 - 1), TEXT, min_size=1, max_size=8))
def test_titles_survive_csv_and_dat(tmp_path_factory, made):
    folder = tmp_path_factory.mktemp("round")
    with (folder / "c.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["item_id", "title"])
        writer.writerows(made.items())
    text = "".join(f"{id}::{title}::Drama\n" for id, title in made.items())
    (folder / "c.dat").write_bytes(text.encode())
    expected = [made[id] or None for id in sorted(made)]
    for name in ("c.csv", "c.dat"):
        catalog = read_catalog(folder / name)
        assert catalog.ids.ids.to_pylist() == sorted(made)
        assert catalog.titles.to_pylist() == expected


# -- real catalogs ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "count", "kind", "id", "title", "year", "genres"),
    [
        ("movietweetings-100k/movies.dat", 10506, "text", "0104257", "A Few Good Men (1992)", 1992, 4),
        ("ml-100k/u.item", 1682, "integer", 1, "Toy Story (1995)", 1995, 3),
        ("ml-latest-small/movies.csv", 9125, "integer", 108548, "Big Bang Theory, The (2007-)", 2007, 1),
        ("ml-1m-half/movies.dat", 3883, "integer", 73, "Misérables, Les (1995)", 1995, 2),
    ],
)
@pytest.mark.filterwarnings("ignore::corated.errors.CoratedNotice")
def test_real_catalogs(name, count, kind, id, title, year, genres):
    if not (DATA / name).is_file():
        pytest.skip(f"no {name} in {DATA}; set CORATED_DATA")
    catalog = read_catalog(DATA / name)
    assert len(catalog) == count and catalog.ids.kind == kind
    assert catalog.titles.null_count == 0
    assert catalog.years.null_count <= 5
    row = catalog.ids.code(id)
    assert (catalog.title(id), catalog.years[row].as_py(), len(catalog.genres[row])) == (title, year, genres)
