"""The data report: its figures against a slow count, its warnings, its one screen."""

import dataclasses
import json
import os
import time
from collections import Counter
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corated.errors import DataError
from corated.ratings._check_text import as_text
from corated.ratings.catalog import read_catalog
from corated.ratings.check import Bin, Heavy, Report, check
from corated.ratings.ratings import Ratings
from corated.ratings.read import read_ratings

DATA = Path(os.environ.get("CORATED_DATA", Path(__file__).parents[3] / "../shared/data"))


def ratings_of(rows, **options):
    """Make ratings from (user, item, rating) or (user, item, rating, time) rows."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    return Ratings.from_arrays(*columns, **options)


def plain(n_users=30, n_items=12, seed=3):
    """Ratings that nothing is wrong with: everybody rated five items or more on 1 to 5."""
    draw = np.random.default_rng(seed)
    return [
        (user, int(item), int(draw.integers(1, 6)))
        for user in range(n_users)
        for item in draw.choice(n_items, draw.integers(5, n_items + 1), replace=False)
    ]


def codes(report):
    return [found.code for found in report.warnings]


def code_of(rows, **options):
    return codes(check(ratings_of(rows, **options)))


def test_a_small_example_by_hand():
    report = check(
        ratings_of(
            [
                (1, 10, 4.0, 1_000_000_000),
                (1, 20, 2.0, 1_000_000_001),
                (1, 30, 4.5, 1_000_000_002),
                (2, 10, 3.0, 1_000_000_003),
                (2, 20, 3.0, 1_000_000_004),
                (3, 10, 5.0, 1_000_000_005),
                (4, 40, 2.0, 1_700_000_000),
            ]
        )
    )
    assert (report.n_users, report.n_items, report.n_ratings) == (4, 4, 7)
    assert report.density == 7 / 16
    assert (report.user_ids, report.item_ids) == ("integer", "integer")
    assert (report.scale.low, report.scale.high, report.scale.step) == (2.0, 5.0, 0.5)
    assert (report.lowest, report.highest, report.mean, report.levels_used) == (2.0, 5.0, 23.5 / 7, 5)
    assert [part.count for part in report.histogram] == [2, 0, 2, 0, 1, 1, 1]
    assert report.histogram[1] == Bin(2.5, 2.5, 0)
    assert (report.users_with_2_or_fewer, report.users_with_3_or_more) == (3, 1)
    assert (report.flat_users, report.users_with_2_or_more) == (1, 2)
    assert report.items_with_1 == 2
    assert (report.median_per_user, report.median_per_item) == (1.5, 1.5)
    assert report.heaviest_users == (Heavy(1, 3), Heavy(2, 2), Heavy(3, 1), Heavy(4, 1))
    assert report.heaviest_items == (Heavy(10, 3), Heavy(20, 2), Heavy(30, 1), Heavy(40, 1))
    assert report.user_pair_events == 3**2 + 2**2 + 1 + 1
    assert report.item_pair_events == 3**2 + 2**2 + 1 + 1
    assert (report.first_time, report.last_time) == ("2001-09-09T01:46:40Z", "2023-11-14T22:13:20Z")
    assert report.users_in_reach == 3
    assert report.titled_items is None and report.duplicates == "none"


ROWS = st.dictionaries(
    st.tuples(st.integers(0, 6), st.sampled_from("abcdefg")),
    st.sampled_from([0.0, 0.5, 1.0, 7.0]),
    min_size=1,
)


@given(ROWS, st.booleans())
def test_figures_equal_a_slow_count(made, is_float):
    rows = [
        (user, item, value + (2**-7 if is_float and value == 7 else 0))
        for (user, item), value in made.items()
    ]
    report = check(ratings_of(rows))
    by_user, by_item = {}, {}
    for user, item, value in rows:
        by_user.setdefault(user, {})[item] = value
        by_item.setdefault(item, {})[user] = value
    assert report.flat_users == sum(len(p) > 1 and len(set(p.values())) == 1 for p in by_user.values())
    assert report.users_in_reach == sum(any(len(by_item[item]) > 1 for item in p) for p in by_user.values())
    assert report.user_pair_events == sum(len(p) ** 2 for p in by_item.values())
    assert report.item_pair_events == sum(len(p) ** 2 for p in by_user.values())
    assert report.users_with_2_or_fewer == sum(len(p) <= 2 for p in by_user.values())
    assert report.users_with_3_or_more == report.n_users - report.users_with_2_or_fewer
    assert report.items_with_1 == sum(len(p) == 1 for p in by_item.values())
    values = [value for _, _, value in rows]
    assert (report.lowest, report.highest) == (min(values), max(values))
    assert report.mean == pytest.approx(sum(values) / len(values), abs=1e-12)
    assert report.levels_used == len(set(values))
    assert sum(part.count for part in report.histogram) == len(rows)
    if report.scale is not None:
        assert {part.low: part.count for part in report.histogram if part.count} == Counter(values)
    heavy = sorted(by_user, key=lambda user: (-len(by_user[user]), user))[:5]
    assert [one.id for one in report.heaviest_users] == heavy
    json.dumps(report.to_dict(), allow_nan=False)
    assert all(len(line) <= 80 for line in str(report).splitlines())


def test_the_order_of_rows_changes_nothing():
    rows = plain()
    one = check(ratings_of(rows))
    other = check(ratings_of(rows[::-1]))
    assert one.to_dict() == other.to_dict() and str(one) == str(other)


def test_nothing_is_warned_of_where_nothing_is_wrong():
    report = check(ratings_of(plain()))
    assert report.warnings == ()
    assert "!" not in str(report)


def test_ratings_are_not_changed():
    ratings = ratings_of(plain())
    before = ratings.to_arrow()
    check(ratings)
    assert ratings.to_arrow().equals(before)


def test_ratings_have_the_same_report():
    ratings = ratings_of(plain())
    assert ratings.check() == check(ratings)


def test_duplicates_that_were_merged_are_told():
    report = check(ratings_of([*plain(), (0, 99, 3), (0, 99, 5)], duplicates="max"))
    assert "1 repeated" in report.duplicates
    assert "duplicates  1 repeated" in str(report)


# -- warnings ----------------------------------------------------------------------------------


def test_one_user_and_one_item():
    assert "one_user" in code_of([(1, item, item % 5) for item in range(9)])
    assert "one_item" in code_of([(user, 1, user % 5) for user in range(9)])


def test_overlap():
    apart = [(user, 3 * user + k, k + 1) for user in range(10) for k in range(3)]
    assert "no_overlap" in code_of(apart) and "little_overlap" not in code_of(apart)
    some = [*apart, (0, 3, 2), (0, 6, 2)]
    assert "little_overlap" in code_of(some) and "no_overlap" not in code_of(some)


def test_all_ratings_equal():
    rows = [(user, item, 1) for user, item, _ in plain()]
    report = check(ratings_of(rows))
    assert codes(report) == ["all_equal"]
    assert "jaccard" in report.warnings[0].hint
    assert report.flat_users == report.n_users


def test_counts_look_like_counts():
    draw = np.random.default_rng(1)
    rows = [(user, item, min(int(draw.zipf(1.8)), 5000)) for user, item, _ in plain(60, 30)]
    assert "counts" in code_of(rows)


@pytest.mark.parametrize(
    ("factor", "offset", "code"),
    [(20, 0, "wide_scale"), (1000, 0, "large_ratings"), (np.pi, 0, "no_scale"), (-1000, 0, "large_ratings")],
)
def test_scales_that_are_unusual(factor, offset, code):
    assert code_of([(user, item, value * factor + offset) for user, item, value in plain()]) == [code]


def test_zeros_and_minus_ones_among_ratings():
    rows = plain(100, 12)
    assert "zeros" in code_of([(*rows[0][:2], 0), *rows[1:]])
    many = [(user, item, 0 if (user + item) % 2 else value) for user, item, value in rows]
    assert "zeros" in code_of(many)
    usual = [(user, item, value - 1) for user, item, value in rows]
    assert "zeros" not in code_of(usual)
    assert "minus_one" in code_of([(*rows[0][:2], -1), *rows[1:]])


def test_flat_raters():
    rows = [(user, item, 3 if user < 6 else value) for user, item, value in plain()]
    report = check(ratings_of(rows))
    assert codes(report) == ["flat_raters"]
    assert report.flat_users == 6 and "20%" in report.warnings[0].message


def test_few_ratings_for_three_in_common():
    rows = [(user, user % 7 + k, user % 5 + k) for user in range(40) for k in range(2)]
    report = check(ratings_of(rows))
    assert "few_ratings" in codes(report) and report.users_with_3_or_more == 0


def test_a_user_with_a_huge_share():
    rows = [*plain(), *((999, item, item % 5 + 1) for item in range(200))]
    report = check(ratings_of(rows))
    assert "heavy_user" in codes(report)
    assert "999" in next(found.message for found in report.warnings if found.code == "heavy_user")


def test_dates_that_cannot_be():
    rows = plain()
    now = int(time.time())

    def dated(first, last):
        return [(*row, first if at == 0 else last) for at, row in enumerate(rows)]

    assert code_of(dated(now - 9, now)) == []
    assert code_of(dated(now, now + 400 * 86_400), time_unit="s") == ["future_dates"]
    assert code_of(dated(1000, now), time_unit="s") == ["old_dates"]
    assert code_of(dated(-(10**9), now), time_unit="s") == ["old_dates"]


def test_swapped_columns():
    rows = [(user, item, item % 5 + 1) for user in range(3) for item in range(user, 1000)]
    assert "swapped" in code_of(rows)
    turned = [(item, user, value) for user, item, value in rows]
    assert "swapped" not in code_of(turned)


def test_swapped_columns_by_the_catalog():
    rows = [(user + 1000, item, value) for user, item, value in plain()]
    catalog = read_catalog({"id": list(range(12)), "title": [f"T{id}" for id in range(12)]})
    assert codes(check(ratings_of(rows), catalog)) == []
    turned = [(item, user, value) for user, item, value in rows]
    assert codes(check(ratings_of(turned), catalog))[0] == "swapped"


def test_items_without_a_title():
    catalog = read_catalog({"id": [0, 1], "title": ["Zero", None]})
    report = check(ratings_of(plain()), catalog)
    assert codes(report) == ["untitled_items"]
    assert report.titled_items == 1
    assert {heavy.title for heavy in report.heaviest_items} <= {"Zero", None}


def test_a_catalog_of_another_id_type_is_refused():
    with pytest.raises(DataError, match="text, those of the ratings are integer"):
        check(ratings_of(plain()), read_catalog({"id": ["0"], "title": ["Zero"]}))


# -- how it is shown -----------------------------------------------------------------------------


def test_one_screen():
    rows = [(*row, 1_500_000_000 + at) for at, row in enumerate(plain())]
    catalog = read_catalog(
        {"id": list(range(12)), "title": [f"A title that is long, part {id}" for id in range(12)]}
    )
    text = str(check(ratings_of(rows), catalog))
    lines = text.splitlines()
    assert len(lines) <= 24 and all(len(line) <= 80 for line in lines)
    for shown in ("ratings by 30 users of 12 items", "density", "1 to 5 by 1", "flat raters", "reach", "█",
                  "Σ c_i²", "2017-07-14", "A title that is long"):  # fmt: skip
        assert shown in text


def test_one_screen_with_everything_wrong():
    rows = [(user, user * 2 + k, 1000 * k) for user in range(30) for k in range(2)] + [
        (999, 10**6 + item, 5000) for item in range(300)
    ]
    report = check(ratings_of([(*row, 10**9) for row in rows]))
    lines = str(report).splitlines()
    assert len(report.warnings) >= 4
    assert len(lines) <= 24 and all(len(line) <= 80 for line in lines)
    assert lines[-1].startswith("… and ") and "more" in lines[-1]
    assert f"! {report.warnings[0].message}"[:60] in "\n".join(lines)


def test_the_histogram_of_many_levels_and_of_none():
    for factor in (0.05, np.pi):
        report = check(ratings_of([(u, i, v * 7 * factor) for u, i, v in plain()]))
        bars = [line for line in str(report).splitlines() if "█" in line]
        assert 1 <= len(bars) <= 2


def test_one_level_has_no_bars():
    assert "█" not in str(check(ratings_of([(1, 1, 5.0), (2, 1, 5.0)])))


def test_wide_letters_and_line_breaks_in_titles_keep_the_screen():
    catalog = read_catalog({"id": list(range(12)), "title": ["映画" * 20 + f"\n{id}" for id in range(12)]})
    lines = str(check(ratings_of(plain()), catalog)).splitlines()
    assert len(lines) <= 24
    assert any("映画" in line for line in lines)


def test_html_is_escaped():
    catalog = read_catalog({"id": list(range(12)), "title": ["<script>alert(1)</script>"] * 12})
    rows = [(f"<i>{user}</i>", item, value) for user, item, value in plain()]
    page = check(ratings_of(rows), catalog)._repr_html_()
    assert "&lt;script&gt;" in page and "<script>" not in page
    assert "&lt;i&gt;" in page and "<i>" not in page


def test_to_dict_is_fit_for_json():
    catalog = read_catalog({"id": list(range(12)), "title": [f"T{id}" for id in range(12)]})
    report = check(ratings_of(plain()), catalog)
    made = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert made == report.to_dict()
    assert made["scale"] == {"low": 1.0, "high": 5.0, "step": 1.0}
    assert set(made["heaviest_items"][0]) == {"id", "count", "title"}


def test_a_report_is_frozen():
    report = check(ratings_of(plain()))
    assert isinstance(report, Report)
    with pytest.raises(FrozenInstanceError):
        report.n_users = 0


def test_squares_do_not_overflow():
    from corated.ratings.check import _sum_of_squares

    assert _sum_of_squares(np.array([2**32, 1])) == 2**64 + 1


@pytest.mark.filterwarnings("ignore::corated.errors.CoratedNotice")
def test_real_ratings():
    name = "movietweetings-100k/ratings.dat"
    if not (DATA / name).is_file():
        pytest.skip(f"no {name} in {DATA}; set CORATED_DATA")
    read = [line.split("::") for line in (DATA / name).read_text().splitlines()]
    ratings = ratings_of([(int(u), i, int(r), int(t)) for u, i, r, t in read])
    report = check(ratings, read_catalog((DATA / name).with_name("movies.dat"), ids=ratings))
    assert (report.n_users, report.n_items, report.n_ratings) == (16554, 10506, 100000)
    assert report.histogram[0] == Bin(0.0, 0.0, 12)
    assert report.heaviest_items[0] == Heavy("0770828", 1812, "Man of Steel (2013)")
    assert report.user_pair_events == sum(c**2 for c in Counter(i for _, i, _, _ in read).values())
    assert report.item_pair_events == sum(c**2 for c in Counter(u for u, _, _, _ in read).values())
    assert codes(report) == ["zeros", "flat_raters", "few_ratings"]
    assert len(str(report).splitlines()) <= 24


def test_one_of_anything_is_told_in_the_singular():
    text = str(check(ratings_of([(1, 1, 3)])))
    assert text.startswith("1 rating by 1 user of 1 item\n")
    assert "median 1 rating; 1 (100.0%) has 2 or fewer" in text
    assert "median 1 rating; 1 (100.0%) has 1\n" in text
    assert "1 of 1 level used" in text
    assert "1 ratings" not in text and "1 users" not in text and "1 items" not in text
    assert "<b>1 rating by 1 user of 1 item</b>" in check(ratings_of([(1, 1, 3)]))._repr_html_()
    two = str(check(ratings_of([(1, 1, 3), (1, 2, 4), (2, 1, 3)])))
    assert two.startswith("3 ratings by 2 users of 2 items\n")
    assert "median 1.5 ratings; 2 (100.0%) have 2 or fewer" in two


def test_one_zero_is_told_in_the_singular():
    rows = [(user, item, 1 + (user + item) % 5) for user in range(30) for item in range(12)]
    found = check(ratings_of([*rows, (30, 0, 0)])).warnings
    assert "1 rating is 0 (0.28%), and 0 counts as a rating." in [one.message for one in found]


def test_where_the_rest_is_found_is_up_to_the_caller():
    notices = [f"Something was decided, number {number}." for number in range(40)]
    report = dataclasses.replace(check(ratings_of(plain())), notices=tuple(notices))
    assert str(report).endswith(" more: see .warnings and .notices")
    assert as_text(report, more=" in --json").endswith(" more in --json")
    assert as_text(report).removesuffix(": see .warnings and .notices") in as_text(report, more=": x")


def test_the_notices_of_plain_files_take_one_line_each(tmp_path):
    folder = tmp_path / ("a folder with a long name" * 4)
    folder.mkdir()
    path = folder / "ratings.dat"
    path.write_text("".join(f"{user}::{item}::{stars}::{10**9 + user}\n" for user, item, stars in plain()))
    ratings = read_ratings(path)
    assert len(ratings.notices) == 2 and all(len(notice) > 80 for notice in ratings.notices)
    assert check(ratings).notices == ratings.notices
    told = [line for line in str(check(ratings)).splitlines() if "header" in line or "Times in" in line]
    assert told == [
        "· The file has no header; its columns were taken as user, item, rating, time.",
        "· Times in column 'time' were taken as seconds (time_unit= overrules).",
    ]
    assert str(check(ratings)).splitlines()[-2:] == told


def test_bars_of_huge_ratings_are_labeled_by_their_size():
    text = str(check(ratings_of([(1, 1, 0.0), (1, 2, 1e300), (2, 1, 12345.0)])))
    assert "1e299" in text and "1e+29 " not in text
