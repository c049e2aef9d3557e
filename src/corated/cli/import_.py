"""``corated import``: files of ratings, and a catalog, into a store."""

from __future__ import annotations

import shlex
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from corated.cli.options import catalog_option, command, json_option, progress_option
from corated.cli.reading import Reading, read_catalog, reads_files
from corated.cli.show import count, say, show_json
from corated.cli.state import current
from corated.cli.stores import check_address, is_address, opened, shown, store_option
from corated.cli.wishes import one_stdin

if TYPE_CHECKING:
    from corated import Ratings
    from corated.live._head import Head
    from corated.live.store import Store
    from corated.ratings.ids import IdKind

__all__ = ["import_command"]


@command(
    examples="""
    corated import ratings.dat --catalog movies.dat --store shop.db
    corated import ratings.csv --store shop.db --widen
    zcat ratings.csv.gz | corated import - --store another.db --scale 1:10
    """
)
@reads_files
@store_option
@catalog_option
@click.option("--widen", is_flag=True, help="Let ratings off the scale of the store widen it.")
@json_option
@progress_option
def import_command(
    readings: list[Reading], store: str, catalog: str | None, widen: bool, as_json: bool
) -> None:
    """Write files of ratings into a store.

    The store is made where there is none. Its scale, the types of its ids and whether ratings have times are
    those of the first import. A rating takes the place of one that the user gave the item before. Files are
    imported one after the other, each as a whole or not at all. With --catalog the titles are kept as well,
    and RATINGS may be left out.
    """
    start = time.perf_counter()
    check_address(store)
    one_stdin(*(reading.path for reading in readings))
    if not readings and catalog is None:
        raise click.UsageError("Missing argument 'RATINGS', or --catalog.", click.get_current_context())
    # A file that cannot be read leaves no new store behind.
    head = None if _is_new(store) else _head(store)
    first = _read(readings[0], head, widen) if readings else None
    titles = None
    if catalog is not None:
        titles = read_catalog(catalog, _item_kind(head) if first is None else first)
    files: list[dict[str, Any]] = []
    with opened(store, create=True, widen=widen) as kept:
        for at, reading in enumerate(readings):
            ratings = first if at == 0 and first is not None else _read(reading, kept.head(), widen)
            files.append({"path": reading.path, **_written(kept, ratings)})
            first = None  # so that one file at a time is in memory
            del ratings
            _note(files, len(readings))
        _note_scale(head, kept.head(), readings)
        items = None if titles is None else kept.put_items(titles)
        summary = _summary(store, files, items, kept.head())
    summary["seconds"] = round(time.perf_counter() - start, 3)
    if as_json:
        show_json(summary)
    else:
        say("\n".join(_lines(summary)))


def _is_new(store: str) -> bool:
    """Tell whether a file is to be made, in a folder that there is."""
    path = Path(store)
    return not is_address(store) and path.parent.is_dir() and not path.exists()


def _head(store: str) -> Head:
    """Return what is fixed about a store that there is, or about a database's new one."""
    with opened(store, create=True) as kept:
        return kept.head()


def _item_kind(head: Head | None) -> IdKind | None:
    return None if head is None else head.shape.item_ids


def _read(reading: Reading, head: Head | None, widen: bool) -> Ratings:
    """Read a file as the store has ratings: text becomes ids of its types, ratings are on its scale."""
    if head is None:
        return reading.ratings()
    shape = head.shape
    if reading.ids is None:
        kinds = {"user": shape.user_ids, "item": shape.item_ids}
        named = [f"{what}={kind}" for what, kind in kinds.items() if kind is not None]
        reading = replace(reading, ids=",".join(named) or None)
    if reading.scale is None and shape.scale is not None and not widen:
        scale = shape.scale
        reading = replace(reading, scale=(scale.low, scale.high, scale.step))
    return reading.ratings()


def _written(kept: Store, ratings: Ratings) -> dict[str, Any]:
    """Import the ratings of one file; return the counts."""
    written = kept.import_(ratings, progress=current().bar or None)
    return {"ratings": ratings.n_ratings, "changed": written.applied}


def _note(files: list[dict[str, Any]], of: int) -> None:
    """Tell after each of several files that it is in the store, whatever becomes of the next."""
    if of > 1:
        current().notice(f"{files[-1]['path']} is in the store, {len(files)} of {of} files.")


def _note_scale(before: Head | None, after: Head, readings: list[Reading]) -> None:
    """Tell where the ratings, and nobody, have decided the scale."""
    had_none = before is None or before.shape.scale is None
    if had_none and readings and readings[0].scale is None and after.shape.scale is not None:
        current().notice(
            f"The scale of the store is {after.shape.scale} now, as read off the ratings. --scale declares "
            "it at the first import, and --widen widens it later."
        )


def _summary(store: str, files: list[dict[str, Any]], items: int | None, head: Head) -> dict[str, Any]:
    """Return what was done, and what is fixed about the store now."""
    shape = head.shape
    return {
        "store": shown(store),
        "files": files,
        "ratings": sum(one["ratings"] for one in files),
        "changed": sum(one["changed"] for one in files),
        "catalog_items": items,
        "position": head.position,
        "scale": None if shape.scale is None else asdict(shape.scale),
        "user_ids": shape.user_ids,
        "item_ids": shape.item_ids,
        "timed": shape.timed,
    }


def _lines(summary: dict[str, Any]) -> list[str]:
    """Return the summary as text."""
    done = []
    if summary["files"]:
        done.append(f"{count(summary['ratings'], 'rating')} imported, {summary['changed']:,} new or changed")
    if summary["catalog_items"] is not None:
        done.append(f"{count(summary['catalog_items'], 'item')} put into the catalog")
    lines = [f"{summary['store']}: {'; '.join(done)}, in {summary['seconds']:.1f} s"]
    if summary["files"]:
        lines.append(f"next: corated recommend --store {shlex.quote(summary['store'])}")
    return lines
