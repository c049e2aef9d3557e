"""``python -m corated.cli`` is ``corated``."""

from corated.cli import main

main()
