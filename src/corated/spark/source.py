"""A Spark DataFrame as a source of ratings: its columns brought to plain types, and every bad row told.

The same rules and sentences as for a table in memory. Rows have no numbers here, so examples are named by
their user and item, the first five in ascending order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from corated.errors import DataError
from corated.ratings.columns import Columns, choose_columns
from corated.ratings.ids import MAX_ID_BYTES, quote_id
from corated.ratings.levels import FAULTS, INFINITE, MISSING, NOT_A_NUMBER, OFF_SCALE, TOO_LARGE
from corated.ratings.notices import Notices
from corated.ratings.options import ReadOptions
from corated.ratings.scale import TOLERANCE, Scale
from corated.ratings.sources import SHOWN, Place, an, counted, refusal

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = ["Checked", "checked"]

_INTEGERS = {"tinyint", "smallint", "int", "bigint"}
_FLOATS = {"float": float(2**24), "double": float(2**53)}
"""From here a float may have lost digits of an id."""
_EXACT = float(2**53)
_NUMBER = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$"


class _Source:
    """What `choose_columns` and `refusal` ask of a source."""

    headerless = False
    is_text = False

    def __init__(self, frame: DataFrame, name: str) -> None:
        self.name = name
        self.columns: Sequence[str] = list(frame.columns)
        self.places: list[str] = []

    def sample(self, column: str) -> pa.Array:  # noqa: ARG002
        return pa.array([], pa.null())

    def batches(self, wanted: Sequence[str]) -> Iterator[list[pa.Array]]:
        raise NotImplementedError

    def locate(self, rows: Sequence[int]) -> list[Place]:
        return [(self.places[row], "") for row in rows]


@dataclass(frozen=True)
class Checked:
    """Ratings as three plain columns that have passed every check but that for duplicates.

    frame : user (bigint or string), item (likewise), rating (double, never null or NaN)
    rows : how many; checksum : of all rows, whatever their order
    """

    frame: DataFrame
    name: str
    columns: Columns
    rows: int
    checksum: int


def checked(frame: DataFrame, options: ReadOptions, name: str, notices: Notices) -> Checked:
    """Choose the columns, bring them to plain types, and look at every row once.

    Raises `DataError` as `corated.Ratings.from_table` does, with counts and examples.
    """
    from pyspark.sql import functions as fn

    source = _Source(frame, name)
    columns = choose_columns(source, options, notices)
    kinds = dict(frame.dtypes)
    rating = _rating(frame, source, columns.rating, kinds)
    sides = [_Side(what, column, kinds[column]) for what, column in _named(columns)]
    selected = frame.select(
        *(fn.col(f"`{side.column}`").alias(f"{side.what}_given") for side in sides),
        rating.value.alias("rating"),
        rating.is_absent.alias("rating_absent"),
        rating.shown.alias("rating_shown"),
    )
    for side in sides:
        side.refuse_type(selected, source)
    told = selected.withColumn("fault", _fault(options.declared_scale, rating.is_exact))
    for side in sides:
        told = told.withColumn(side.what, side.plain()).withColumn(f"{side.what}_fault", side.fault())
    counts = _counts(told, options)
    _refuse_ratings(told, counts, source, options)
    if options.on_bad == "drop":
        dropped = sum(counts[f"fault_{kind}"] or 0 for kind in _KINDS)
        if dropped:
            notices.add(f"{counted(dropped, 'row')} left out: rating {_found(counts)}.", warn=True)
        told = told.filter("fault = 0")
    for side in sides:
        side.refuse(told, counts, source, notices)
    plain = told.select("user", "item", "rating")
    return Checked(plain, name, columns, int(counts["kept"]), int(counts["checksum"] or 0))


def _named(columns: Columns) -> list[tuple[str, str]]:
    return [("user", columns.user), ("item", columns.item)]


# -- ratings --------------------------------------------------------------------------------------

_KINDS = (MISSING, NOT_A_NUMBER, INFINITE, OFF_SCALE, TOO_LARGE)


@dataclass(frozen=True)
class _Rating:
    """A column of ratings: as doubles (NaN where there is none), whether it is absent, and as it came."""

    value: Column
    is_absent: Column
    shown: Column
    is_exact: bool


def _rating(frame: DataFrame, source: _Source, column: str | None, kinds: dict[str, str]) -> _Rating:
    from pyspark.sql import functions as fn

    if column is None:
        return _Rating(fn.lit(1.0), fn.lit(False), fn.lit("1"), False)
    given, kind = fn.col(f"`{column}`"), kinds[column]
    nothing = fn.lit(float("nan"))
    if kind == "string":
        lower = fn.lower(fn.trim(given))
        value = fn.when(given.rlike(_NUMBER), fn.trim(given).try_cast("double"))
        for sign, text in ((1.0, "+?inf(inity)?"), (-1.0, "-inf(inity)?")):
            value = value.when(lower.rlike(f"^{text}$"), fn.lit(sign * float("inf")))
        absent = given.isNull() | lower.isin("", "nan", "+nan", "-nan")
        quoted = fn.concat(fn.lit("'"), given, fn.lit("'"))
        return _Rating(fn.coalesce(value, nothing) + fn.lit(0.0), absent, quoted, False)
    if kind == "float":  # by its shortest decimal: .1 in 32 bits was meant as .1
        value = given.cast("string").try_cast("double")
    elif kind in _INTEGERS or kind in ("double", "boolean") or kind.startswith("decimal"):
        value = given.cast("int").cast("double") if kind == "boolean" else given.cast("double")
    else:
        first = frame.select(given.cast("string")).head()
        source.places = ["a row"]
        raise refusal(
            source,
            f"the ratings are of type {kind}.",
            rows=[(0, f"rating {first[0]!r}")] if first is not None else [],
            expected="numbers",
            hint="Name the column of the ratings with rating=, or pass rating=False for none.",
        )
    is_exact = kind in _INTEGERS or kind.startswith("decimal")
    absent = given.isNull() | fn.isnan(value)
    # Without −0.
    return _Rating(fn.coalesce(value, nothing) + fn.lit(0.0), absent, given.cast("string"), is_exact)


def _fault(scale: Scale | None, is_exact: bool) -> Column:
    """Return the place of what is wrong with a rating in `FAULTS`, 0 for nothing."""
    from pyspark.sql import functions as fn

    value = fn.col("rating")
    fault = fn.when(fn.col("rating_absent"), MISSING).when(fn.isnan(value), NOT_A_NUMBER)
    fault = fault.when(fn.abs(value) == float("inf"), INFINITE)
    if is_exact:
        fault = fault.when(fn.abs(value) >= _EXACT, TOO_LARGE)
    if scale is not None:
        steps = fn.rint((value - scale.low) / scale.step)
        near = fn.abs(value - (fn.lit(scale.low) + steps * scale.step)) <= TOLERANCE
        fault = fault.when(~(near & (steps >= 0) & (steps <= scale.levels - 1)), OFF_SCALE)
    return fault.otherwise(0)


def _counts(told: DataFrame, options: ReadOptions) -> Any:
    """Look at every row once."""
    from pyspark.sql import functions as fn

    kept = fn.lit(True) if options.on_bad == "refuse" else fn.col("fault") == 0

    def times(condition: Column) -> Column:
        return fn.sum(fn.when(condition, 1).otherwise(0))

    aggregates = [fn.count(fn.lit(1)).alias("rows"), times(kept).alias("kept")]
    aggregates += [times(fn.col("fault") == kind).alias(f"fault_{kind}") for kind in _KINDS]
    for what in ("user", "item"):
        for kind in range(1, len(_ID_FAULTS) + 1):
            is_bad = kept & (fn.col(f"{what}_fault") == kind)
            aggregates.append(times(is_bad).alias(f"{what}_fault_{kind}"))
        length = fn.when(kept, fn.octet_length(fn.col(what).cast("string")))
        aggregates.append(fn.max(length).alias(f"{what}_length"))
    hashed = fn.pmod(fn.xxhash64("user", "item", "rating"), fn.lit(2**31))
    aggregates.append(fn.sum(fn.when(kept, hashed)).alias("checksum"))
    return told.agg(*aggregates).collect()[0]


def _found(counts: Any) -> str:
    faults = ((counts[f"fault_{kind}"] or 0, FAULTS[kind]) for kind in _KINDS)
    return ", ".join(f"{n:,} {fault}" for n, fault in faults if n)


def _refuse_ratings(told: DataFrame, counts: Any, source: _Source, options: ReadOptions) -> None:
    total = sum(counts[f"fault_{kind}"] or 0 for kind in _KINDS)
    if total and options.on_bad == "refuse":
        scale = f" on {options.declared_scale}" if options.declared_scale is not None else ""
        raise refusal(
            source,
            f"{counted(total, 'rating')} cannot be used: {_found(counts)}.",
            rows=_examples(told, "fault > 0", "rating_shown", source, "rating"),
            expected=f"a finite number{scale} in every row",
            hint='Correct these rows, or pass on_bad="drop" to leave them out.',
        )
    if not counts["kept"]:
        what = f"there are columns ({', '.join(source.columns[:8])}) but no rows"
        if counts["rows"]:
            what = f"every row was left out for its rating: {_found(counts)}"
        raise DataError(
            f"{source.name}: {what}.",
            expected="at least one rating",
            hint="Check that this is the right table, and that it is complete.",
        )


def _examples(told: DataFrame, where: str, shown: str, source: _Source, what: str) -> list[tuple[int, str]]:
    """Return the first bad rows, and note their places."""
    bad = told.filter(where).orderBy("user_given", "item_given").limit(SHOWN)
    rows = bad.select("user_given", "item_given", shown).collect()
    source.places = [f"user {_shown(row[0])}, item {_shown(row[1])}" for row in rows]
    return [(at, f"{what} {'nan' if row[2] in (None, 'NaN') else row[2]}") for at, row in enumerate(rows)]


def _shown(value: object) -> str:
    return "missing" if value is None else quote_id(value)


# -- ids ------------------------------------------------------------------------------------------

_ID_FAULTS = ("missing", "fractional", "beyond", "empty", "nul", "long")
_ABSENT, _FRACTION, _BEYOND, _EMPTY, _NUL, _LONG = range(1, len(_ID_FAULTS) + 1)


@dataclass(frozen=True)
class _Side:
    """One column of ids."""

    what: str
    column: str
    kind: str

    @property
    def is_decimal(self) -> bool:
        return self.kind.startswith("decimal") and self.kind.endswith(",0)")

    def refuse_type(self, frame: DataFrame, source: _Source) -> None:
        if self.kind == "string" or self.kind in _INTEGERS or self.kind in _FLOATS or self.is_decimal:
            return
        first = frame.select(f"{self.what}_given").head()
        source.places = ["a row"]
        raise refusal(
            source,
            f"the {self.what} ids are of type {self.kind}.",
            rows=[(0, f"{self.what} id {first[0]!r}")] if first is not None else [],
            expected="integers or text",
            hint=f"Convert the {self.what} ids to integers or to text first.",
        )

    def plain(self) -> Column:
        """Return the ids as text or as 64-bit integers, null where they are none."""
        from pyspark.sql import functions as fn

        given = fn.col(f"{self.what}_given")
        return given if self.kind == "string" else given.try_cast("bigint")

    def fault(self) -> Column:
        """Return what is wrong with an id: its place in `_ID_FAULTS` from 1, 0 for nothing."""
        from pyspark.sql import functions as fn

        given = fn.col(f"{self.what}_given")
        if self.kind == "string":
            fault = fn.when(given.isNull(), _ABSENT).when(given == "", _EMPTY)
            fault = fault.when(fn.instr(given, "\0") > 0, _NUL)
            return fault.when(fn.octet_length(given) > MAX_ID_BYTES, _LONG).otherwise(0)
        if self.kind in _FLOATS:
            fault = fn.when(given.isNull() | fn.isnan(given), _ABSENT)
            is_bad = (given != fn.floor(given)) | (fn.abs(given) >= _FLOATS[self.kind])
            return fault.when(is_bad, _FRACTION).otherwise(0)
        fault = fn.when(given.isNull(), _ABSENT)
        return fault.when(given.try_cast("bigint").isNull(), _BEYOND).otherwise(0)

    def refuse(self, told: DataFrame, counts: Any, source: _Source, notices: Notices) -> None:
        """Raise for the first kind of bad id that there is."""
        what = self.what
        for kind, (problem, expected, hint) in self._sentences(counts).items():
            n = counts[f"{what}_fault_{kind}"] or 0
            if n:
                where = f"{what}_fault = {kind}"
                shown = _examples(told, where, f"{what}_given", source, f"{what} id")
                if kind == _ABSENT:
                    shown = [(at, f"{what} id missing") for at, _ in shown]
                raise refusal(
                    source,
                    problem.format(n=counted(n, "row")),
                    rows=shown,
                    expected=expected,
                    hint=hint,
                )
        if self.kind in _FLOATS:
            notices.add(
                f"The {what} ids are floats without a fraction; they were taken as integers.", warn=True
            )

    def _sentences(self, counts: Any) -> dict[int, tuple[str, str, str]]:
        what = self.what
        in_every, fill = f"{an(what)} id in every row", "Remove these rows, or fill in the ids."
        to_integers = f"Convert the {what} ids to integers or to text first."
        return {
            _ABSENT: (f"{what} ids are missing in {{n}}.", in_every, fill),
            _FRACTION: (
                f"{what} ids are floats and no exact integers in {{n}}.",
                "integers or text (a float like 123.0 is taken as 123)",
                to_integers,
            ),
            _BEYOND: (
                f"the {what} ids go beyond the 64-bit integers.",
                "integers from -2**63 to 2**63 - 1, or text",
                f"Convert the {what} ids to text first.",
            ),
            _LONG: (
                f"the longest {what} id is {counts[f'{what}_length'] or 0:,} bytes long.",
                f"{what} ids of at most {MAX_ID_BYTES} bytes in UTF-8",
                "Check the delimiter and the quotes, or shorten the ids.",
            ),
            _EMPTY: (f"{what} ids are empty in {{n}}.", in_every, fill),
            _NUL: (f"the {what} ids contain a NUL byte.", "text without NUL bytes", "Clean the ids."),
        }
