"""What goes over the wall: a scan without a name into the process of an idea, factors and groups out of it.

Scans and factors cross as plain arrays in ``.npz`` files, words as JSON; nothing is unpickled on either side.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.axes import Axis
from unmixel.dataset.results import Convergence, Factors
from unmixel.dataset.scan import Instrument, Scan

SCAN, ANSWER, JOB = "scan.npz", "answer", "job.json"
"""Names of the files of a job: they say nothing of where its data come from."""


def write_scan(path: Path, scan: Scan) -> None:
    """Write data, axes and microscope of a scan, and nothing else that is known of it."""
    told = {
        "axes": [[asdict(axis) for axis in axes] for axes in (scan.scan_axes, scan.pattern_axes)],
        "instrument": {key: getattr(scan.instrument, key) for key in ("voltage_kV", "convergence_mrad")},
    }
    arrays: Any = {
        name: value
        for name in ("pixel_weights", "position_weights")
        if (value := getattr(scan, name)) is not None
    }
    np.savez(path, data=np.asarray(scan.data), told=np.array(json.dumps(told)), **arrays)


def read_scan(path: Path) -> Scan:
    """Return the scan that `write_scan` wrote, in memory."""
    with np.load(path, allow_pickle=False) as held:
        told = json.loads(str(held["told"]))
        scan_axes, pattern_axes = (tuple(Axis(**axis) for axis in axes) for axes in told["axes"])
        weights = {name: held[name] for name in ("pixel_weights", "position_weights") if name in held}
        return Scan(
            held["data"], scan_axes, pattern_axes, instrument=Instrument(**told["instrument"]), **weights
        )


@dataclass(frozen=True, eq=False)
class Answer:
    """What the process of an idea found, checked at the door.

    Parameters
    ----------
    factors : Factors
    labels : ndarray of int, shape (k,), or None
        Group of each component.
    crystalline : ndarray of bool, shape (g,), or None
        Which groups have spots.
    names : tuple of str
        Of the groups, where an identifier was asked.
    score : float
        Of the result, where a score was asked; else NaN.
    seconds : float
        Wall time of preparation, factorisation and grouping.
    """

    factors: Factors
    labels: NDArray[np.intp] | None = None
    crystalline: NDArray[np.bool_] | None = None
    names: tuple[str, ...] = ()
    score: float = float("nan")
    seconds: float = float("nan")


def answer_file(folder: Path, number: int) -> Path:
    """Return where the factors of a job's recipe lie."""
    return folder / f"{ANSWER}-{number}.npz"


def write_answer(path: Path, answer: Answer) -> None:
    """Write an answer."""
    factors = answer.factors
    told = {
        "axes": [[asdict(axis) for axis in axes] for axes in (factors.scan_axes, factors.pattern_axes)],
        "fill": factors.fill,
        "convergence": {
            "objective": [float(value) for value in factors.convergence.objective],
            "relative_error": float(factors.convergence.relative_error),
            "n_sweeps": int(factors.convergence.n_sweeps),
            "converged": bool(factors.convergence.converged),
            "reason": str(factors.convergence.reason),
        },
        "names": list(answer.names),
        "score": answer.score,
        "seconds": answer.seconds,
    }
    groups: Any = {}
    if answer.labels is not None and answer.crystalline is not None:
        groups = {"labels": answer.labels, "crystalline": answer.crystalline}
    arrays: Any = {
        name: np.asarray(getattr(factors, name)) for name in ("maps", "patterns", "used_pixels", "strengths")
    }
    np.savez(path, told=np.array(json.dumps(told)), **arrays, **groups)


class FalseAnswerError(ValueError):
    """An answer that cannot be true, in words."""


def read_answer(path: Path) -> Answer:
    """Return an answer.

    Raises
    ------
    FalseAnswerError
        When shapes do not fit, or a number is not finite or negative.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files if name != "told"}
            told = json.loads(str(held["told"]))
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise FalseAnswerError(f"its answer cannot be read ({type(error).__name__})") from None
    scan_axes, pattern_axes = (tuple(Axis(**axis) for axis in axes) for axes in told["axes"])
    factors = Factors(
        maps=arrays["maps"],
        patterns=arrays["patterns"],
        scan_axes=scan_axes,
        pattern_axes=pattern_axes,
        used_pixels=arrays["used_pixels"],
        fill=told["fill"],
        strengths=arrays["strengths"],
        convergence=_convergence(told["convergence"]),
        flags=((),) * len(arrays["maps"]),
    )
    check(factors)
    labels, crystalline = arrays.get("labels"), arrays.get("crystalline")
    if labels is not None:
        check_groups(labels, crystalline, len(factors.maps))
    score = float("nan") if told["score"] is None else float(told["score"])
    return Answer(factors, labels, crystalline, tuple(told["names"]), score, float(told["seconds"]))


def _convergence(told: Mapping[str, Any]) -> Convergence:
    return Convergence(**{**told, "objective": tuple(told["objective"])})


def check(factors: Factors) -> None:
    """Raise a FalseAnswerError unless factors have the shapes of their axes and all numbers are finite and >= 0."""
    k = len(factors.maps)
    for name, axes in (("maps", factors.scan_axes), ("patterns", factors.pattern_axes)):
        values = np.asarray(getattr(factors, name))
        wanted = (k, *(axis.size for axis in axes))
        if values.shape != wanted:
            raise FalseAnswerError(f"{name} of the wrong shape came out: {values.shape} instead of {wanted}")
        n_bad = int(np.count_nonzero(~np.isfinite(values)))
        if n_bad:
            where = np.argwhere(~np.isfinite(values))[0].tolist()
            raise FalseAnswerError(
                f"{name} that are not numbers came out: {n_bad} of {values.size} values are NaN or infinite, the "
                f"first at {where}"
            )
        if values.size and values.min() < 0:
            where = np.unravel_index(int(values.argmin()), values.shape)
            raise FalseAnswerError(
                f"negative {name} came out: {int(np.count_nonzero(values < 0))} values, the lowest {values.min():.3g} "
                f"at {[int(i) for i in where]}"
            )
    if k < 1:
        raise FalseAnswerError("no component came out")


def check_groups(labels: Any, crystalline: Any, k: int) -> None:
    """Raise a FalseAnswerError unless every component has a group and every group a word on its spots."""
    labels = np.asarray(labels)
    if labels.shape != (k,) or labels.dtype.kind not in "iu" or labels.min() < 0:
        raise FalseAnswerError(f"groups came out that are no whole number >= 0 for each of {k} components")
    if crystalline is None or np.asarray(crystalline).shape != (int(labels.max()) + 1,):
        raise FalseAnswerError("groups came out without a word for each on whether it has spots")
