"""What a search has tried so far, and what it tries next: optuna's choice, the ledger's memory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from unmixel.core.errors import MissingExtraError
from unmixel.io.atomic import append_line, whole_lines
from unmixel.lab.space import Dimension, Range
from unmixel.pipeline.yamlfile import value_of, value_text

SEARCHED = "search.jsonl"
"""File in the folder of a search: a line for each setting that was tried, and one for the setting that was chosen."""

_BEFORE_PRUNING = 4
"""Settings that are measured whole before any is given up early."""

_STATES = {"finished": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}


@dataclass(frozen=True)
class Tried:
    """One setting and what became of it.

    Parameters
    ----------
    number : int
    values : mapping of str to value
        By dotted keys.
    state : {"finished", "pruned", "failed"}
    scores : tuple of float
        Mean gain over the baseline after each round, higher is better; the last one counts.
    why : str
        Why it failed.
    """

    number: int
    values: Mapping[str, Any]
    state: Literal["finished", "pruned", "failed"]
    scores: tuple[float, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Memory:
    """What the folder of a search remembers.

    Parameters
    ----------
    folder : Path
        Of the trial.
    """

    folder: Path

    @property
    def _path(self) -> Path:
        return self.folder / SEARCHED

    def add(self, tried: Tried) -> None:
        """Remember a setting."""
        append_line(self._path, json.dumps({"tried": vars(tried)}, ensure_ascii=False))

    def choose(self, number: int) -> None:
        """Remember which setting is held against the baseline on unseen seeds: from now on no other is."""
        append_line(self._path, json.dumps({"chosen": number}))

    def tried(self) -> tuple[Tried, ...]:
        """Return all settings, in order."""
        found = [json.loads(line).get("tried") for line in whole_lines(self._path)]
        return tuple(Tried(**{**one, "scores": tuple(one["scores"])}) for one in found if one)

    def chosen(self) -> Tried | None:
        """Return the chosen setting, None while the search goes on."""
        numbers = [json.loads(line).get("chosen") for line in whole_lines(self._path)]
        last = next((one for one in numbers if one is not None), None)
        return next((one for one in self.tried() if one.number == last), None)


@dataclass
class Study:
    """Optuna's view of a search: tells which values to try next and which setting is hopeless.

    Parameters
    ----------
    space : tuple of Dimension
    seed : int
    """

    space: Sequence[Dimension]
    seed: int
    _study: Any = field(init=False, repr=False)
    _asked: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        optuna = _optuna()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._study = optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=self.seed, n_startup_trials=2 * _BEFORE_PRUNING),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=_BEFORE_PRUNING, n_warmup_steps=1),
        )

    def ask(self) -> dict[str, Any]:
        """Return values to try next, by dotted keys."""
        self._asked = self._study.ask(self._distributions())
        return {one.key: _value(one, self._asked.params[one.key]) for one in self.space}

    def hopeless(self, scores: Sequence[float]) -> bool:
        """Return whether what was asked last is below the median of the others after as many rounds."""
        self._asked.report(scores[-1], step=len(scores) - 1)
        return bool(self._asked.should_prune())

    def tell(self, tried: Tried) -> None:
        """Hear what became of a setting, of this process or of an earlier one."""
        optuna = _optuna()
        state = getattr(optuna.trial.TrialState, _STATES[tried.state])
        if self._asked is not None:
            self._study.tell(
                self._asked, tried.scores[-1] if tried.state == "finished" else None, state=state
            )
            self._asked = None
            return
        self._study.add_trial(
            optuna.trial.create_trial(
                state=state,
                value=tried.scores[-1] if tried.scores and tried.state != "failed" else None,
                params={one.key: _asked_for(one, tried.values[one.key]) for one in self.space},
                distributions=self._distributions(),
                intermediate_values=dict(enumerate(tried.scores)),
            )
        )

    def _distributions(self) -> dict[str, Any]:
        optuna = _optuna()
        found: dict[str, Any] = {}
        for one in self.space:
            if not isinstance(one, Range):
                found[one.key] = optuna.distributions.CategoricalDistribution(
                    [value_text(v) for v in one.values]
                )
            elif one.whole:
                found[one.key] = optuna.distributions.IntDistribution(
                    int(one.low), int(one.high), log=one.logarithmic
                )
            else:
                found[one.key] = optuna.distributions.FloatDistribution(
                    one.low, one.high, log=one.logarithmic
                )
        return found


def _value(one: Dimension, asked: Any) -> Any:
    """Return the value of a recipe that a value of optuna stands for: choices go as text."""
    if not isinstance(one, Range):
        return value_of(asked)
    return int(asked) if one.whole else float(f"{asked:.6g}")


def _asked_for(one: Dimension, value: Any) -> Any:
    if isinstance(one, Range):
        return min(max(value, one.low), one.high)
    return value_text(value)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError("optuna", extra="tune", purpose="A search") from error
    return optuna
