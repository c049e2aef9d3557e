"""The book of trials: Optuna's, in memory or in a file, quiet, the same whether in one go or in several."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from corated.errors import DataError, MissingExtraError, OutputError, ParameterError

__all__ = ["Book"]

_STUDY: Final = "corated"
_ABOUT: Final = "corated"
_STARTUP: Final = 8
"""Trials at random, and before any is pruned."""


class Book:
    """Trials so far, and the next one to make.

    path : the file that keeps them, which is made where it does not exist; None to keep them in memory
    about : what the trials are of; a file of trials of something else is refused
    better : "larger" or "smaller"

    What is tried next follows from the seed and the trials that came to an end before, and nothing else: so a
    search that is taken up again makes the trials that it would have made in one go. One process may write at
    a time.

    Raises `MissingExtraError` without Optuna; `DataError` for a file that is none of trials, or of others;
    `OutputError` for one that cannot be written.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None, about: dict[str, str], better: str, seed: int
    ) -> None:
        self._optuna, self._seed = _optuna(), seed
        with _quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
            storage = None if path is None else self._storage(Path(path))
            self._study = self._opened(storage, better)
            self._check(about, path)
            # Of a run that was ended in the middle of a trial; it is made again.
            for trial in self._study.get_trials(deepcopy=False, states=(self._states.RUNNING,)):
                self._study.tell(trial.number, state=self._states.FAIL)

    @property
    def _states(self) -> Any:
        return self._optuna.trial.TrialState

    @property
    def done(self) -> int:
        """How many trials came to an end: with a value, pruned, or with settings that cannot be used."""
        return len(self.trials())

    def trials(self) -> list[Any]:
        """Return the trials that came to an end, in their order."""
        found = self._study.get_trials(deepcopy=False)
        return [trial for trial in found if self.state(trial) is not None]

    def state(self, trial: Any) -> str | None:
        """Return "complete", "pruned" or "failed"; None for a trial that was cut short."""
        if trial.state == self._states.FAIL:
            return "failed" if "reason" in trial.user_attrs else None
        return {self._states.COMPLETE: "complete", self._states.PRUNED: "pruned"}.get(trial.state)

    @contextlib.contextmanager
    def next(self) -> Iterator[Any]:
        """Give the next trial; one whose block is left by an exception counts as not made."""
        with _quiet():
            drawn = int(np.random.SeedSequence([self._seed, self.done]).generate_state(1)[0])
            self._study.sampler = self._optuna.samplers.TPESampler(seed=drawn, n_startup_trials=_STARTUP)
            trial = self._study.ask()
            try:
                yield trial
            except BaseException:
                self._study.tell(trial, state=self._states.FAIL, skip_if_finished=True)
                raise

    def complete(self, trial: Any, value: float) -> None:
        """Note a value."""
        self._study.tell(trial, value)

    def prune(self, trial: Any) -> None:
        """Note that a trial did no better than most before it, and was left."""
        self._study.tell(trial, state=self._states.PRUNED)

    def fail(self, trial: Any, reason: str) -> None:
        """Note settings that cannot be used."""
        trial.set_user_attr("reason", reason)
        self._study.tell(trial, state=self._states.FAIL)

    @property
    def best(self) -> Any | None:
        """The trial with the best value, the earliest of equal ones; None where none has a value."""
        found = [trial for trial in self.trials() if self.state(trial) == "complete"]
        sign = 1.0 if self._study.direction == self._optuna.study.StudyDirection.MINIMIZE else -1.0
        return min(found, key=lambda trial: (sign * trial.value, trial.number)) if found else None

    def _storage(self, path: Path) -> Any:
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

        try:
            _mend(path)
            # Links, which the other lock is made of, need rights on Windows.
            lock = JournalFileOpenLock(str(path)) if os.name == "nt" else None
            return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
        except OSError as error:
            raise OutputError(
                f"The file of trials {path} cannot be used: {error.strerror or error}.",
                expected="a file that can be written, in a folder that exists",
                hint="choose another place",
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _not_ours(path) from error

    def _opened(self, storage: Any, better: str) -> Any:
        """Return the study of a storage: looked for first, since asking to make it writes to the file."""
        study, pruner = self._optuna.study, self._optuna.pruners.MedianPruner(n_startup_trials=_STARTUP)
        if storage is not None and _STUDY in study.get_all_study_names(storage):
            return study.load_study(study_name=_STUDY, storage=storage, pruner=pruner)
        direction = "maximize" if better == "larger" else "minimize"
        return study.create_study(study_name=_STUDY, storage=storage, direction=direction, pruner=pruner)

    def _check(self, about: dict[str, str], path: str | os.PathLike[str] | None) -> None:
        """Refuse trials of something else."""
        there = self._study.user_attrs.get(_ABOUT)
        if there is None:
            if self._study.get_trials(deepcopy=False) and path is not None:
                raise _not_ours(Path(path))
            self._study.set_user_attr(_ABOUT, about)
            return
        for what, value in about.items():
            if there.get(what) != value:
                raise ParameterError(
                    f"{path} has trials of another {what}: {there.get(what)}.",
                    expected=f"{value}",
                    hint="give another file, or the settings that the trials there were made with",
                )


def _mend(path: Path) -> None:
    """Cut off what a run that was ended while it wrote has left of a line; refuse what is no book."""
    text = path.read_bytes() if path.exists() else b""
    whole = text[: text.rfind(b"\n") + 1]
    if text[:1] not in (b"", b"{") or (whole and "op_code" not in json.loads(whole[: whole.index(b"\n")])):
        raise ValueError("no record of a trial")
    if len(whole) < len(text):
        with path.open("rb+") as file:
            file.truncate(len(whole))


def _not_ours(path: Path) -> DataError:
    return DataError(
        f"{path} is no file of trials.",
        expected="a file that tune has made, or a new one",
        hint="choose another name: trials are appended, and the file would be damaged",
    )


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError("Optuna is not installed.", hint="pip install 'corated[tune]'") from error
    return optuna


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what Optuna would tell of this thread's work to itself; what others do with it stays as it is."""
    ours = threading.get_ident()

    def is_told(record: logging.LogRecord) -> bool:
        return record.thread != ours

    handlers = list(logging.getLogger("optuna").handlers)
    for handler in handlers:
        handler.addFilter(is_told)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(is_told)
