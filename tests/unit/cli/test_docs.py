from pathlib import Path

from corated.cli.docs import page


def test_the_page_is_what_the_commands_say():
    committed = Path(__file__).parents[3] / "docs" / "cli.md"
    assert committed.read_text(encoding="utf-8") == page(), "python -m corated.cli.docs > docs/cli.md"
