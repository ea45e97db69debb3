"""Grains of a scan: misorientations between neighbouring positions, and regions without a boundary."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.orientations import Grain, Grains, Orientations
from unmixel.physics.crystal import Float
from unmixel.physics.orientation import friedel_twin
from unmixel.physics.symmetry import Symmetry, mean_orientation, misorientation, symmetry

Bool = NDArray[np.bool_]


def grain_boundaries(orientations: Orientations, *, threshold_deg: float = 5.0) -> Grains:
    """Return the misorientation between neighbours and the grains that boundaries part.

    Two orientations differ by the smallest angle that symmetry leaves. Half a turn about the zone axis, which
    zero-layer patterns cannot see, counts as no difference either: a boundary between Friedel twins is not found.

    Parameters
    ----------
    orientations : Orientations
        Of a scan with two axes.
    threshold_deg : float, > 0
        Misorientation from which neighbours are in different grains.

    Returns
    -------
    Grains

    Raises
    ------
    InputError
        When the scan does not have two axes, or the threshold is not above 0.

    Examples
    --------
    >>> from unmixel.testing.crystals import bicrystal
    >>> grains = grain_boundaries(bicrystal(10.0))
    >>> grains.n_grains, float(np.nanmax(grains.right).round(6))
    (2, 10.0)
    """
    if len(orientations.axes) != 2 or not threshold_deg > 0:
        raise InputError(
            "grain_boundaries",
            expected="a scan of two axes and a threshold above 0",
            got=f"{len(orientations.axes)} axes, {threshold_deg} degrees",
            hint="five degrees are usual",
        )
    kinds = tuple(symmetry(cell.space_group, cell.lengths, cell.angles_deg) for cell in orientations.phases)
    twins = _twins(orientations, kinds)
    right, phase_right = _between(orientations, twins, kinds, axis=1)
    down, phase_down = _between(orientations, twins, kinds, axis=0)
    labels = _regions(orientations.known, right < threshold_deg, down < threshold_deg)
    pixel = abs(orientations.axes[0].scale * orientations.axes[1].scale)
    table = tuple(
        _grain(orientations, twins, kinds, labels == number, number=number, pixel=pixel)
        for number in range(1, int(labels.max(initial=0)) + 1)
    )
    return Grains(
        right, down, phase_right, phase_down, labels, table, threshold_deg, orientations.axes[1].unit
    )


def _twins(orientations: Orientations, kinds: tuple[Symmetry, ...]) -> Float:
    """Return the Friedel twin of each orientation; the orientation itself where no zone axis is known."""
    axes = np.zeros(orientations.zone_axis.shape)
    for number, kind in enumerate(kinds):
        here = orientations.phase == number
        axes[here] = orientations.zone_axis[here] @ kind.direct
    return friedel_twin(orientations.matrices, axes)


def _between(
    orientations: Orientations, twins: Float, kinds: tuple[Symmetry, ...], *, axis: int
) -> tuple[Float, Bool]:
    """Return misorientation and change of phase between each position and the next along an axis."""
    phase = orientations.phase
    here = tuple(slice(None, -1) if i == axis else slice(None) for i in range(2))
    there = tuple(slice(1, None) if i == axis else slice(None) for i in range(2))
    angle, changed = np.full(phase.shape, np.nan), np.zeros(phase.shape, bool)
    both = (phase[here] >= 0) & (phase[there] >= 0)
    changed[here] = both & (phase[here] != phase[there])
    inside = angle[here]
    for number, kind in enumerate(kinds):
        pairs = both & (phase[here] == number) & (phase[there] == number)
        if pairs.any():
            first = [some[here][pairs] for some in (orientations.matrices, twins)]
            second = [some[there][pairs] for some in (orientations.matrices, twins)]
            inside[pairs] = _least(first, second, kind)
    return angle, changed


def _least(first: list[Float], second: list[Float], kind: Symmetry) -> Float:
    """Return the smallest misorientation of any of the first to any of the second orientations, shape (n,)."""
    angles = [misorientation(one, other, kind).angle_deg for one, other in product(first, second)]
    return np.asarray(np.min(angles, axis=0))


def _regions(known: Bool, right: Bool, down: Bool) -> NDArray[np.intp]:
    """Return numbers of connected positions, the largest region first; NaN compares as a boundary."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    number = np.arange(known.size).reshape(known.shape)
    one = np.concatenate([number[:, :-1][right[:, :-1]], number[:-1][down[:-1]]])
    other = np.concatenate([number[:, 1:][right[:, :-1]], number[1:][down[:-1]]])
    links = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(known.size, known.size))
    _, region = connected_components(links, directed=False)
    names, members, sizes = np.unique(region[known.ravel()], return_inverse=True, return_counts=True)
    rank = np.empty(len(names), np.intp)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(1, len(names) + 1)
    labels = np.zeros(known.shape, np.intp)
    labels[known] = rank[members]
    return labels


def _grain(
    orientations: Orientations,
    twins: Float,
    kinds: tuple[Symmetry, ...],
    mask: Bool,
    *,
    number: int,
    pixel: float,
) -> Grain:
    """Return what is to be said of one region."""
    phase = int(orientations.phase[mask][0])
    kind, given, other = kinds[phase], orientations.matrices[mask], twins[mask]
    # of each position and its twin the one that is nearer to the first position
    apart = [misorientation(given[0], some, kind).angle_deg for some in (given, other)]
    chosen = np.where((apart[1] < apart[0])[:, None, None], other, given)
    mean = mean_orientation(chosen, kind)
    spread = misorientation(mean, chosen, kind).angle_deg
    count = int(mask.sum())
    return Grain(number, phase, count, count * pixel, mean, float(np.sqrt(np.mean(spread**2))))
