"""How wide probe and spots are: the widths under which components predict electrons best that were set aside.

A kernel that is too wide forbids what is there; one that is too narrow lets components follow the noise. Neither shows
in the misfit of the data that were fitted, which falls with every freedom. Electrons that no fit has seen tell: there,
both raise the misfit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Grid, Matrix
from unmixel.factorize.contracts import DataProducts, SideName
from unmixel.factorize.descent import Sweep, descend
from unmixel.factorize.draft import Draft
from unmixel.factorize.edge import Filter
from unmixel.factorize.least_squares import LeastSquares
from unmixel.factorize.losses.frobenius import Frobenius
from unmixel.factorize.plan import Plan
from unmixel.factorize.products import products_of
from unmixel.factorize.significance import Evidence
from unmixel.factorize.solve import closed, solve
from unmixel.factorize.stretching import Key, Tried, Widths, open_widths
from unmixel.factorize.thinning import divisible, thinned
from unmixel.factorize.work import Work

SHARE = 0.2
"""Share of the electrons that is set aside."""

STEP = 2**0.25
"""Factor between two widths that are tried."""

FURTHEST = 3.0
"""Largest factor, up or down."""

CLEAR: Mapping[SideName, float] = {"patterns": 5.0, "maps": 12.0}
"""Standard errors by which electrons set aside must be predicted better for a width to be changed.

Sizes of particles hang on the width of maps, so it takes more to change that (docs/decisions/0034).
"""

FIRST, MORE = 10, 3
"""Sweeps before the first width is tried, and under each width."""

POSITIONS = 4096
"""Positions of the window that is looked at; as many of fewer where patterns are large (`BYTES`)."""

TESTS = 100
"""Random patterns along which positions are compared."""

BYTES = 500_000_000
"""Size of the window at most, as float32."""


def fitted_widths(work: Work) -> Widths:
    """Return the widths under which components of a part of the data predict electrons best that were set aside.

    A window of the scan, the one in which positions differ most from each other, is factorised on a sketch for a few
    sweeps. Widths are tried one after another, a factor `STEP` apart: the components go on for `MORE` sweeps under
    the old width and under the new one, and the new one is taken where it predicts the electrons set aside better by
    more than `CLEAR` standard errors. One pass over the data finds the window, where they are larger than it.

    Parameters
    ----------
    work : Work
        The data, and a plan with constraints whose widths are open.
    """
    matrix, keys = work.weighed, open_widths(work.plan.constraints)
    if not divisible(matrix):
        return Widths(dict.fromkeys(keys, 1.0), not_done="data are not counts")
    plan = replace(work.plan, loss=Frobenius(), refinements=(), sketch_sweeps=FIRST)
    shape, sizes = matrix.scan_grid.shape, _sizes(matrix)
    window = tuple(slice(0, length) for length in shape)
    try:
        if sizes != shape:
            window = _window(matrix, plan, work.products, sizes)
        search = _Search.of(_cut(matrix, window), plan)
    except InputError:  # what constraints hold of the whole scan does not fit a part of it
        window = tuple(slice(0, length) for length in shape)
        search = _Search.of(matrix, plan)
    factors, tried = search.run(keys)
    return Widths(factors, tuple(tried), tuple((part.start, part.stop) for part in window))


def _sizes(matrix: Matrix) -> tuple[int, ...]:
    """Return the lengths of the window."""
    shape = matrix.scan_grid.shape
    most = min(POSITIONS, max(1, BYTES // (4 * matrix.n_pixels)))
    edge = max(1, round(most ** (1 / len(shape))))
    return tuple(min(edge, length) for length in shape)


def _window(matrix: Matrix, plan: Plan, products: DataProducts, sizes: tuple[int, ...]) -> tuple[slice, ...]:
    """Return the part of the scan in which positions differ most, seen through the kernels."""
    from scipy.ndimage import uniform_filter

    shape, engine = matrix.scan_grid.shape, plan.engine
    sides = plan.problem(matrix, products, lambda: 1.0)
    root_n, root_m = np.sqrt(matrix.position_weights), np.sqrt(matrix.pixel_weights)
    maps, patterns = Filter.of(sides.maps, root_n), Filter.of(sides.patterns, root_m)

    def put(rows: NDArray[np.float64]) -> Any:
        return engine.asarray(np.ascontiguousarray(rows), plan.dtype)

    tests = np.random.default_rng(plan.seed).standard_normal((TESTS, matrix.n_pixels))
    rows = np.asarray(engine.to_host(patterns.blur(put(tests))), np.float64) * root_m**2
    along = np.asarray(engine.to_host(products.with_patterns(put(rows))), np.float64) * root_n
    # what all positions share, more of it here and less there, tells no width
    left, values, right = np.linalg.svd(along, full_matrices=False)
    rest = engine.to_host(maps.gather(put(along - np.outer(left[:, 0] * values[0], right[0]))))
    # brighter positions hold more noise, in proportion
    light = np.maximum(np.abs(right[0]), 1e-3 * np.abs(right[0]).max())
    energy = (np.sum(np.asarray(rest, np.float64) ** 2, axis=0) / light).reshape(shape)
    # at each position the sum of the window that begins there
    ends = [-(size // 2) for size in sizes]
    sums = uniform_filter(energy, sizes, mode="constant", origin=ends)
    inside = sums[tuple(slice(0, length - size + 1) for length, size in zip(shape, sizes, strict=True))]
    first = np.unravel_index(int(np.argmax(inside)), inside.shape)
    return tuple(slice(int(begin), int(begin) + size) for begin, size in zip(first, sizes, strict=True))


def _cut(matrix: Matrix, window: tuple[slice, ...]) -> Matrix:
    """Return the matrix of a part of the scan."""
    grid = matrix.scan_grid
    if all(part.start == 0 and part.stop == length for part, length in zip(window, grid.shape, strict=True)):
        return matrix
    positions = np.arange(grid.size).reshape(grid.shape)[window]
    rows = positions.reshape(-1)
    folded = matrix.n_scan_axes == len(grid.shape) and not hasattr(matrix.data, "tocsr")
    return replace(
        matrix,
        data=matrix.data[window] if folded else matrix.data[rows],
        scan_grid=Grid(positions.shape, grid.steps, grid.unit),
        position_weights=matrix.position_weights[rows],
    )


@dataclass(frozen=True, eq=False)
class _Search:
    """Components of a part of the data, and the electrons that judge them."""

    work: Work
    plan: Plan
    evidence: Evidence
    begin: Draft

    @classmethod
    def of(cls, matrix: Matrix, plan: Plan) -> _Search:
        """Return the search from the solve under the widths that were given."""
        rest, aside = thinned(matrix, share=SHARE, seed=plan.seed)
        work = Work(rest, plan)
        products = products_of(aside, plan.engine, dtype=plan.dtype, budget=plan.budget)
        plan = closed(plan, work.sketch)
        problem, end = solve(work.sketch, plan, noise=work.noise, tol=plan.rule.tol)
        begin = Draft(work.sketch, problem, end.z_maps, end.z_patterns)
        return cls(work, plan, Evidence(products, SHARE, work.noise() / np.sqrt(1 - SHARE)), begin)

    def run(self, keys: tuple[Key, ...]) -> tuple[dict[Key, float], list[Tried]]:
        """Return the factors on the widths, and every trial."""
        now, tried = dict.fromkeys(keys, 1.0), []
        here, level = self.begin, self.after(self.begin, now)
        settled: set[Key] = set()
        # the first ones once more, where others have changed since
        for key in (*keys, *keys[:-1]):
            for step in () if key in settled else (1 / STEP, STEP):
                taken = False
                while 1 / FURTHEST <= now[key] * step <= FURTHEST:
                    wider = now | {key: now[key] * step}
                    other = self.after(here, wider)
                    gain, deviation = self.evidence.gain(level, other)
                    good = bool(gain > CLEAR[key[1]] * deviation)
                    tried.append(Tried(*key, round(wider[key], 4), round(gain, 2), round(deviation, 2), good))
                    if not good:
                        break
                    # both go on for as many sweeps from here
                    now, here, level, taken = wider, other, self.after(other, wider), True
                    settled.clear()
                if taken:
                    break
            settled.add(key)
        return now, tried

    def after(self, draft: Draft, factors: Mapping[Key, float]) -> Draft:
        """Return a draft after a few sweeps under other widths."""
        plan = replace(self.plan, constraints=Widths(factors).applied(self.plan.constraints))
        problem = plan.problem(self.work.sketch, self.work.sketch, self.work.noise)
        rule = replace(plan.rule, max_sweeps=MORE, tol=0.0)
        begin = Sweep(draft.z_maps, draft.z_patterns, [])
        end, _ = descend(problem, LeastSquares(problem, plan.solver), begin, rule)
        return replace(draft, problem=problem, z_maps=end.z_maps, z_patterns=end.z_patterns)
