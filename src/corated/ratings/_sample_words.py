"""Invented titles for the sample: no two alike, with the punctuation that breaks careless readers."""

from __future__ import annotations

import numpy as np

__all__ = ["CAPACITY", "GENRES", "STEP", "invent_titles", "title"]

GENRES = (
    "Drama", "Comedy", "Thriller", "Action", "Romance", "Crime", "Adventure", "Horror", "Sci-Fi",
    "Mystery", "Fantasy", "Family", "Biography", "Animation", "History", "Music", "Sport", "War",
    "Documentary", "Western",
)  # fmt: skip
"""Twenty genres, the most frequent first."""

_MOODS = (
    "Silent", "Crooked", "Golden", "Borrowed", "Electric", "Hollow", "Scarlet", "Patient", "Frozen",
    "Second", "Quiet", "Broken", "Wandering", "Midnight", "Paper", "Distant", "Gentle", "Burning",
    "Forgotten", "Velvet", "Restless", "Copper", "Invisible", "Crowded", "Salted", "Honest", "Last",
    "Northern", "Reluctant", "Glass", "Untold", "Wooden", "Bitter", "Drifting", "Secret", "Lonely",
    "Amber", "Stolen", "Brave", "Sleepless", "Thirteenth", "Painted", "Wild", "Faithful", "Endless",
    "Rusty", "Tender", "Upside-Down",
)  # fmt: skip

_THINGS = (
    "Harbor", "Orchard", "Clock", "Telegram", "Lighthouse", "Garden", "Engine", "Umbrella", "Staircase",
    "River", "Compass", "Violin", "Bridge", "Snowfall", "Window", "Carnival", "Ledger", "Kite", "Desert",
    "Mirror", "Suitcase", "Tide", "Lantern", "Piano", "Island", "Corridor", "Sparrow", "Meadow", "Signal",
    "Bakery", "Tunnel", "Letter", "Anchor", "Balcony", "Comet", "Fountain", "Ladder", "Market", "Needle",
    "Observatory", "Parade", "Quarry", "Raincoat", "Shadow", "Theater", "Vineyard", "Whistle", "Attic",
    "Ballroom", "Candle", "Dune", "Elevator", "Ferry", "Glacier", "Hotel", "Inkwell", "Jury", "Kitchen",
    "Labyrinth", "Monsoon",
)  # fmt: skip

_PLACES = (
    "Oslo", "São Tomé", "Kyoto", "Málaga", "Tromsø", "Valparaíso", "Zürich", "Nairobi", "Łódź", "Québec",
    "Marrakesh", "Reykjavík", "Trieste", "Hanoi", "Montevideo", "Gdańsk", "Samarkand", "Cádiz", "Malmö",
    "Accra", "Izmir", "Brno", "Antwerp", "Busan", "Porto", "Tbilisi", "Córdoba", "Dakar", "Ålesund",
    "Göteborg", "Timișoara", "Palermo", "Quito", "Ōsaka", "Leipzig", "Besançon", "Ghent", "Sfax",
    "Plovdiv", "Düsseldorf",
)  # fmt: skip

_PATTERNS = (
    "The {mood} {thing} of {place}",
    "{place}: The {mood} {thing}",
    "{mood} {thing}, {place}",
    'The {thing} Called "{mood} {place}"',
    "{mood} in {place}: A {thing} Story",
    "{place}'s {mood} {thing}",
    "From {place}, with a {mood} {thing}",
    "Der {thing} – {mood} {place}",
    "Who Stole the {mood} {thing} of {place}?",
    "{place} & the {mood} {thing}",
    "No {thing} in {place} Is {mood}!",
    "L'été {mood}: {thing} à {place}",
)

CAPACITY = len(_MOODS) * len(_THINGS) * len(_PLACES) * len(_PATTERNS)
STEP = 1_000_003  # a prime that does not divide the capacity


def invent_titles(count: int, rng: np.random.Generator) -> list[str]:
    """Return `count` different titles.

    Every title spells one number of a mixed radix, and the numbers come from a walk through all of
    them by a step without a common divisor, so none returns before all were used. Beyond that the
    titles carry a part number.
    """
    start = int(rng.integers(CAPACITY))
    return [title((start + k * STEP) % CAPACITY, k // CAPACITY) for k in range(count)]


def title(number: int, round_: int) -> str:
    """Spell one number below the capacity; from the second round on with a part number."""
    number, mood = divmod(number, len(_MOODS))
    number, thing = divmod(number, len(_THINGS))
    pattern, place = divmod(number, len(_PLACES))
    text = _PATTERNS[pattern].format(mood=_MOODS[mood], thing=_THINGS[thing], place=_PLACES[place])
    return f"{text}, Part {round_ + 1}" if round_ else text
