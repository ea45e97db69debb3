"""Ordinary runs in the ledger: what a finished run says of itself, as a trial with one measurement."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from unmixel.core.errors import InputError, RunExistsError
from unmixel.dataset.result import Result
from unmixel.lab.ledger import Ledger
from unmixel.lab.trial import Measured, Trial
from unmixel.pipeline.folder import stem
from unmixel.pipeline.kept import load

RUN = "run"
"""Kind of such trials, and the variant of their one measurement."""


def enter(ledger: Ledger, folder: str | Path, *, hypothesis: str = "") -> Trial:
    """Enter a finished run into a ledger and return its trial; the run folder stays where it is and as it is.

    Parameters
    ----------
    ledger : Ledger
    folder : path
        A run folder that `unmixel.run` wrote.
    hypothesis : str
        What was expected of it.

    Raises
    ------
    ReadError
        When there is no run.
    InputError
        When it has not finished.
    RunExistsError
        When it has been entered before.
    """
    result = load(folder)
    trial = trial_of(result, hypothesis=hypothesis)
    if (ledger.trials / trial.id).exists():
        raise RunExistsError(f"This run is in the ledger already, as {trial.id}.")
    place = ledger.start(trial)
    bundle = os.path.relpath(Path(folder).resolve(), place.resolve())
    ledger.add(trial.id, measured_of(result, place=Path(bundle).as_posix()))
    ledger.finish(trial.id, state="finished", conclusion="")
    return ledger.get(trial.id)


def trial_of(result: Result, *, hypothesis: str = "") -> Trial:
    """Return the trial that a finished run is, without its measurement; the same run gives the same id.

    Raises
    ------
    InputError
        When it has not finished.
    """
    record = result.record
    if record.get("status") != "finished":
        raise InputError(
            "run",
            expected="one that has finished",
            got=f"one that is {record.get('status', 'of unknown state')}",
            hint="go on with it by the same command, then add it",
        )
    started = datetime.fromisoformat(str(record["started"]))
    name = stem(_input(record))
    mark = hashlib.sha256(json.dumps(record, sort_keys=True, default=str).encode()).hexdigest()[:4]
    return Trial(
        id=f"{started:%Y%m%dT%H%M%S}-{name}-{mark}",
        kind=RUN,
        name=name,
        created=str(record["started"]),
        hypothesis=hypothesis,
        recipe=dict(result.recipe or {}),
        data={_input(record): str(record.get("input", {}).get("sha256", ""))},
        seeds=(int(record.get("seed") or 0),),
        versions=dict(record.get("versions", {})),
    )


def measured_of(result: Result, *, place: str = "") -> Measured:
    """Return what a run measured of itself: ``error``, ``chi_square``, ``components``, ``sweeps`` and its time.

    Parameters
    ----------
    result : Result
    place : str
        Where it lies, relative to the folder of its trial.
    """
    factors = result.factors
    residual = factors.residual
    values: dict[str, float | None] = {
        "error": factors.convergence.relative_error,
        "chi_square": None if residual is None else residual.chi2,
        "components": float(factors.n_components),
        "sweeps": float(factors.convergence.n_sweeps),
    }
    record: Mapping[str, Any] = result.record
    times = record.get("timings_s", {})
    return Measured(
        case=_input(record),
        seed=int(record.get("seed") or 0),
        variant=RUN,
        metrics={key: float(v) for key, v in values.items() if v is not None and np.isfinite(v)},
        seconds=float(sum(times.values())) if times else float("nan"),
        result=place,
    )


def _input(record: Mapping[str, Any]) -> str:
    return str(record.get("input", {}).get("path", "")) or "memory"
