"""``corated config``: the settings of a service, as they come together."""

from __future__ import annotations

import json

import click

from corated.cli.options import command, json_option
from corated.cli.show import say, show_json

__all__ = ["config_command"]


@command(
    examples="""
    corated config show
    corated config show --config corated.toml
    """
)
@click.argument("action", type=click.Choice(("show",)))
@click.option("--config", metavar="FILE", help="Settings in TOML; CORATED_CONFIG names one too.")
@json_option
def config_command(action: str, config: str | None, as_json: bool) -> None:  # noqa: ARG001
    """Show every setting of corated serve.

    From the file and from variables, with what each is for. Secrets are masked. What is printed is TOML that
    --config takes, but for those.
    """
    from corated.serve.settings import Settings, load_settings

    shown = load_settings(config).shown()
    if as_json:
        show_json(shown)
        return
    for name, value in shown.items():
        about = Settings.model_fields[name].description or ""
        line = f"{name} = {json.dumps(value, ensure_ascii=False)}"
        say(f"# {about}")
        say(f"# {name} =" if value is None else line)
