"""From batches of columns to `Ratings`: the one way in, whatever the ratings come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corated.errors import DataError
from corated.ratings.columns import Columns, choose_columns
from corated.ratings.duplicates import Merged, TiedTimes, merge
from corated.ratings.idcolumn import IdCollector
from corated.ratings.ids import IdMap, quote_id
from corated.ratings.levels import RatingCollector, RatingColumn
from corated.ratings.notices import Notices
from corated.ratings.options import ReadOptions
from corated.ratings.ratings import Csr, Ratings
from corated.ratings.scale import Scale, infer_scale
from corated.ratings.sorting import joined, pair_order
from corated.ratings.sources import SHOWN, Place, Source, counted, refusal
from corated.ratings.times import TimeCollector

__all__ = ["collect"]

Ints = npt.NDArray[Any]


def collect(source: Source, options: ReadOptions) -> Ratings:
    """Read every batch of a source into `Ratings`; raises `DataError` and `ParameterError`."""
    notices = Notices()
    columns = choose_columns(source, options, notices)
    if columns.time is None:
        options.refuse_time_settings(source.name)
    ratings = _Collector(source, options, columns, notices).run()
    notices.emit()
    return ratings


class _Kept:
    """A source whose records are counted without those that were left out."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.name = source.name
        self.columns = source.columns
        self.headerless = source.headerless
        self.is_text = source.is_text
        self.dropped: list[Ints] = []  # the numbers of the records left out, ascending

    def sample(self, column: str) -> pa.Array:
        return self._source.sample(column)

    def batches(self, wanted: Sequence[str]) -> Iterator[list[pa.Array]]:
        return self._source.batches(wanted)

    def locate(self, rows: Sequence[int]) -> list[Place]:
        if self.dropped:
            dropped = np.concatenate(self.dropped)
            before = np.searchsorted(dropped - np.arange(len(dropped)), rows, side="right")
            rows = (np.asarray(rows) + before).tolist()
        return self._source.locate(rows)


class _Collector:
    """The state of one read."""

    def __init__(self, source: Source, options: ReadOptions, columns: Columns, notices: Notices) -> None:
        self.source = source
        self.kept = kept = _Kept(source)
        self.options = options
        self.columns = columns
        self.notices = notices
        self.ratings = RatingCollector(source, options.declared_scale)
        self.users = IdCollector("user", kept, options.id_kind("user"), notices)
        self.items = IdCollector("item", kept, options.id_kind("item"), notices)
        self.times = (
            TimeCollector(kept, columns.time, options.time_unit, options.tz) if columns.time else None
        )
        self.n_read = 0  # records seen
        self.n_kept = 0  # records not left out

    def run(self) -> Ratings:
        names = self.columns.wanted()
        for arrays in self.source.batches(names):
            self._add(dict(zip(names, arrays, strict=True)))
        if self.ratings.faults and self.options.on_bad == "refuse":
            raise self.ratings.refuse()
        if not self.n_kept:
            raise self._empty()
        if self.kept.dropped:
            self.notices.add(
                f"{counted(self.n_read - self.n_kept, 'row')} left out: rating {self.ratings.found()}.",
                warn=True,
            )
        return self._assemble()

    def _add(self, batch: dict[str, pa.Array]) -> None:
        try:
            self._take(batch)
        except pa.ArrowException as error:
            kinds = ", ".join(f"{name!r} {column.type}" for name, column in batch.items())
            raise DataError(
                f"{self.source.name}: a column cannot be used: {str(error).splitlines()[0].rstrip('.')}.",
                expected="columns of numbers, text or datetimes",
                rows=[f"types: {kinds}"],
                hint="Convert the column of an unusual type first.",
            ) from error

    def _take(self, batch: dict[str, pa.Array]) -> None:
        n = len(batch[self.columns.user])
        given = batch[self.columns.rating] if self.columns.rating else pa.array(np.ones(n))
        bad = self.ratings.add(given, self.n_read)
        if bad is not None and self.options.on_bad == "drop":
            self.ratings.drop_last(bad)
            self.kept.dropped.append(self.n_read + np.flatnonzero(bad))
            batch = {name: column.filter(pa.array(~bad)) for name, column in batch.items()}
        self.n_read += n
        self.users.add(batch[self.columns.user], self.n_kept)
        self.items.add(batch[self.columns.item], self.n_kept)
        if self.times is not None and self.columns.time is not None:
            witness = batch[self.columns.witness] if self.columns.witness else None
            self.times.add(batch[self.columns.time], witness, self.n_kept)
        self.n_kept += len(batch[self.columns.user])

    def _empty(self) -> DataError:
        if self.n_read:
            what = f"every row was left out for its rating: {self.ratings.found()}"
        elif self.source.headerless:
            what = "there are no ratings"
        else:
            what = f"there are columns ({', '.join(list(self.source.columns)[:8])}) but no rows"
        return DataError(
            f"{self.source.name}: {what}.",
            expected="at least one rating",
            hint="Check that this is the right table, and that it is complete.",
        )

    def _assemble(self) -> Ratings:
        """Sort by (user, item), settle duplicates and the scale, and freeze."""
        users, user_chunks = self.users.finish()
        user_codes = joined(user_chunks)
        items, item_chunks = self.items.finish()
        item_codes = joined(item_chunks)
        ratings = self.ratings.finish()
        times = self.times.finish(self.notices) if self.times is not None else None

        order = pair_order(user_codes, item_codes, len(users), len(items))
        if order is not None:
            user_codes = user_codes[order]
            item_codes = item_codes[order]
            ratings.reorder(order)
            times = times[order] if times is not None else None
        starts = np.empty(len(user_codes), np.bool_)
        starts[:1] = True
        np.not_equal(user_codes[1:], user_codes[:-1], out=starts[1:])
        starts[1:] |= item_codes[1:] != item_codes[:-1]
        if not starts.all() or self.options.duplicates == "count":
            frame = _Sorted(users, items, user_codes, item_codes, ratings, times, order)
            merged = self._merge(frame, starts)
            user_codes, item_codes = user_codes[merged.kept], item_codes[merged.kept]
            times = times[merged.kept] if times is not None else None
            if merged.values is None:
                ratings.reorder(merged.kept)
            else:
                ratings = RatingColumn(None, merged.values)
        del order, starts

        counts = np.bincount(user_codes, minlength=len(users))
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        scale, codes, values = self._on_scale(ratings)
        self._remark(len(users), len(items), scale)
        by_user = Csr(indptr, item_codes)
        return Ratings(users, items, scale, by_user, codes, times, self.notices.texts(), values)

    # -- duplicates ---------------------------------------------------------------------------

    def _merge(self, rows: _Sorted, starts: npt.NDArray[np.bool_]) -> Merged:
        rule = self.options.duplicates
        n_extra = int((~starts).sum())
        if rule == "refuse" or (rule in ("last", "first") and rows.times is None):
            raise self._refuse_duplicates(rows, starts, n_extra)
        try:
            merged = merge(starts, rows.ratings.floats(), rows.times, rule)
        except TiedTimes as tied:
            raise refusal(
                self.kept,
                f'duplicates="{rule}" cannot decide for {counted(tied.groups, "pair")}: the times are equal.',
                rows=rows.describe(tied.rows),
                expected=f"one {rule} rating for each user and item",
                hint='Pass duplicates="max", "min" or "mean", or remove the repeats.',
            ) from None
        if merged.values is not None and not np.isfinite(merged.values).all():
            over = merged.kept[~np.isfinite(merged.values)]
            raise refusal(
                self.kept,
                f'duplicates="{rule}" makes {counted(len(over), "rating")} larger than the largest float.',
                rows=rows.describe(over[:SHOWN]),
                expected="ratings whose sum is a finite number",
                hint='Pass duplicates="max" or "min", or correct these ratings.',
            )
        if n_extra:
            self.notices.add(f'{counted(n_extra, "repeated rating")} merged by duplicates="{rule}".')
        return merged

    def _refuse_duplicates(self, rows: _Sorted, starts: npt.NDArray[np.bool_], n_extra: int) -> DataError:
        again = np.flatnonzero(~starts)
        firsts = np.flatnonzero(starts)
        n_pairs = int(starts[again - 1].sum())
        shown = np.unique(
            np.concatenate([firsts[np.searchsorted(firsts, again[:SHOWN], "right") - 1], again[:SHOWN]])
        )
        how = (
            ""
            if self.options.duplicates == "refuse"
            else f' and no times for duplicates="{self.options.duplicates}"'
        )
        return refusal(
            self.kept,
            f"duplicates: {counted(n_pairs, 'pair')} of user and item with more than one rating "
            f"({counted(n_extra, 'repeated row')}){how}.",
            rows=rows.describe(shown),
            expected="one rating for each user and item",
            hint='Pass duplicates="last" or "first" (by time), "max", "min", "mean", "sum" or "count".',
        )

    # -- the scale ----------------------------------------------------------------------------

    def _on_scale(
        self, ratings: RatingColumn
    ) -> tuple[Scale | None, npt.NDArray[np.uint8] | None, npt.NDArray[np.float64] | None]:
        """Return the scale with codes, or no scale with the ratings themselves."""
        declared = self.options.declared_scale
        distinct = ratings.distinct()
        if declared is not None and not declared.is_coded():
            self.notices.add(f"The scale {declared} has more than 256 levels; ratings are kept as floats.")
            return None, None, ratings.floats()
        scale = declared
        if declared is not None and not declared.contains(distinct).all():
            self.notices.add(
                f'duplicates="{self.options.duplicates}" made ratings off the declared scale {declared}.',
                warn=True,
            )
            scale = None
        if scale is None:
            scale = infer_scale(distinct)
        if scale is None:
            self.notices.add("The ratings are on no scale of at most 256 levels; they are kept as floats.")
            return None, None, ratings.floats()
        if ratings.levels is None:
            return scale, scale.encode(ratings.stored), None
        # A level that no rating has may be off the scale: its code is never used.
        on_scale = scale.contains(ratings.levels)
        codes = scale.encode(np.where(on_scale, ratings.levels, scale.low))
        return scale, codes[ratings.stored], None

    def _remark(self, n_users: int, n_items: int, scale: Scale | None) -> None:
        """Note what makes neighbors scarce or meaningless."""
        if n_users == 1:
            self.notices.add("There is one user: nobody to compare with.")
        if n_items == 1:
            self.notices.add("There is one item: nothing to recommend.")
        if scale is not None and scale.levels == 1 and self.columns.rating is not None:
            self.notices.add(f"All ratings are {scale.low:g}: a scale of one level, as in implicit feedback.")


class _Sorted(NamedTuple):
    """All rows in (user, item) order, for messages about some of them."""

    users: IdMap
    items: IdMap
    user_codes: Ints
    item_codes: Ints
    ratings: RatingColumn
    times: Ints | None
    order: Ints | None

    def describe(self, positions: Ints) -> list[tuple[int, str]]:
        """Return (record, rendering) for some positions in sorted order."""
        ratings = self.ratings.floats()[positions]
        described = []
        for at, rating in zip(positions.tolist(), ratings.tolist(), strict=True):
            user = quote_id(self.users.id(self.user_codes[at]))
            item = quote_id(self.items.id(self.item_codes[at]))
            record = at if self.order is None else int(self.order[at])
            described.append((record, f"user {user}, item {item}, rating {rating:.10g}"))
        return described
