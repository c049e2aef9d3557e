"""How numbers and names of an evaluation are written, and what is to be minded about a model."""

from __future__ import annotations

from dataclasses import replace

from corated.errors import ParameterError
from corated.evaluation.judging import ERRORS, Judged
from corated.evaluation.table import Asked, get_metric

__all__ = [
    "asked_name",
    "megabytes",
    "model_notes",
    "number",
    "probability",
    "seconds",
    "shown",
    "signed",
    "without_errors",
]

_NONE = "–"


def number(value: float | None) -> str:
    """Write a value, small ones to four places."""
    if value is None:
        return _NONE
    return f"{value:.4f}" if abs(value) < 10 else f"{value:,.2f}"


def signed(value: float | None) -> str:
    """Write a difference with its sign."""
    if value is None:
        return _NONE
    return "0.0000" if value == 0.0 else f"{value:+.4f}".replace("-", "−")


def probability(value: float | None) -> str:
    """Write a p-value."""
    if value is None:
        return _NONE
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"


def seconds(value: float) -> str:
    """Write seconds so that small ones can be told apart."""
    return f"{value:.1f} s" if value >= 10 else f"{value:.2f} s" if value >= 0.1 else f"{value * 1000:.1f} ms"


def megabytes(value: int | None) -> str:
    """Write a number of bytes."""
    if value is None:
        return _NONE
    return f"{value / 1e9:.1f} GB" if value >= 1e9 else f"{value / 1e6:.0f} MB"


def shown(text: str) -> str:
    """Return text without signs that break a line or turn its direction."""
    return text if text.isprintable() else "".join(sign if sign.isprintable() else " " for sign in text)


def asked_name(metric: str | Asked, judged: Judged) -> str:
    """Return the name of a metric that was asked for; raises `ParameterError` for another."""
    name = str(get_metric(metric))
    if name not in judged.values:
        raise ParameterError(
            f"{name} was not asked for.",
            expected=f"one of {', '.join(judged.values)}",
            hint=f'add "{name}" to metrics',
        )
    return name


def without_errors(judged: Judged) -> Judged:
    """Return the same less the metrics of predicted ratings."""
    return replace(judged, values={name: one for name, one in judged.values.items() if name not in ERRORS})


def model_notes(name: str, judged: Judged, users: int) -> list[str]:
    """Return what to mind about a model's answers, as sentences."""
    notes = []
    if judged.short:
        notes.append(
            f"{name} lists fewer items than were asked for to {judged.short:,} of {users:,} test users."
        )
    errors = judged.errors
    if errors is not None:
        parts = [f"{count:,} {status}" for status, count in errors.by_status.items() if count]
        without = f"; {errors.without:,} have no prediction" if errors.without else ""
        notes.append(f"{name} predicts {errors.pairs:,} test ratings ({', '.join(parts)}){without}.")
    return notes
