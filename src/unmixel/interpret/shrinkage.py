"""What the penalty of `Sparse` takes off every value of a map, so that outlines can be drawn where they were."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.results import Factors
from unmixel.physics.kernels import gaussian_kernel
from unmixel.physics.probe import FWHM_PER_SIGMA

Float = NDArray[np.floating[Any]]

WITHIN = 0.5  # a component is where its map exceeds this share of its largest value
MOST = 0.3  # of the largest value: more would be an error that says nothing


def shrinkage(factors: Factors) -> NDArray[np.float64]:
    """Return by how many counts the map of each component lies too low where it is not 0, shape (k,).

    With ``W = P Z`` and the penalty ``c |p| noise sum Z`` the values inside a region satisfy
    ``P'(W_free - W) |h|^2 = c |p| noise |h|``: the whole map is lower by ``c |p|`` standard errors than the one that
    least squares alone would give, whatever its height (the soft threshold; |p| is the norm of the probe's kernel,
    which sums to 1). So a sphere, thin at its rim, looks narrower. 0 where no such penalty, or no standard error, is
    known.

    Parameters
    ----------
    factors : Factors
        With `uncertainty`: the smallest error within each component's own region is taken.

    References
    ----------
    Soft threshold: Tibshirani, J. R. Stat. Soc. B 58, 267 (1996), section 2; that its bias is to be taken out of what
    is reported: Meinshausen, Comput. Stat. Data Anal. 52, 374 (2007).
    """
    lost = np.zeros(factors.n_components)
    weight, norm = _weight(factors), _kernel_norm(factors)
    if not weight or factors.uncertainty is None:
        return lost
    for k, (image, error) in enumerate(zip(factors.maps, factors.uncertainty.maps, strict=True)):
        there = np.isfinite(error) & (image > WITHIN * image.max())
        if there.any():
            # under a neighbour the error is that of telling both apart, of which the penalty knows nothing
            taken = weight * norm * float(np.asarray(error)[there].min())
            lost[k] = min(taken, MOST * float(image.max()))
    return lost


def _named(factors: Factors, name: str) -> dict[str, Any]:
    """Return the settings of the constraint of a name on the maps; empty where there is none."""
    for constraint in factors.settings.get("constraints", ()):
        if constraint.get("name") == name and constraint.get("side", "maps") == "maps":
            return dict(constraint)
    return {}


def _weight(factors: Factors) -> float:
    loss = factors.settings.get("loss", {})
    name = loss.get("name") if isinstance(loss, dict) else loss
    weight = _named(factors, "sparse").get("weight", 0.0)
    return float(weight) if name in (None, "frobenius") and isinstance(weight, int | float) else 0.0


def _kernel_norm(factors: Factors) -> float:
    """Return the norm of the probe's kernel that the maps were bound to; 1 where they were not."""
    settings, axes = _named(factors, "resolution"), factors.scan_axes
    width, unit = settings.get("fwhm"), settings.get("unit")
    if not isinstance(width, int | float) or not math.isfinite(width):
        return 1.0
    width = width * float(settings.get("stretch", 1.0))
    steps = [1.0 if unit == "px" else abs(axis.scale) for axis in axes if unit in ("px", axis.unit)]
    if len(steps) != len(axes):
        return 1.0
    return float(np.linalg.norm(gaussian_kernel([width / FWHM_PER_SIGMA / step for step in steps])))
