"""From the library's words to the command line's: ``min_common=3`` is ``--min-common 3`` here."""

from __future__ import annotations

import re

__all__ = ["on_command_line", "printable"]

_SETTINGS = re.findall(
    r"\w+",
    """user item rating time format scale duplicates time_unit tz encoding delimiter ids on_bad
    of measure k n min_common rule like min_support half_life everyone diversity threads memory_limit preset
    size users items ratings seed folder accept_license catalog
    split metrics metric reference trials storage space
    years genres exclude
    work blocks memory""",
)
_FLAGS = {
    ("rating", "False"): "--no-rating",
    ("time", "False"): "--no-time",
    ("accept_license", "True"): "--accept-license",
    ("scale", "low, high, step"): "--scale LOW:HIGH:STEP",
}
_OTHERWISE = {"genres": "genre"}
"""Options that have another name than the setting."""
_VALUE = r"""(?:"[^"\n]*"|'[^'\n]*'|\([^)\n]*\)|\{[^}\n]*\}|[+-]?\w+(?:\.\d+)?)?"""
_SETTING = re.compile(
    rf"""(?<![\w./?&"'=-])({"|".join(sorted(_SETTINGS, key=len, reverse=True))})=({_VALUE})"""
)
_ALSO = r"""(?: \([^()"\n]*\))?"""
_CHOICES = re.compile(rf"""((?:{"|".join(_SETTINGS)})="\w+"{_ALSO})((?:(?:,? or|,)[ ]"\w+"{_ALSO})+)""")
_TWICE = re.compile(r"(--[\w-]+(?: \w+)?) \(\1\)")
_ENCODED = str.maketrans(
    {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if code not in (9, 10)}
)


def on_command_line(text: str) -> str:
    """Write settings named in a message as options."""
    text = re.sub(r"\bwhy_not\b", "--why-not", text)
    text = _CHOICES.sub(lambda match: match[1] + match[2].replace('"', ""), text)
    return _TWICE.sub(r"\1", _SETTING.sub(_option, text))


def _option(match: re.Match[str]) -> str:
    name, value = match[1], match[2]
    if value[:1] in tuple("\"'({"):
        value = value[1:-1]
    if (name, value) in _FLAGS:
        return _FLAGS[name, value]
    option = "-n" if name == "n" else f"--{_OTHERWISE.get(name, name).replace('_', '-')}"
    if match[2].startswith("("):
        parts = [part.strip() for part in value.split(",")]
        ends = ["" if part == "None" else part for part in parts]
        value = "-".join(ends) if name == "years" else ":".join(parts)
    if match[2].startswith("{"):
        value = re.sub(r"""["'\s]""", "", value).replace(":", "=")
    return f"{option} {value}".rstrip()


def printable(text: str) -> str:
    """Escape control characters: text from a file must not command the terminal."""
    return text.translate(_ENCODED)
