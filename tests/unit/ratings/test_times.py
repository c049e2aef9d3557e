import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from corated.errors import CoratedNotice, DataError, ParameterError
from corated.ratings.ratings import Ratings
from corated.ratings.read import read_ratings
from corated.ratings.times import is_naive, unit_of

AT = 1_381_620_027  # 2013-10-12 23:20:27 UTC
US = AT * 10**6


def times_of(times, **options):
    """The stored times of ratings by users 0, 1, …, in their order."""
    n = len(times)
    return Ratings.from_arrays(range(n), ["x"] * n, [1] * n, times, **options)


@pytest.mark.parametrize(
    ("number", "unit"),
    [
        (0, "s"),
        (AT, "s"),
        (-AT, "s"),
        (1e11, "ms"),
        (AT * 10**3, "ms"),
        (US, "us"),
        (US * 10**3, "ns"),
        (10**18, "ns"),
    ],
)
def test_unit_by_magnitude(number, unit):
    assert unit_of(number) == unit


@pytest.mark.parametrize(
    ("scale", "name"),
    [(1, "seconds"), (10**3, "milliseconds"), (10**6, "microseconds"), (10**9, "nanoseconds")],
)
def test_unix_times(scale, name):
    ratings = times_of([AT * scale, (AT + 1) * scale])
    assert ratings.times.tolist() == [US, US + 10**6]
    assert any(name in notice and "2013-10-12 23:20:27" in notice for notice in ratings.notices)


def test_a_declared_unit_decides():
    assert times_of([5, 6], time_unit="ms").times.tolist() == [5000, 6000]
    assert times_of([5999, -1], time_unit="ns").times.tolist() == [5, -1]
    assert times_of([1, AT * 10**3], time_unit="ms").times.tolist() == [1000, US]
    with pytest.raises(ParameterError, match="time_unit is 'h'"):
        times_of([5], time_unit="h")
    with pytest.raises(DataError, match="out of range as seconds"):
        times_of([AT * 10**6], time_unit="s")


def test_mixed_units_are_refused():
    with pytest.raises(DataError, match="mixed units: seconds and milliseconds") as caught:
        times_of([AT, AT + 1, AT * 1000, AT])
    assert "row 0 (from 0)" in str(caught.value)
    assert "row 2 (from 0)" in str(caught.value)


def test_zero_is_zero_in_every_unit():
    assert times_of([0, AT * 1000]).times.tolist() == [0, US]
    assert times_of([0, 0]).times.tolist() == [0, 0]


def test_fractions_of_seconds():
    assert times_of([AT + 0.25, AT]).times.tolist() == [US + 250_000, US]
    assert times_of([float(AT), float(AT + 1)]).times.tolist() == [US, US + 10**6]


def test_future_times_are_warned_of():
    with pytest.warns(CoratedNotice, match="1 time in the future, the last 2108"):
        ratings = times_of([AT, 4_381_620_027])
    assert any("in the future" in notice for notice in ratings.notices)


UTC = dt.UTC
MOMENT = dt.datetime(2013, 10, 12, 23, 20, 27)


@pytest.mark.parametrize(
    "times",
    [
        [MOMENT.replace(tzinfo=UTC)],
        [MOMENT.replace(tzinfo=UTC).astimezone(dt.timezone(dt.timedelta(hours=2)))],
        ["2013-10-12T23:20:27Z"],
        ["2013-10-13 01:20:27+02:00"],
        [" 2013-10-12T23:20:27.000000Z "],
        ["2013-10-12T23:20:27.000000999Z"],
        pa.array([AT], pa.timestamp("s", "Europe/Berlin")),
        pa.array([US * 1000 + 999], pa.timestamp("ns", "UTC")),
        [str(AT)],
        [f"{AT}.0"],
        pa.array([str(AT)]).dictionary_encode(),
    ],
)
def test_instants_need_no_zone(times):
    assert times_of(times).times.tolist() == [US]


@pytest.mark.parametrize(
    "times",
    [
        [MOMENT],
        np.array(["2013-10-12T23:20:27"], "M8[s]"),
        np.array(["2013-10-12T23:20:27"], "M8[ns]"),
        ["2013-10-12 23:20:27"],
        ["2013-10-12T23:20:27.000000123"],
    ],
)
def test_naive_datetimes_need_a_zone(times):
    with pytest.raises(DataError, match="have no time zone") as caught:
        times_of(times)
    assert 'tz="UTC"' in str(caught.value)
    assert times_of(times, tz="UTC").times.tolist() == [US]
    assert times_of(times, tz="Europe/Berlin").times.tolist() == [US - 2 * 3600 * 10**6]


def test_dates():
    days = [dt.date(2013, 10, 12)]
    with pytest.raises(DataError, match="have no time zone"):
        times_of(days)
    assert times_of(days, tz="UTC").times.tolist() == [1_381_536_000 * 10**6]
    assert times_of(["2013-10-12"], tz="UTC").times.tolist() == [1_381_536_000 * 10**6]


def test_hours_that_clocks_repeat_or_skip():
    berlin = times_of(["2013-10-27 02:30:00", "2013-03-31 02:30:00"], tz="Europe/Berlin").times
    assert berlin.tolist() == [
        int(dt.datetime(2013, 10, 27, 0, 30, tzinfo=UTC).timestamp()) * 10**6,
        int(dt.datetime(2013, 3, 31, 1, 0, tzinfo=UTC).timestamp()) * 10**6,
    ]


def test_an_unknown_zone():
    with pytest.raises(ParameterError, match="tz is 'Mars/Olympus'"):
        times_of([MOMENT], tz="Mars/Olympus")


def reviews(dates, unix=(AT, AT + 86_400)):
    return {"user_id": [1, 2], "item_id": [5, 5], "rating": [1, 2], "timestamp": list(unix), "date": dates}


BESIDE = ["2013-10-12 23:20:27", "2013-10-13 23:20:27"]


@pytest.mark.parametrize("factor", [1, 1000, 10**6, 10**9])
def test_a_unix_column_shows_the_zone(factor):
    table = reviews(BESIDE, [AT * factor, (AT + 86_400) * factor])
    ratings = Ratings.from_table(table, time="date")
    assert ratings.times.tolist() == [US, US + 86_400 * 10**6]
    assert any("are UTC, as the Unix times beside them show" in notice for notice in ratings.notices)


def test_a_unix_column_shows_the_zone_of_days():
    ratings = Ratings.from_table(reviews(["2013-10-12", "2013-10-13"]), time="date")
    assert ratings.times.tolist() == [1_381_536_000 * 10**6, 1_381_622_400 * 10**6]


def test_a_unix_column_that_differs():
    with pytest.raises(DataError, match="differ from the Unix times beside them"):
        Ratings.from_table(reviews(["2013-10-12 23:20:27", "2013-10-14 01:20:27"]), time="date")
    given = Ratings.from_table(reviews(BESIDE), time="date", tz="Europe/Berlin")
    assert given.times.tolist() == [US - 7200 * 10**6, US + 79_200 * 10**6]


def test_the_unix_column_is_taken_by_itself():
    assert Ratings.from_table(reviews(["x", "y"])).times.tolist() == [US, US + 86_400 * 10**6]


@pytest.mark.parametrize("times", [[AT, None], [float(AT), float("nan")], ["", "2013-10-12T23:20:27Z"]])
def test_missing_times_are_refused(times):
    with pytest.raises(DataError, match="1 time missing") as caught:
        times_of(times)
    assert "time=False" in str(caught.value)


def test_kinds_do_not_mix():
    with pytest.raises(DataError, match="of mixed kinds") as caught:
        times_of(["2013-10-12T23:20:27Z", "2013-10-12T23:20:27Z", "2013-10-12T23:20:27"])
    assert "row 2 (from 0)" in str(caught.value)


def test_kinds_do_not_mix_across_batches():
    batches = [
        pa.record_batch({"user_id": [n], "item_id": [1], "rating": [1], "timestamp": [time]})
        for n, time in enumerate(["2013-10-12T23:20:27Z", str(AT)])
    ]
    with pytest.raises(DataError, match="change from datetimes with a time zone to numbers"):
        Ratings.from_table(pa.RecordBatchReader.from_batches(batches[0].schema, batches))


def test_unreadable_times_are_named():
    with pytest.raises(DataError, match="cannot be read") as caught:
        times_of(["2013-10-12T23:20:27Z", "yesterday", "09 13, 2009"])
    assert "'yesterday'" in str(caught.value)
    assert "'09 13, 2009'" in str(caught.value)
    with pytest.raises(DataError, match="are of type bool"):
        times_of([True, False])


def test_out_of_range():
    with pytest.raises(DataError, match="out of range"):
        times_of(pa.array([2**62], pa.timestamp("s", "UTC")))


def test_times_follow_their_rating():
    ratings = Ratings.from_arrays([2, 1, 1], ["x", "y", "x"], [1, 2, 3], [AT, AT + 1, AT + 2])
    assert ratings.times.tolist() == [US + 2 * 10**6, US + 10**6, US]


def test_what_is_naive():
    assert is_naive(pa.array([1], pa.timestamp("s")))
    assert is_naive(pa.array(["2013-10-12"]))
    assert is_naive(pa.array([dt.date(2013, 10, 12)]))
    for other in (pa.array([1]), pa.array(["2013-10-12T00:00:00Z"]), pa.array([1], pa.timestamp("s", "UTC"))):
        assert not is_naive(other)


@pytest.mark.parametrize(
    ("times", "options", "why"),
    [
        ([AT, AT + 1], {"tz": "UTC"}, "the times in column 'timestamp' are Unix times"),
        (["2013-10-12T23:20:27Z"] * 2, {"tz": "UTC"}, "have a time zone of their own"),
        (["2013-10-12T23:20:27"] * 2, {"time_unit": "s"}, "the times in column 'timestamp' are datetimes"),
        ([dt.datetime(2013, 10, 12)] * 2, {"time_unit": "ms", "tz": "UTC"}, "are datetimes"),
        (None, {"tz": "Europe/Berlin"}, "there is no column of times in the table"),
        (None, {"time_unit": "s"}, "there is no column of times in the table"),
    ],
)
def test_settings_of_times_that_have_no_use_are_refused(times, options, why):
    with pytest.raises(ParameterError, match="has no use here") as caught:
        Ratings.from_arrays([1, 2], [1, 1], [1, 2], times, **options)
    name, value = next(iter(options.items()))
    assert str(caught.value).startswith(f'{name}="{value}" has no use here: ') and why in str(caught.value)
    assert caught.value.expected.startswith(f"{name} only with") and caught.value.hint == f"Leave {name} out."


def test_settings_of_times_that_are_not_read_are_refused(tmp_path):
    table = {"user_id": [1, 2], "item_id": [1, 1], "rating": [1, 2], "timestamp": [AT, AT]}
    with pytest.raises(ParameterError, match="time=False reads no times"):
        Ratings.from_table(table, time=False, time_unit="s")
    path = tmp_path / "ratings.csv"
    path.write_text("user_id,item_id,rating\n1,1,1\n")
    with pytest.raises(
        ParameterError, match=r'tz="UTC" has no use here: there is no column of times in .*csv'
    ):
        read_ratings(path, tz="UTC")
