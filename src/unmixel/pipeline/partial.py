"""What an unfinished factorisation has found so far, in a form that can be looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

import numpy as np

from unmixel.dataset.results import Convergence, Factors
from unmixel.dataset.scan import Scan
from unmixel.factorize.state import State


@dataclass
class Pace:
    """Holds work that is done again and again to a share of the time.

    Parameters
    ----------
    share : float, 0 to 1
        Of the time that the work may take.
    """

    share: float = 0.05
    _free_at: float = field(default=float("-inf"), init=False, repr=False)

    @property
    def allows(self) -> bool:
        """Whether the work may be done now."""
        return monotonic() >= self._free_at

    @contextmanager
    def work(self) -> Iterator[None]:
        """Time the work."""
        begin = monotonic()
        try:
            yield
        finally:
            self._free_at = begin + (monotonic() - begin) / self.share


def so_far(scan: Scan, state: State, *, fill: str) -> Factors | None:
    """Return the factors of a state, strongest component first; None where the state cannot show them.

    Parameters
    ----------
    scan : Scan
        The prepared scan.
    state : State
    fill : str
        What stands at masked pixels; see `Factors`.
    """
    if state.shown is None:
        return None
    maps, patterns = state.shown()
    light = maps.sum(axis=1, dtype=np.float64)
    order = np.argsort(-light, kind="stable")
    k, used = len(order), scan.pixel_weights
    where = f"sweep {state.sweep}" if state.objective else "the solve on the sketch"
    return Factors(
        maps=maps[order].reshape(k, *scan.scan_shape),
        patterns=patterns[order].reshape(k, *scan.pattern_shape),
        scan_axes=scan.scan_axes,
        pattern_axes=scan.pattern_axes,
        used_pixels=np.ones(scan.pattern_shape, bool) if used is None else np.asarray(used) > 0,
        fill=fill,
        strengths=light[order] / max(float(light.sum()), 1e-30),
        convergence=Convergence(
            objective=state.objective,
            relative_error=float("nan"),
            n_sweeps=state.sweep,
            converged=False,
            reason=f"not ended: as it stood after {where}",
        ),
        flags=((),) * k,
    )
