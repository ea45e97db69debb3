"""The data of one or several fits, seen as a solver wants them: products, sketch, bound problem, each made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from unmixel.dataset.matrix import Matrix
from unmixel.engines.blocks import BlockReader
from unmixel.factorize.constraints.support import Support
from unmixel.factorize.contracts import DataProducts
from unmixel.factorize.matched import blurred, matched_passes, matched_width
from unmixel.factorize.plan import Plan
from unmixel.factorize.problem import Problem
from unmixel.factorize.products import products_of
from unmixel.factorize.refine import Told
from unmixel.factorize.sketch import Sketch, check_fits, sketch_passes, width_for
from unmixel.factorize.state import SketchState
from unmixel.factorize.stretching import Widths

OnSketch = Callable[[SketchState], None]


@dataclass(eq=False)
class Work:
    """The data of one or several fits: products, and the sketch made when it is first asked for.

    Parameters
    ----------
    matrix : Matrix
    plan : Plan
    known_noise : float
        Of an earlier fit; NaN where it is not known yet.
    width : int, optional
        Of the sketch; what the plan's components need where it is not given.
    on_sketch : callable, optional
        Told where the sketch stands after each of its passes.
    earlier : SketchState, optional
        Where an earlier sketch of the same data stood.
    known_norm2 : float
        Weighted squared norm of the data; NaN where it is not known yet.
    refined : tuple of dict
        What refinements did.
    spread : int, optional
        How many components fill the scan, where a constraint asked.
    widths : Widths, optional
        How wide kernels are, where a constraint asked.
    support : tuple of Support
        What keeps components in the places that refinements gave them.
    """

    matrix: Matrix
    plan: Plan
    known_noise: float = float("nan")
    width: int | None = None
    on_sketch: OnSketch | None = None
    earlier: SketchState | None = None
    known_norm2: float = float("nan")
    refined: Told = ()
    spread: int | None = None
    widths: Widths | None = None
    support: tuple[Support, ...] = ()

    @cached_property
    def weighed(self) -> Matrix:
        """The data with the weights under which least squares stands for the loss."""
        if self.earlier is not None:
            check_fits(self.earlier, self.matrix)
            weights = {key: getattr(self.earlier, key) for key in ("position_weights", "pixel_weights")}
            return replace(self.matrix, **weights)
        plan = self.plan
        matrix: Matrix = plan.loss.weigh(self.matrix, engine=plan.engine, budget=plan.budget)
        return matrix

    @cached_property
    def products(self) -> DataProducts:
        """Products of the weighed data."""
        plan = self.plan
        norm2 = self.known_norm2 if self.earlier is None else self.earlier.norm2
        return products_of(self.weighed, plan.engine, dtype=plan.dtype, budget=plan.budget, norm2=norm2)

    @cached_property
    def sketch(self) -> Sketch:
        """The sketch of the weighed data."""
        plan = self.plan
        for state in self._passes():
            if self.on_sketch is not None:
                self.on_sketch(state)
        return Sketch.of(state, self.weighed, plan.engine, plan.dtype)

    def _passes(self) -> Iterator[SketchState]:
        plan, seed, begin = self.plan, self.plan.seed, self.earlier
        # penalties would ask for the noise, which only the sketch can tell
        sides = plan.problem(self.weighed, self.products, lambda: 1.0)
        if blurred(sides.maps) or blurred(sides.patterns):
            width = self.width or matched_width(plan.n_components)
            return matched_passes(
                self.products, self.weighed, (sides.maps, sides.patterns), width=width, seed=seed, begin=begin
            )
        width = self.width or width_for(plan.n_components)
        return sketch_passes(
            self.products,
            self.weighed,
            width=width,
            engine=plan.engine,
            dtype=plan.dtype,
            seed=seed,
            begin=begin,
        )

    @property
    def sketched(self) -> bool:
        """Whether a sketch is made: not where it would be about as large as the data."""
        sides = self.matrix.n_positions, self.matrix.n_pixels
        return self.plan.sketch_sweeps > 0 and min(sides) >= 4 * width_for(self.plan.n_components)

    def noise(self) -> float:
        """Return what penalties are tied to."""
        if not np.isfinite(self.known_noise):
            self.known_noise = self.sketch.noise
        return self.known_noise

    def problem(self) -> Problem:
        """Return the bound problem of the data."""
        return self.plan.problem(self.weighed, self.products, self.noise)

    @property
    def reader(self) -> BlockReader:
        """The reader of the products, so that kept blocks serve every pass."""
        reader = getattr(self.products, "reader", None)
        return reader or BlockReader(self.matrix.data, self.matrix.n_scan_axes, self.plan.budget)
