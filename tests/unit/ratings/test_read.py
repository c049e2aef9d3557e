import gzip
import io
import pathlib
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from corated.errors import CoratedNotice, DataError, ParameterError
from corated.ratings import blocks
from corated.ratings.read import read_ratings
from corated.ratings.scale import Scale

HEADER = "user_id,item_id,rating,timestamp\n"
AT = 1_381_620_027


@pytest.fixture
def write(tmp_path):
    """A function that writes a file and returns its path."""

    def made(content, name="ratings.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return made


@pytest.fixture
def refused(write):
    """A function that reads what must be refused and returns the message."""

    def message(content, name="ratings.csv", **options):
        path = write(content, name)
        with pytest.raises(DataError) as caught:
            read_ratings(path, **options)
        assert str(caught.value).startswith(f"{path}: ")
        assert caught.value.hint
        return str(caught.value).replace(str(path), name)

    return message


@pytest.fixture
def small_blocks(monkeypatch):
    """Text is read in blocks of a few bytes, so that every edge of a block is met."""
    read = blocks.Text.blocks

    def set_size(size):
        monkeypatch.setattr(blocks.Text, "blocks", lambda self, dialect, n_bytes=0: read(self, dialect, size))

    return set_size


def rows(ratings):
    return [tuple(row.values())[:3] for row in ratings.to_arrow().to_pylist()]


# -- forms ------------------------------------------------------------------------------------

PLAIN = [(1, 2, 3.5), (1, 10, 0.0), (2, 2, 5.0)]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("1::2::3.5::9\n1::10::0::9\n2::2::5::9\n", "ratings.dat"),
        ("1::2::3.5\n1::10::0\n2::2::5", "ratings.dat"),
        ("1\t2\t3.5\t9\n1\t10\t0\t9\n2\t2\t5\t9\n", "u.data"),
        ("1\t2\t3.5\t9\n1\t10\t0\t9\n2\t2\t5\t9\n", "u1.base"),
        ("1,2,3.5,9\n1,10,0,9\n2,2,5,9\n", "ratings.csv"),
        ("1 2 3.5 9\n1 10 0 9\n2 2 5 9\n", "ratings.txt"),
        ("1|2|3.5|9\n1|10|0|9\n2|2|5|9\n", "ratings.txt"),
        ("user_id,item_id,rating\n1,2,3.5\n1,10,0\n2,2,5\n", "ratings.csv"),
        ("user_id;item_id;rating\n1;2;3.5\n1;10;0\n2;2;5\n", "ratings.csv"),
        ("user_id\titem_id\trating\n1\t2\t3.5\n1\t10\t0\n2\t2\t5\n", "ratings.tsv"),
        ("user_id::item_id::rating\n1::2::3.5\n1::10::0\n2::2::5\n", "ratings.dat"),
        ('"user_id","item_id","rating"\n"1","2","3.5"\n"1","10","0"\n"2","2","5"\n', "ratings.csv"),
        ("rating,item_id,user_id\n3.5,2,1\n0,10,1\n5,2,2\n", "ratings.csv"),
        ("user_id, item_id, rating\n1,2, 3.5\n1,10, 0\n2,2, 5\n", "ratings.csv"),
        ("\n\nuser_id,item_id,rating\n1,2,3.5\n\n1,10,0\n2,2,5\n\n\n", "ratings.csv"),
        ("user_id,item_id,rating\r\n1,2,3.5\r\n1,10,0\r\n2,2,5\r\n\r\n", "ratings.csv"),
        ("user_id,item_id,rating\r1,2,3.5\r1,10,0\r2,2,5\r", "ratings.csv"),
        ("\ufeffuser_id,item_id,rating\n1,2,3.5\n1,10,0\n2,2,5\n", "ratings.csv"),
        ("\ufeff1::2::3.5::9\n1::10::0::9\n2::2::5::9\n", "ratings.dat"),
        ('user_id,item_id,rating,t\n1,2,3.5,"a,\n""b"""\n1,10,0,"c\n"\n2,2,5,d\n', "ratings.csv"),
        ('user_id,item_id,rating,t\n1,2,3.5,5" disk\n1,10,0,x\n2,2,5,d\n', "ratings.csv"),
        ('user_id\titem_id\trating\tt\n1\t2\t3.5\t""\n1\t10\t0\t"x"\n2\t2\t5\t\n', "ratings.tsv"),
        ("user_id,item_id,rating,,\n1,2,3.5,,\n1,10,0,,\n2,2,5,,\n", "ratings.csv"),
    ],
)
@pytest.mark.parametrize("size", [None, 1, 7, 64])
def test_text(write, small_blocks, content, name, size):
    if size:
        small_blocks(size)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert rows(read_ratings(write(content, name), time=False)) == PLAIN
        assert rows(read_ratings(write(gzip.compress(content.encode()), name + ".gz"), time=False)) == PLAIN


def test_gzip_of_several_members(write):
    members = gzip.compress(b"1::2::3.5\n1::1") + gzip.compress(b"0::0\n2::2::5\n")
    assert rows(read_ratings(write(members, "ratings.dat"))) == PLAIN


def test_a_delimiter_of_ones_own(write, small_blocks):
    content = "user_id||item_id||rating\n1||2||3.5\n1||10||0\n2||2||5\n"
    for size in (1, 5, 1000):
        small_blocks(size)
        assert rows(read_ratings(write(content), delimiter="||")) == PLAIN
    assert rows(read_ratings(write(content.replace("||", "~")), delimiter="~")) == PLAIN


def test_colons_in_ids(write, small_blocks):
    for size in (1, 2, 3, 100):
        small_blocks(size)
        read = read_ratings(write("a:b::c::3\na::c:d:e::4\n", "ratings.dat"))
        assert rows(read) == [("a", "c:d:e", 4.0), ("a:b", "c", 3.0)]


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "feather", "stream"])
def test_typed_files(tmp_path, suffix):
    table = pa.table(
        {
            "__index_level_0__": [5, 6, 7],
            "user_id": [1, 1, 2],
            "item_id": pa.array(["007", "7", "007"]).dictionary_encode(),
            "rating": [3.5, 0, 5],
            "timestamp": pa.array([AT] * 3, pa.timestamp("s", "UTC")),
        }
    )
    path = tmp_path / f"ratings.{suffix}"
    if suffix == "parquet":
        pa.parquet.write_table(table, path, row_group_size=2)
    elif suffix == "feather":
        pa.feather.write_feather(table, path)
    else:
        make = pa.ipc.new_file if suffix == "arrow" else pa.ipc.new_stream
        with make(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=2)
    expected = [(1, "007", 3.5), (1, "7", 0.0), (2, "007", 5.0)]
    for source in (path, str(path), path.open("rb"), io.BytesIO(path.read_bytes())):
        ratings = read_ratings(source)
        assert rows(ratings) == expected
        assert ratings.times.tolist() == [AT * 10**6] * 3
        assert ratings.notices == ()
    with pytest.raises(ParameterError, match="delimiter was given"):
        read_ratings(path, delimiter=",")


def test_text_in_parquet_stays_text(tmp_path):
    pa.parquet.write_table(pa.table({"user_id": ["1"], "item_id": ["2"], "rating": ["3"]}), tmp_path / "r")
    assert rows(read_ratings(tmp_path / "r")) == [("1", "2", 3.0)]


def test_tables_are_read_too():
    assert rows(read_ratings({"user_id": [1, 1, 2], "item_id": [2, 10, 2], "rating": [3.5, 0, 5]})) == PLAIN
    with pytest.raises(ParameterError, match="encoding was given"):
        read_ratings({"user_id": [1], "item_id": [1]}, encoding="utf-8")


CSV = "user_id,item_id,rating\n1,2,3.5\n1,10,0\n2,2,5\n"


def test_open_files_and_standard_input(write, monkeypatch):
    compressed = gzip.compress(CSV.encode())
    path = write(CSV)
    with path.open("rb") as binary, path.open() as text:
        assert rows(read_ratings(binary)) == rows(read_ratings(text)) == PLAIN
    assert rows(read_ratings(io.StringIO(CSV))) == PLAIN
    for content in (CSV.encode(), compressed):
        assert rows(read_ratings(io.BytesIO(content))) == PLAIN
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
        assert rows(read_ratings("-")) == PLAIN


def test_pipes_are_named_in_errors(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"user_id,item_id,rating\n1,2,x\n")))
    with pytest.raises(DataError, match="standard input: 1 rating cannot be used") as caught:
        read_ratings("-")
    assert "line 2: 1,2,x" in str(caught.value)
    with pytest.raises(DataError, match="the open file: 1 rating"):
        read_ratings(io.BytesIO(b"user_id,item_id,rating\n1,2,x\n"))


REVIEWS = (
    ",user_id,movie_id,rating,timestamp,date,month_1,month_2,year_2013\n"
    "0,1,68646,10,1381620027,2013-10-12 23:20:27,0,0,1\n"
    "1,1,113277,9,1379466669,2013-09-18 01:11:09,0,0,1\n"
    "2,2,422720,8,1412178746,2014-10-01 15:52:26,0,1,0\n"
)


@pytest.mark.parametrize("index", ["", "Unnamed: 0"])
def test_the_notebooks_reviews(write, index):
    path = write(index + REVIEWS)
    with pytest.warns(CoratedNotice, match="item='movie_id'"):
        ratings = read_ratings(path)
    assert rows(ratings) == [(1, 68646, 10.0), (1, 113277, 9.0), (2, 422720, 8.0)]
    assert ratings.times.tolist() == [1381620027000000, 1379466669000000, 1412178746000000]
    by_date = read_ratings(path, user="user_id", item="movie_id", rating="rating", time="date")
    assert by_date.times.tolist() == ratings.times.tolist()
    assert any("are UTC, as the Unix times beside them show" in notice for notice in by_date.notices)


def test_headerless_columns_are_reported_not_warned_of(write):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ratings = read_ratings(write(f"1::2::3::{AT}\n1::3::4::{AT}\n", "ratings.dat"))
    assert any("no header; its columns were taken as user, item, rating, time" in n for n in ratings.notices)
    with pytest.warns(CoratedNotice, match="no column of ratings"):
        assert read_ratings(write("1\t2\n1\t3\n", "pairs.tsv")).values.tolist() == [1, 1]


def test_a_warning_points_at_the_caller(write):
    with pytest.warns(CoratedNotice) as caught:
        read_ratings(write("userId,movieId,rating\n1,2,3\n"))
    assert caught[0].filename == __file__


def test_headerless_names_can_be_given(write):
    path = write("9,1,2,3,x\n8,1,3,4,x\n")
    read = read_ratings(path, user="item", item="rating", rating="time", time=False)
    assert rows(read) == [(1, 2, 3.0), (1, 3, 4.0)]


# -- ids --------------------------------------------------------------------------------------


def test_one_late_text_id_makes_all_text(write, small_blocks):
    small_blocks(64)
    lines = [f"{n}::{n + 5}::3" for n in range(1000)]
    read = read_ratings(write("\n".join([*lines, "7::0104257::3"]), "ratings.dat"))
    assert (read.users.kind, read.items.kind) == ("integer", "text")
    assert read.items.code("0104257") >= 0
    assert read.profile(7) == {"12": 3.0, "0104257": 3.0}


@pytest.mark.parametrize("odd", ["-0", "+1", "1e3", " 1", "1 ", "00", "١", "0x1", "1_0"])
def test_what_is_no_canonical_integer_makes_all_text(write, odd):
    read = read_ratings(write(f"user_id,item_id,rating\n1,5,3\n1,{odd},4\n"))
    assert read.items.kind == "text"
    assert set(read.items) == {"5", odd}


def test_integers_of_every_size(write):
    numbers = [-(2**63), -1, 0, 2**63 - 1]
    content = "".join(f"{n},{n},3\n" for n in numbers)
    assert list(read_ratings(write("user_id,item_id,rating\n" + content)).users) == numbers


def test_integers_past_64_bits(write, refused):
    content = "user_id,item_id,rating\n1,5,3\n1,9223372036854775808,3\n"
    message = refused(content)
    assert "the item ids go beyond the 64-bit integers" in message
    assert "line 3: 1,9223372036854775808,3" in message
    assert 'ids={"item": "text"}' in message
    assert list(read_ratings(write(content), ids={"item": "text"}).items) == ["5", "9223372036854775808"]


def test_floats(write, refused):
    with pytest.warns(CoratedNotice, match="user ids are floats without a fraction"):
        read = read_ratings(write("user_id,item_id,rating\n1.0,5,3\n123.0,5,3\n"))
    assert list(read.users) == [1, 123]
    message = refused("user_id,item_id,rating\n1.0,5,3\n123.5,5,3\n")
    assert "user ids are numbers with a fraction, not integers, in 1 row" in message
    assert "line 3: 123.5,5,3" in message
    message = refused("user_id,item_id,rating\n1.0,5,3\n1,5,3\n")
    assert "a mixture of integers and floats (1 and 1.0)" in message
    assert "line 2: 1.0,5,3" in message
    assert "line 3: 1,5,3" in message
    declared = read_ratings(write("user_id,item_id,rating\n1.0,5,3\n123.5,5,3\n"), ids={"user": "text"})
    assert list(declared.users) == ["1.0", "123.5"]


def test_declared_text(write):
    read = read_ratings(write(CSV), ids="text")
    assert rows(read) == [("1", "10", 0.0), ("1", "2", 3.5), ("2", "2", 5.0)]


def test_unicode_is_kept(write):
    ids = ["é", "e\u0301", "😀", "a b", "a/b", "%2F", "\u2028x", "A"]
    content = "user_id,item_id,rating\n" + "".join(f"{one},{one},3\n" for one in ids)
    assert list(read_ratings(write(content)).items) == sorted(ids)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (",2,3", "user ids are empty in 1 row"),
        ("1,,3", "item ids are empty in 1 row"),
        (f"1,{'x' * 513},3", "longest item id is 513 bytes long"),
        (f"{'é' * 300},1,3", "longest user id is 600 bytes long"),
        ('1,"a\nb",3', "the item ids contain a line end"),
    ],
)
def test_ids_that_cannot_be_used(refused, line, message):
    found = refused(f"user_id,item_id,rating\n1,2,3\n{line}\n")
    assert message in found
    assert "line 3: " in found


# -- ratings ----------------------------------------------------------------------------------

BAD = (
    HEADER
    + f"1,2,,{AT}\n\n1,3,nan,{AT}\n2,2,-inf,{AT}\n2,3,abc,{AT}\n2,4,3,{AT}\n"
    + f"3,4,9,{AT}\n3,5,,{AT}\n3,6,,{AT}\n"
)


def test_bad_ratings_are_counted_and_shown(refused, small_blocks):
    for size in (10, 50, 1 << 20):
        small_blocks(size)
        message = refused(BAD)
        assert "6 ratings cannot be used: 4 missing (empty or NaN), 1 not a number, 1 infinite." in message
        shown = [line.strip() for line in message.splitlines() if line.startswith("  ")]
        assert shown == [
            f"line 2: 1,2,,{AT}",
            f"line 4: 1,3,nan,{AT}",
            f"line 5: 2,2,-inf,{AT}",
            f"line 6: 2,3,abc,{AT}",
            f"line 9: 3,5,,{AT}",
        ]
        assert 'on_bad="drop"' in message


def test_bad_ratings_can_be_dropped(write, small_blocks):
    for size in (10, 1 << 20):
        small_blocks(size)
        with pytest.warns(CoratedNotice, match="6 rows left out: rating 4 missing"):
            read = read_ratings(write(BAD), on_bad="drop")
        assert rows(read) == [(2, 4, 3.0), (3, 4, 9.0)]
        assert list(read.users) == [2, 3]
        assert list(read.items) == [4]
        assert len(read.times) == 2


def test_lines_are_right_after_dropping(refused, small_blocks):
    small_blocks(30)
    message = refused(BAD + f"3,4,9,{AT}\n", on_bad="drop")
    assert f"line 8: 3,4,9,{AT}" in message
    assert f"line 11: 3,4,9,{AT}" in message


def test_decimal_commas_are_recognized(refused):
    message = refused("user_id;item_id;rating\n1;2;3,5\n")
    assert "Write decimals with a point (3.5), not a comma." in message


def test_declared_scale(write, refused):
    assert read_ratings(write(CSV), scale=(0, 5, 0.5)).scale == Scale(0, 5, 0.5)
    message = refused(CSV, scale=(1, 5, 0.5))
    assert "1 off the declared scale" in message
    assert "line 3: 1,10,0" in message


def test_more_than_256_levels(write):
    content = "user_id,item_id,rating\n" + "".join(f"{n},1,{n / 7}\n" for n in range(1000))
    read = read_ratings(write(content))
    assert read.scale is None
    assert np.array_equal(read.values, np.array([float(str(n / 7)) for n in range(1000)]))


def test_duplicates(refused, write):
    content = HEADER + f"1,2,3,{AT}\n1,3,3,{AT}\n1,2,4,{AT + 1}\n"
    message = refused(content)
    assert "1 pair of user and item with more than one rating (1 repeated row)" in message
    assert f"line 2: 1,2,3,{AT}" in message
    assert f"line 4: 1,2,4,{AT + 1}" in message
    assert rows(read_ratings(write(content), duplicates="last")) == [(1, 2, 4.0), (1, 3, 3.0)]


# -- files that cannot be read ----------------------------------------------------------------


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", "  \n"])
def test_empty(refused, content):
    assert "is empty" in refused(content)


def test_header_only(refused):
    assert "there are columns (user_id, item_id, rating, timestamp) but no rows" in refused(HEADER)
    assert "no rows" in refused(HEADER.strip())


def test_missing_columns(refused):
    message = refused("usr_id,film,stars\n1,2,3\n")
    assert "no column looks like the user column. The columns are 'usr_id', 'film', 'stars'." in message
    assert "Did you mean user='usr_id'?" in message
    assert "no column 'score' for rating" in refused(CSV, rating="score")


def test_a_first_line_of_text_is_a_header(refused):
    message = refused("u1\ti1\nu2\ti2\n")
    assert "put a line of column names before it" in message


def test_wrong_delimiter(refused):
    message = refused("user_id;item_id;rating\n1;2;3\n", delimiter=",")
    assert "one column when split at a comma; a semicolon makes 3" in message
    assert "Pass delimiter=';'" in message
    assert "one column when split at a tab" in refused(CSV, format="tsv")
    assert 'one column when split at "::"' in refused(CSV, format="dat")
    assert "no delimiter was recognized" in refused("hello\nworld\n")
    assert "one column when split at '~'" in refused("hello\nworld\n", delimiter="~")


def test_ragged_rows(refused, small_blocks):
    for size in (8, 1 << 20):
        small_blocks(size)
        message = refused(HEADER + "1,2,3,4\n\n1,2,3\n1,2,3,4,5\n")
        assert "line 4 has 3 columns, the header has 4" in message
        assert "line 4: 1,2,3" in message
        message = refused("1::2::3::4\n1::2::3:4\n", "ratings.dat")
        assert "line 2 has 3 columns, the first line has 4" in message
        assert "line 2: 1::2::3:4" in message


def test_quotes_left_open(refused, small_blocks):
    for size in (8, 1 << 20):
        small_blocks(size)
        for content in (
            HEADER + '1,2,3,4\n1,"a,3,4\n1,b,4,5\n',
            HEADER + '1,2,3,4\n1,"a,3,4\n1,"b,4,5\n1,c,4,5\n',
            'user_id,item_id,rating,t\n9,9,9,9\n1,2,3,"abc\n1,3,3,x\n1,4,5,"def\n',
        ):
            message = refused(content)
            assert "a quote on line 3 is not closed" in message
            assert "line 3: 1," in message


def test_an_open_quote_in_a_large_file(refused, monkeypatch):
    monkeypatch.setattr(blocks, "MAX_RECORD_BYTES", 1 << 16)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1 << 14)
    read = blocks.Text.blocks
    monkeypatch.setattr(blocks.Text, "blocks", lambda self, dialect, n=0: read(self, dialect, 1 << 14))
    message = refused(HEADER + '1,"2,3,4\n' + "1,2,3,4\n" * 40_000)
    assert "a quote on line 2 is not closed" in message or "the record on line 2" in message


def test_not_utf8(write, refused, small_blocks):
    good = HEADER + "".join(f"{n},é,3,{AT}\n" for n in range(20))
    content = good.encode() + f"99,é,3,{AT}\n".encode("latin-1")
    for size in (9, 1 << 20):
        small_blocks(size)
        message = refused(content)
        assert f"byte {len(good.encode()) + 3:,} (0xe9, on line 22) is not UTF-8" in message
        assert 'encoding="latin-1"' in message
    latin = (HEADER + f"1,é,3,{AT}\n").encode("latin-1")
    assert rows(read_ratings(write(latin), encoding="latin-1")) == [(1, "é", 3.0)]


def test_a_name_cut_at_the_end_is_not_utf8(refused):
    message = refused(HEADER.encode() + b"1,2,3,4\n1,\xc3")
    assert "is not UTF-8" in message or "line 3 has 2 columns" in message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig", "utf-8", "latin-1", "cp1252"])
def test_encodings(write, small_blocks, encoding):
    for size in (3, 1 << 20):
        small_blocks(size)
        read = read_ratings(write((HEADER + f"1,é,3,{AT}\n").encode(encoding)), encoding=encoding)
        assert rows(read) == [(1, "é", 3.0)]


def test_wrong_encodings(write, refused):
    assert 'Pass encoding="utf-16"' in refused(HEADER.encode("utf-16"))
    assert "is not ascii" in refused(HEADER + "1,é,3,4\n", encoding="ascii")
    with pytest.raises(ParameterError, match="encoding is 'klingon'"):
        read_ratings(write(HEADER), encoding="klingon")


def test_nul_bytes(refused, small_blocks):
    for size in (8, 1 << 20):
        small_blocks(size)
        message = refused(HEADER + "1,2,3,4\n1,\0,3,4\n")
        assert "line 3 contains a NUL byte" in message


def test_damaged_files(refused):
    whole = gzip.compress((HEADER + "".join(f"{n},{n * 7},3,{AT}\n" for n in range(20_000))).encode())
    assert "breaks off or is damaged" in refused(whole[:-100], "ratings.csv.gz")
    assert "breaks off or is damaged" in refused(whole[:5000] + b"xxxx" + whole[5004:], "ratings.csv.gz")
    assert "not a whole Parquet file" in refused(b"PAR1 and nothing else", "ratings.parquet")
    assert "not a whole Arrow file" in refused(b"ARROW1\0\0 and nothing else", "ratings.arrow")
    assert "not a whole Parquet file" in refused(CSV, format="parquet")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04rest", "zip archive"),
        (b'{"user": 1}', "is JSON"),
        (b"SQLite format 3\0rest", "an SQLite database"),
        (b"BZh91AY", "not with gzip"),
    ],
)
def test_other_formats(refused, content, message):
    assert message in refused(content)


def test_no_such_file(write, tmp_path):
    write(CSV, "ratings.csv")
    with pytest.raises(DataError, match=r"there is no such file") as caught:
        read_ratings(tmp_path / "ratngs.csv")
    assert f"Did you mean {tmp_path / 'ratings.csv'}?" in str(caught.value)
    with pytest.raises(DataError, match="Check the path"):
        read_ratings(tmp_path / "something else.parquet")
    with pytest.raises(DataError, match="there is no folder"):
        read_ratings(tmp_path / "nowhere" / "ratings.csv")
    with pytest.raises(DataError, match="is a folder"):
        read_ratings(tmp_path)


def test_a_file_one_may_not_read(write, monkeypatch, tmp_path):
    path = write(CSV)

    def denied(self, mode):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pathlib.Path, "open", denied)
    with pytest.raises(DataError, match="cannot be opened: Permission denied"):
        read_ratings(path)
    with pytest.raises(DataError, match="is a folder"):  # as Windows has it
        read_ratings(tmp_path)


def test_a_disk_that_fails_while_reading():
    class Failing(io.BytesIO):
        def read(self, n=-1):
            if n > 2:
                raise OSError(5, "Input/output error")
            return b"1,"

    text = blocks.Text("ratings.csv", Failing, None)
    with pytest.raises(DataError, match="cannot be read: Input/output error"):
        text.head(100)


def test_no_line_ends_at_all(refused, monkeypatch):
    monkeypatch.setattr(blocks, "MAX_RECORD_BYTES", 1 << 16)
    message = refused(HEADER + "1,2,3," + "4" * (1 << 17))
    assert "the record on line 2 is more than 65,536 bytes long" in message


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("format", "excel"),
        ("duplicates", "newest"),
        ("on_bad", "ignore"),
        ("delimiter", ""),
        ("time_unit", "hours"),
        ("tz", "Mars"),
        ("ids", 5),
        ("scale", "1-5"),
        ("user", 1),
        ("time", True),
    ],
)
def test_settings_that_cannot_be_used(write, option, value):
    with pytest.raises(ParameterError) as caught:
        read_ratings(write(CSV), **{option: value})
    assert caught.value.expected
    assert caught.value.exit_code == 2


def test_each_setting_changes_something(write):
    content = "user_id,item_id,rating,timestamp,likes,when\n1,2,3,9,1,2013-10-12\n2,2,3.5,8,0,2013-10-13\n"
    path = write(content)
    plain = read_ratings(path)
    assert read_ratings(path, rating="likes").values.tolist() == [1, 0]
    assert read_ratings(path, user="item_id", item="user_id").n_users == 1
    assert read_ratings(path, time=False).times is None
    assert read_ratings(path, time="when", tz="UTC").times.tolist() != plain.times.tolist()
    assert read_ratings(path, time_unit="ms").times.tolist() == [9000, 8000]


# -- real data --------------------------------------------------------------------------------


def test_movietweetings(data):
    read = read_ratings(data("movietweetings-100k") / "ratings.dat")
    assert (read.n_users, read.n_items, read.n_ratings) == (16_554, 10_506, 100_000)
    assert (read.users.kind, read.items.kind) == ("integer", "text")
    assert all(len(one) >= 7 for one in read.items)
    assert read.scale == Scale(0, 10, 1)
    assert int((read.values == 0).sum()) == 12
    assert str(np.datetime64(int(read.times.min()), "us")) == "2013-02-28T14:38:27.000000"
    with pytest.raises(LookupError, match='Did you mean "0104257"'):
        read.items.code("104257")


def test_movietweetings_equal_a_plain_parse(data):
    path = data("movietweetings-100k") / "ratings.dat"
    expected = {}
    for line in path.read_text().splitlines():
        user, item, rating, time = line.split("::")
        expected[int(user), item] = (float(rating), int(time) * 10**6)
    read = read_ratings(path)
    table = read.to_arrow()
    found = zip(
        zip(table["user_id"].to_pylist(), table["item_id"].to_pylist(), strict=True),
        zip(table["rating"].to_pylist(), read.times.tolist(), strict=True),
        strict=True,
    )
    assert list(found) == sorted(expected.items())


def test_ml_100k(data):
    read = read_ratings(data("ml-100k") / "u.data")
    assert (read.n_users, read.n_items, read.n_ratings) == (943, 1_682, 100_000)
    assert read.scale == Scale(1, 5, 1)
    base = read_ratings(data("ml-100k") / "u1.base")
    assert base.n_ratings == 80_000


def test_ml_latest_small(data):
    with pytest.warns(CoratedNotice, match="user='userId', item='movieId'"):
        read = read_ratings(data("ml-latest-small") / "ratings.csv")
    assert (read.n_users, read.n_items, read.n_ratings) == (671, 9_066, 100_004)
    assert read.scale == Scale(0.5, 5, 0.5)


def test_ml_1m_half(data):
    read = read_ratings(data("ml-1m-half") / "ratings.dat.gz")
    assert (read.n_users, read.n_items, read.n_ratings) == (2_999, 3_615, 487_650)
    assert read.scale == Scale(1, 5, 1)
