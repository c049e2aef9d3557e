"""MovieTweetings 100K by time: 10 recommendations beside what people liked in the last month.

Likes are ratings from 7. Every method with settings has as many trials, in the same search, on the validation
alone; everything is compared, user by user, with popularity of a half-life of one day. The protocol is in
by_time.py.
"""

from __future__ import annotations

import by_time
from ladder import Ladder, climb, options_of

import corated as cr
from data import real_folder

LIKE = 7.0


def main() -> None:
    parted = by_time.ByTime(
        cr.read_ratings(real_folder("movietweetings-100k") / "ratings.dat"),
        LIKE,
        cr.Popularity(like=LIKE, half_life=1.0),
    )
    ladder = Ladder(
        name="quality-movietweetings",
        script="quality/movietweetings.py",
        arguments=[],
        metric=by_time.METRIC,
        better="larger",
        judge=parted.judge,
        facts=parted.facts,
        methods=by_time.methods(LIKE),
    )
    climb(ladder, options_of(__doc__).parse_args())


if __name__ == "__main__":
    main()
