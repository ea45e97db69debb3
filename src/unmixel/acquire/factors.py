"""Factors of a scan that is still being acquired: a sketch that grows, solved anew every few seconds beside it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import UnmixelError
from unmixel.dataset.matrix import Matrix
from unmixel.dataset.results import Factors
from unmixel.dataset.scan import Scan
from unmixel.factorize.closing import finished
from unmixel.factorize.losses.frobenius import Frobenius
from unmixel.factorize.plan import Plan
from unmixel.factorize.sketch import width_for
from unmixel.factorize.solve import solve
from unmixel.factorize.state import State
from unmixel.factorize.stream import StreamSketch
from unmixel.pipeline import stages
from unmixel.pipeline.entries import Entry
from unmixel.pipeline.partial import so_far
from unmixel.pipeline.recipe import Recipe

Tell = Callable[[str], None]

SWEEPS, LAST_SWEEPS = 8, 30
"""Sweeps of a refresh, which begins anew each time, and of the last: one takes 0.3 s of a core at 256 x 256 px."""


def like_the_first(first: Scan, skeleton: Scan, recipe: Recipe, tell: Tell) -> Scan:
    """Return the skeleton with what the recipe's steps find in the first frames: weights, origin, the beam.

    Steps that change frames, or fail on so few, are left out and told: the final run has them.

    Parameters
    ----------
    first : Scan
        The first frames, as a line.
    skeleton : Scan
    recipe : Recipe
        Settled.
    tell : callable
    """
    prepared = first
    left_out = []
    for entry in recipe.prepare:
        try:
            after = entry.build("steps").apply(prepared)
        except UnmixelError:
            after = None
        if after is None or after.data is not prepared.data:
            left_out.append(entry.name)
        else:
            prepared = after
    if left_out:
        tell(f"While frames come, the factors leave out: {', '.join(left_out)}. The final result has them.")
    return replace(
        skeleton,
        pattern_axes=prepared.pattern_axes,
        pixel_weights=prepared.pixel_weights,
        history=prepared.history,
        extras={name: value for name, value in prepared.extras.items() if name == "beam"},
    )


def _waits(entry: Entry, scan: Scan) -> bool:
    """Return whether a constraint has to wait for the whole data."""
    if entry.name == "spot_shape":
        return isinstance(entry.parameters.get("kernel"), str) and "beam" not in scan.extras
    return entry.name == "total_intensity" and isinstance(entry.parameters.get("total"), str)


@dataclass(eq=False)
class LiveFactors:
    """The sketch of what came, and the factors that it gave last.

    Frames go into a small sketch of their own; a refresh merges it into the whole one and solves that, in another
    thread, so that no frame waits for it.

    Parameters
    ----------
    scan : Scan
        The skeleton, with weights.
    plan : Plan
        Least squares under the recipe's constraints.
    whole, fresh : StreamSketch
        All that a refresh has seen, and what came since.
    factors : Factors or None
        As the last refresh found them.
    latency_s : float
        What the last refresh took.
    """

    scan: Scan
    plan: Plan
    whole: StreamSketch
    fresh: StreamSketch
    fill: str = "zero"
    factors: Factors | None = None
    latency_s: float = 0.0
    n_refreshes: int = 0
    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="unmixel-live"), repr=False
    )
    _running: Future[None] | None = field(default=None, repr=False)

    @classmethod
    def begin(cls, scan: Scan, recipe: Recipe, first: NDArray[Any], *, masks: NDArray[Any]) -> LiveFactors:
        """Return the factors before any refresh.

        Parameters
        ----------
        scan : Scan
            What `like_the_first` returns.
        recipe : Recipe
            Settled.
        first : ndarray, shape (b, n_pixels)
            The first frames, which half of the sketch's test patterns follow.
        masks : ndarray, shape (n_pixels, p)
            Over which `update` sums the frames.
        """
        matrix = Matrix.from_scan(scan)
        constraints = [entry for entry in recipe.factorize.constraints if not _waits(entry, scan)]
        how = recipe.factorize.model_copy(update={"constraints": tuple(constraints)})
        plan = stages.model_of(scan, recipe.model_copy(update={"factorize": how})).plan_for(matrix)
        plan = replace(plan, loss=Frobenius(), refinements=())
        whole = StreamSketch.begin(
            (matrix.scan_grid, matrix.pattern_grid),
            width=width_for(plan.n_components),
            pixel_weights=matrix.pixel_weights,
            aim=first.astype(np.float64),
            seed=plan.seed,
        ).with_masks(masks)
        filled = any(entry.name == "spot_shape" for entry in constraints)
        return cls(scan, plan, whole, whole.fresh(), "model" if filled else "zero")

    def update(self, positions: NDArray[np.int64], values: NDArray[Any]) -> NDArray[Any]:
        """Take in some frames, unfolded, each position once; return their sums over the masks, shape (b, p)."""
        return self.fresh.update(positions, values)

    def refresh(self, then: Callable[[], None] = lambda: None, *, sweeps: int = SWEEPS) -> bool:
        """Begin a refresh beside the frames, and `then` what follows from it; say whether it began.

        While one is under way, none is begun.
        """
        if self._running is not None and not self._running.done():
            return False
        self._heard()
        part, self.fresh = self.fresh, self.whole.fresh()
        self._running = self._pool.submit(self._refreshed, part, then, sweeps)
        return True

    def last(self, then: Callable[[], None] = lambda: None) -> Factors | None:
        """Return the factors of all that came, when a refresh under way and one more have ended."""
        self._heard()
        self.refresh(then, sweeps=LAST_SWEEPS)
        self._heard()
        return self.factors

    def close(self) -> None:
        """Wait for what is under way, and begin nothing more."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _heard(self) -> None:
        if self._running is not None:
            self._running.result()

    def _refreshed(self, part: StreamSketch, then: Callable[[], None], sweeps: int) -> None:
        begin = monotonic()
        self.whole.merge(part)
        if np.count_nonzero(self.whole.seen) < 2 * self.plan.n_components:
            return
        with self.plan.engine.threads():
            low = self.whole.finish(self.plan.engine, self.plan.dtype)
            plan = replace(self.plan, sketch_sweeps=min(sweeps, self.plan.sketch_sweeps))
            problem, sweep = solve(
                low, plan
            )  # anew: maps of rows that came later would differ from those before
            state = State(
                0, (), np.zeros((0, 0)), np.zeros((0, 0)), shown=lambda: finished(problem, sweep),
                sketch_sweeps=len(sweep.objective) - 1,
            )  # fmt: skip
            self.factors = so_far(self.scan, state, fill=self.fill)
        self.n_refreshes += 1
        self.latency_s = monotonic() - begin
        then()
