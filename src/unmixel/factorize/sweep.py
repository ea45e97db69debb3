"""Many factorisations for the price of one: every rank, several restarts, a single sketch of the data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.factorize.closing import finished
from unmixel.factorize.matched import blurred
from unmixel.factorize.model import NMF
from unmixel.factorize.plan import Plan
from unmixel.factorize.sketch import width_for
from unmixel.factorize.solve import closed, solve
from unmixel.factorize.start import GivenStart, RandomStart
from unmixel.factorize.work import Work

ROUGH = 3.0
"""Trials stop this much earlier than a fit: they are compared with each other, and an exact fit can go on from one."""


@dataclass(frozen=True, eq=False)
class Trial:
    """One factorisation of a sweep.

    Parameters
    ----------
    n_components, restart : int
        Restart 0 begins from the model's own start, every other one from random numbers.
    maps : ndarray, shape (k, *scan_shape)
    patterns : ndarray, shape (k, *pattern_shape)
        Each sums to 1 over used pixels.
    relative_error : float
        Exact ``sqrt(sum r w (X - W H)^2 / sum r w X^2)``, over all the data, under the weights of the fit on the
        sketch.
    n_sweeps : int
        Sweeps on the sketch.
    """

    n_components: int
    restart: int
    maps: NDArray[Any]
    patterns: NDArray[Any]
    relative_error: float
    n_sweeps: int

    @property
    def start(self) -> GivenStart:
        """Where an exact fit of this trial begins: ``NMF(k, start=trial.start, sketch_sweeps=0)``."""
        return GivenStart(self.maps, self.patterns)


@dataclass(frozen=True)
class Trials:
    """All factorisations of a sweep, ranks ascending, restarts in order.

    Parameters
    ----------
    trials : tuple of Trial
    """

    trials: tuple[Trial, ...]

    def __len__(self) -> int:
        return len(self.trials)

    def __iter__(self) -> Iterator[Trial]:
        return iter(self.trials)

    def of(self, n_components: int) -> tuple[Trial, ...]:
        """Return the trials of a rank, the one with the smallest error first."""
        own = [trial for trial in self.trials if trial.n_components == n_components]
        return tuple(sorted(own, key=lambda trial: trial.relative_error))

    def best(self) -> tuple[Trial, ...]:
        """Return the trial with the smallest error of every rank."""
        return tuple(self.of(k)[0] for k in dict.fromkeys(trial.n_components for trial in self.trials))


def sweep(data: Any, ranks: Iterable[int], restarts: int = 5, *, model: NMF | None = None) -> Trials:
    """Return factorisations of all ranks and restarts, made on one sketch, with exact errors.

    The data are read three times in all: two passes for the sketch, whatever the number of trials, and one for
    the exact errors of all of them. Where constraints blur (`Resolution`, `SpotShape`), the sketch takes two more.

    Parameters
    ----------
    data : Scan, Matrix or array, shape (n_positions, n_pixels)
    ranks : iterable of int, >= 1
    restarts : int, >= 1
        Factorisations of each rank.
    model : NMF, optional
        Every other setting (constraints, weights of the data, engine, ...); `n_components` is not looked at.

    Raises
    ------
    InputError
        Where a rank or the number of restarts is below 1.

    Notes
    -----
    A trial stops when a sweep on the sketch lowers the objective by less than 3 times the model's `tol`.

    Under another loss than least squares the trials, and their errors, are those of the least squares that stands
    for it. ``NMF(k, loss=..., start=trial.start, sketch_sweeps=0)`` goes on from a trial to the exact loss.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.poisson(rng.random((60, 3)) @ rng.random((3, 50)) * 50)
    >>> trials = sweep(X, range(1, 5), restarts=2)
    >>> len(trials), [trial.n_components for trial in trials.best()]
    (8, [1, 2, 3, 4])
    """
    wanted = sorted({int(k) for k in ranks})
    if not wanted or wanted[0] < 1 or restarts < 1:
        raise InputError(
            "sweep",
            expected="ranks >= 1 and restarts >= 1",
            got=f"ranks {wanted}, restarts {restarts}",
            hint="try sweep(scan, range(2, 31), restarts=5)",
        )
    model = model or NMF()
    matrix = model.matrix_of(data)
    plan = model.plan_for(matrix)
    largest = replace(plan, n_components=wanted[-1])
    work = Work(matrix, largest)
    jobs = [(k, restart) for k in wanted for restart in range(restarts)]
    with plan.engine.threads():
        low, sides = work.sketch, largest.problem(work.weighed, work.products, lambda: 1.0)
        plan = closed(plan, low)
        # what was raised out of the noise need not be among the strongest directions
        matched = blurred(sides.maps) or blurred(sides.patterns)

        def one(job: tuple[int, int]) -> tuple[NDArray[Any], NDArray[Any], int]:
            narrow = low if matched else low.narrow(width_for(job[0]))
            own = _trial_plan(plan, *job)
            problem, end = solve(narrow, own, noise=work.noise, tol=ROUGH * plan.rule.tol)
            return *finished(problem, end), len(end.objective) - 1

        found = list(plan.engine.each(one, jobs))
        missed = misfits(work, [factors[:2] for factors in found])
        norm2 = work.products.norm2
        errors = [float(np.sqrt(misfit2 / norm2)) if norm2 else 0.0 for misfit2 in missed]
    shapes = matrix.scan_grid.shape, matrix.pattern_grid.shape
    return Trials(
        tuple(
            Trial(k, restart, maps.reshape(k, *shapes[0]), patterns.reshape(k, *shapes[1]), error, n_sweeps)
            for (k, restart), (maps, patterns, n_sweeps), error in zip(jobs, found, errors, strict=True)
        )
    )


def _trial_plan(plan: Plan, n_components: int, restart: int) -> Plan:
    start = plan.start if restart == 0 else RandomStart()
    return replace(plan, n_components=n_components, start=start, seed=plan.seed + restart)


def misfits(work: Work, factors: list[tuple[NDArray[Any], NDArray[Any]]]) -> list[float]:
    """Return ``sum r w (X - W H)^2`` of every pair of maps (k, n) and patterns (k, m), from one pass over the data.

    Parameters
    ----------
    work : Work
        The data with their weights.
    factors : list of (ndarray, ndarray)
    """
    matrix, engine, plan = work.weighed, work.plan.engine, work.plan
    rows = np.concatenate([patterns for _, patterns in factors]) * matrix.pixel_weights.astype(plan.dtype)
    maps = np.concatenate([maps for maps, _ in factors]) * matrix.position_weights.astype(plan.dtype)
    ends = np.cumsum([len(patterns) for _, patterns in factors])
    overlap = work.products.overlap(engine.asarray(maps, plan.dtype), engine.asarray(rows, plan.dtype))
    found = []
    for (own_maps, own_patterns), end in zip(factors, ends, strict=True):
        begin = end - len(own_patterns)
        w, h = own_maps.astype(np.float64), own_patterns.astype(np.float64)
        whole = np.sum((maps[begin:end] @ w.T) * (rows[begin:end] @ h.T))
        misfit2 = work.products.norm2 - 2 * float(np.sum(overlap[begin:end])) + float(whole)
        found.append(max(misfit2, 0.0))
    return found
