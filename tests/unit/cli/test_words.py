import pytest

from corated.cli.words import on_command_line, printable


@pytest.mark.parametrize(
    ("library", "here"),
    [
        ("min_common=3 leaves the others", "--min-common 3 leaves the others"),
        ('pass duplicates="last" or another', "pass --duplicates last or another"),
        (
            'Pass duplicates="last" or "first" (by time), "max", "min" or "count".',
            "Pass --duplicates last or first (by time), max, min or count.",
        ),
        ('duplicates="max", "min" or "mean", or remove "x"', '--duplicates max, min or mean, or remove "x"'),
        ('of="users" or of="items"', "--of users or --of items"),
        ('on "a" or "b"', 'on "a" or "b"'),
        ("pass user= and item= when reading.", "pass --user and --item when reading."),
        ("k=0 cannot be used.", "--k 0 cannot be used."),
        ("like=7.5.", "--like 7.5."),
        ("k=-1 cannot", "--k -1 cannot"),
        ("try n=10", "try -n 10"),
        ("pass time=False to read", "pass --no-time to read"),
        ("rating=False says", "--no-rating says"),
        ("Give scale=(low, high, step).", "Give --scale LOW:HIGH:STEP."),
        ("scale=(1, 5, .5)", "--scale 1:5:.5"),
        ('ids={"user": "text"} keeps', "--ids user=text keeps"),
        ('on_bad="drop" (--on-bad drop) to', "--on-bad drop to"),
        ("tz='UTC'", "--tz UTC"),
        ("accept_license=True", "--accept-license"),
        ("https://example.org/?user=5", "https://example.org/?user=5"),
        ("a stuser=5", "a stuser=5"),
        ("is left out by years=.", "is left out by --years."),
        ("by genres= and exclude=.", "by --genre and --exclude."),
        ("years=(2000, 1990) allows nothing", "--years 2000-1990 allows nothing"),
        (
            "for example years=(1990, 1999), or years=(2010, None)",
            "for example --years 1990-1999, or --years 2010-",
        ),
        ("years=(None, 1980)", "--years -1980"),
        ("x = rating − 1", "x = rating − 1"),
    ],
)
def test_settings_become_options(library, here):
    assert on_command_line(library) == here


def test_control_characters_are_escaped():
    assert printable("a\x1b[31mb\x07\tc\nd\x9b") == "a\\x1b[31mb\\x07\tc\nd\\x9b"
