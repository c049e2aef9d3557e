"""MovieLens by time, as movietweetings.py: ml-latest-small or the half of MovieLens 1M.

Likes are ratings from 4. A split by time tests few people here: most rate everything on one evening, and
whoever came before the cut seldom comes back. The results tell how many do. Everything is compared, user by
user, with popularity of all time.
"""

from __future__ import annotations

import by_time
from ladder import Ladder, climb, options_of

import corated as cr
from data import real_folder

LIKE = 4.0
FILES = {"ml-latest-small": "ratings.csv", "ml-1m-half": "ratings.dat.gz"}


def main() -> None:
    parser = options_of(__doc__)
    parser.add_argument("--data", choices=list(FILES), default="ml-latest-small")
    options = parser.parse_args()
    parted = by_time.ByTime(
        cr.read_ratings(real_folder(options.data) / FILES[options.data]), LIKE, cr.Popularity(like=LIKE)
    )
    ladder = Ladder(
        name=f"quality-{options.data}",
        script="quality/movielens.py",
        arguments=["--data", options.data],
        metric=by_time.METRIC,
        better="larger",
        judge=parted.judge,
        facts=parted.facts,
        methods=by_time.methods(LIKE),
    )
    climb(ladder, options)


if __name__ == "__main__":
    main()
