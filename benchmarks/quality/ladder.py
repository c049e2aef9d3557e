"""A ladder: methods on one protocol, tuned on one budget, each in processes of its own.

A ladder's script ends with ``climb``. For each method it calls itself twice: to choose the settings, where
there are any to choose, by the validation alone; and to judge them on the test. The second process tells
seconds and peak memory.
"""

from __future__ import annotations

import argparse
import functools
import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

sys.path.insert(0, str(Path(__file__).parents[1]))
from alone import run_alone
from record import RESULTS, commit, keep, versions

THREADS = 2
Params = dict[str, Any]
Figures = dict[str, Any]
Phase = Literal["validation", "test"]


class CannotError(Exception):
    """Why a method cannot do what is asked."""


@dataclass(frozen=True)
class Method:
    """One method of a ladder.

    make : a tool of the settings;  tool : whose it is
    space : by setting a range (low, high) or (low, high, "log"), or a list of choices; empty for fixed ones
    start : the settings of the first trial, the tool's own where it has any;  note : what to mind
    """

    tool: str
    make: Callable[..., Any]
    space: Mapping[str, tuple[Any, ...] | list[Any]] = field(default_factory=dict)
    start: Params = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Ladder:
    """What is climbed.

    name : of the results;  script, arguments : how it is called anew
    metric : what settings are chosen by;  better : its better side
    judge : figures, with the metric among them, of a phase and what makes a tool
    facts : what is told of the data
    """

    name: str
    script: str
    arguments: list[str]
    metric: str
    better: Literal["larger", "smaller"]
    judge: Callable[[Phase, Callable[[], Any]], Figures]
    facts: Callable[[], Figures]
    methods: Mapping[str, Method]


def options_of(about: str | None) -> argparse.ArgumentParser:
    """Return the options that every ladder has."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", help="only these; the others stay as they were kept")
    parser.add_argument("--trials", type=int, default=16, help="settings that each method may try")
    parser.add_argument("--limit", type=float, default=1200.0, help="seconds after which no trial begins")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--alone", nargs=2, help=argparse.SUPPRESS)
    return parser


def climb(ladder: Ladder, options: argparse.Namespace) -> None:
    """Run the methods one after another, print a row for each, and keep all."""
    if options.alone:
        name, given = options.alone
        print(json.dumps(_alone(ladder, ladder.methods[name], json.loads(given), options)))
        return
    rows = _kept(options.results / f"{ladder.name}.json")
    for name in options.methods or ladder.methods:
        rows[name] = {"name": name, "tool": ladder.methods[name].tool} | _row(ladder, name, options)
        print(line_of(rows[name], ladder.metric), flush=True)
        found = {
            "versions": versions() | {"optuna": version("optuna")},
            "facts": ladder.facts(),
            "metric": ladder.metric,
            "trials": options.trials,
            "rows": [rows[known] for known in ladder.methods if known in rows],
        }
        keep(ladder.name, found, options.results)


def _kept(path: Path) -> dict[str, Figures]:
    """Return the rows that are there already, by name."""
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    return {row["name"]: row for row in rows}


def _row(ladder: Ladder, name: str, options: argparse.Namespace) -> Figures:
    """Choose the settings of a method and judge them."""
    method, row = ladder.methods[name], Figures()
    common = [
        *ladder.arguments,
        "--trials",
        str(options.trials),
        "--limit",
        str(options.limit),
        "--alone",
        name,
    ]
    ask = functools.partial(run_alone, ladder.script, threads=THREADS, limit=2 * options.limit + 600)
    params: Params = dict(method.start)
    if method.space:
        chosen = ask([*common, json.dumps(None)])
        if "cannot" in chosen:
            return chosen
        params = chosen.pop("params")
        row["chosen"] = chosen
    row |= {"params": params} | ask([*common, json.dumps(params)])
    if method.note:
        row["note"] = method.note
    return row | {"when": time.strftime("%Y-%m-%d", time.gmtime()), "commit": commit()}


def _alone(ladder: Ladder, method: Method, params: Params | None, options: argparse.Namespace) -> Figures:
    """Do in this process what was asked: choose settings where none are given, else judge them."""
    if params is None:
        return choose(ladder, method, options.trials, options.limit)
    figures = ladder.judge("test", lambda: method.make(**params))
    return figures | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def choose(ladder: Ladder, method: Method, trials: int, limit: float) -> Figures:
    """Search with Optuna's seeded TPE; the first trial is the start, and the best one's settings are told."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    direction = "maximize" if ladder.better == "larger" else "minimize"
    study = optuna.create_study(direction=direction, sampler=optuna.samplers.TPESampler(seed=0))
    first = {name: value for name, value in method.start.items() if name in method.space}
    if first:
        study.enqueue_trial(first)
    began, failed, reason, start_value = time.perf_counter(), 0, "", None
    for at in range(trials):
        if time.perf_counter() - began > limit:
            break
        trial = study.ask()
        params = method.start | {name: _suggest(trial, name, one) for name, one in method.space.items()}
        trial.set_user_attr("params", params)
        try:
            value = ladder.judge("validation", functools.partial(method.make, **params))[ladder.metric]
        except CannotError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a tool says of settings that it cannot take
            failed, reason = failed + 1, f"{type(error).__name__}: {error}"
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            continue
        start_value = value if at == 0 and first else start_value
        study.tell(trial, value)
        print(f"{at} {value:.4f} {params}", file=sys.stderr, flush=True)
    if failed == len(study.trials):
        raise CannotError(f"none of {failed} settings worked: {reason}")
    return {
        "params": study.best_trial.user_attrs["params"],
        "trials": len(study.trials),
        "failed": failed,
        "seconds": time.perf_counter() - began,
        "value": study.best_value,
        "start_value": start_value,
    }


def _suggest(trial: Any, name: str, one: tuple[Any, ...] | list[Any]) -> Any:
    if isinstance(one, list):
        return trial.suggest_categorical(name, one)
    low, high, log = one[0], one[1], one[2:] == ("log",)
    whole = isinstance(low, int) and isinstance(high, int)
    return (trial.suggest_int if whole else trial.suggest_float)(name, low, high, log=log)


def line_of(row: Figures, metric: str) -> str:
    """Return a row as a line for the terminal."""
    start = f"{row['name']:44}"
    if "cannot" in row:
        return f"{start} cannot: {row['cannot']}"
    chosen = row.get("chosen")
    told = f" chosen in {chosen['seconds']:.0f} s ({chosen['value']:.4f})" if chosen else ""
    return f"{start} {metric} {row[metric]:.4f}  {row['seconds']:.1f} s  {row['peak_mb']:.0f} MB {told}"
