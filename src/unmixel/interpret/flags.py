"""Remarks in words on what a microscopist should distrust in a component."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.results import Factors
from unmixel.interpret.camera import along_line, at_rim, in_single_pixels
from unmixel.interpret.center import pattern_center
from unmixel.interpret.contrast import azimuthal_contrast
from unmixel.interpret.displaced import beyond_slopes
from unmixel.interpret.polar import PolarGrid, polar_grid
from unmixel.interpret.surrogate import feature_width

Float = NDArray[np.floating[Any]]
Bool = NDArray[np.bool_]

CAMERA, TAIL, NOISE = "camera artefact?", "direct-beam tail?", "looks like noise"
EMPTY = "no counts"
FILLS, EDGE, DUPLICATE = "map fills the scan", "edge of scan only", "near-duplicate of component"
DISPLACED = "displaced matrix?"
UNPAIRED = "not centrosymmetric, unlike the others"
UNSTABLE, SPLIT = "unstable", "split of component"

TAIL_SHARE, TAIL_REACH, TAIL_CONTRAST = 0.5, 0.25, 0.15
GHOST_WIDTH, GHOST_CONTRAST = 2.5, 0.1
FILL_LEVEL, FILL_SHARE = 0.25, 0.5
EDGE_SHARE, EDGE_EXCESS = 0.8, 3.0
NOISE_CORRELATION, NOISE_SPREAD = 0.15, 0.35
DUPLICATE_COSINE = 0.97
UNSTABLE_BELOW, NOISE_BELOW = 0.5, 0.2
NOTHING = 1e-9
SPLIT_COSINE, SPLIT_LEVEL, SPLIT_TOUCH, SPLIT_SHARED = 0.9, 0.3, 0.1, 0.5
DISPLACED_BELOW = 0.8
UNPAIRED_BELOW, PAIRED_ABOVE = 0.3, 0.7


def is_artefact(remarks: tuple[str, ...]) -> bool:
    """Return whether remarks say that a component is not part of the specimen.

    Examples
    --------
    >>> is_artefact(("map fills the scan",)), is_artefact(("camera artefact? (along a line)",))
    (False, True)
    """
    return any(word.startswith((CAMERA, TAIL, NOISE, DISPLACED, EMPTY)) for word in remarks)


def flag_components(factors: Factors) -> tuple[tuple[str, ...], ...]:
    """Return remarks on each component; an empty tuple where there is nothing to remark.

    On patterns with two axes (shares are of the counts on used pixels):

    - ``camera artefact? (...)``: counts gather at the detector's rim (`at_rim`), along one straight line
      (`along_line`), in a few isolated pixels (`in_single_pixels`), or the pattern has azimuthal contrast of
      at least 0.1 in features 2.5 times wider than those of the other components with spots (a ghost image).
    - ``direct-beam tail?``: there are no clear spots (azimuthal contrast of at least 0.15 that is not a ghost),
      and the part that falls off from the innermost used ring (running minimum of the ring medians, above its
      value half-way to the rim) holds half of the counts, half of it within a quarter of the way to the rim.
    - ``not centrosymmetric, unlike the others``: correlation of its root with its inversion below 0.3 where
      the median of the others (three or more) exceeds 0.7: a ghost, or a crystal far from its zone axis.

    On maps with one or two axes:

    - ``map fills the scan``: half of the positions exceed a quarter of the map's 99th percentile:
      background, support, vacuum or matrix rather than a particle.
    - ``edge of scan only``: 80 % of the counts, and 3 times the share of the area, lie within 3 % (2
      positions at least) of the scan's edge.
    - ``looks like noise``: the map's root spreads by 35 % of its mean or more, yet neighbouring positions
      correlate by less than 0.15.

    On both:

    - ``displaced matrix? (...)``: the map does not fill the scan as others do, and a fifth or more of what the pattern
      holds beyond theirs is what they would add where displaced by a fraction of a pixel (`beyond_slopes`): the beam
      wanders, and the step ``descan`` takes it out.
    - ``no counts``: the map or the pattern is zero, or its strength is below a billionth.
    - ``split of component j (patterns alike, c; maps touch)``: cosine and correlation of the patterns with those of
      a stronger component are at least 0.9, and the regions above 30 % of each map's maximum lie side by side (a half
      of the weaker one's at most is shared; grown by a position, a tenth or more is): one thing in two parts.
    - ``near-duplicate of component j (cosine c)``: the same from 0.97 on where they do not.

    Where the factors hold the agreement of fits to two halves of the counts (or from two starts):

    - ``looks like noise (agreement a)``: it is below 0.2; ``unstable (agreement a)``: below 0.5.

    Parameters
    ----------
    factors : Factors

    Returns
    -------
    tuple of tuple of str
        One tuple per component; fit for `Factors.flags`.
    """
    remarks: list[list[str]] = [[] for _ in range(factors.n_components)]
    used = np.asarray(factors.used_pixels, bool)
    patterns = np.asarray(factors.patterns, np.float64) * used
    if len(factors.pattern_axes) == 2 and used.any():
        _flag_patterns(factors, patterns, used, remarks)
    for k, image in enumerate(factors.maps):
        held = min(float(np.max(image)), float(patterns[k].sum()))
        if held <= 0 or factors.strengths[k] <= NOTHING:
            remarks[k].append(EMPTY)
        elif image.size > 1:
            remarks[k] += _map_remarks(np.asarray(image, np.float64))
    if len(factors.pattern_axes) == 2 and used.any():
        _flag_displaced(factors, patterns, used, remarks)
    if used.any():
        for k, words in enumerate(_duplicates(factors, patterns[:, used])):
            remarks[k] += words
    for k, word in enumerate(_disagreements(factors)):
        if word and not any(known.startswith(NOISE) for known in remarks[k]):
            remarks[k].append(word)
    return tuple(tuple(words) for words in remarks)


def _flag_patterns(factors: Factors, patterns: Float, used: Bool, remarks: list[list[str]]) -> None:
    mean = np.tensordot(np.asarray(factors.strengths, np.float64), patterns, axes=1)
    where = pattern_center(factors.pattern_axes, mean, used)
    grid = polar_grid(factors.pattern_axes, used, center=(where.v, where.u))
    if len(grid.radii) == 0:
        return
    rings = grid.of(patterns)
    contrast = azimuthal_contrast(patterns, used, grid)
    spots, clear = contrast.spots(GHOST_CONTRAST), contrast.spots(TAIL_CONTRAST)
    ghosts, paired = _ghosts(rings, spots, grid), _centrosymmetry(rings, grid)
    for k, pattern in enumerate(patterns):
        marks = (
            ("counts at the rim", at_rim(pattern, used)),
            ("counts along a straight line", along_line(pattern, used)),
            ("counts in a few isolated pixels", in_single_pixels(pattern, used, grid.center)),
            ("features much wider than the spots of the others", bool(ghosts[k])),
        )
        found = [mark for mark, seen in marks if seen]
        if found:
            remarks[k].append(f"{CAMERA} ({', '.join(found)})")
        if (ghosts[k] or not clear[k]) and _is_tail(rings[k], grid):
            remarks[k].append(TAIL)
        others = np.delete(paired, k)
        if len(others) >= 3 and paired[k] < UNPAIRED_BELOW and np.median(others) > PAIRED_ABOVE:
            remarks[k].append(UNPAIRED)


def _flag_displaced(factors: Factors, patterns: Float, used: Bool, remarks: list[list[str]]) -> None:
    fills = np.array([FILLS in words for words in remarks])
    others = np.flatnonzero([not {FILLS, EMPTY} & set(words) for words in remarks])
    mean = np.tensordot(np.asarray(factors.strengths, np.float64), patterns, axes=1)
    weights = np.divide(1.0, mean, out=np.zeros(used.shape), where=used & (mean > 0))
    left = beyond_slopes(patterns[others], patterns[fills], weights)
    for k, share in zip(others, left, strict=True):
        if share < DISPLACED_BELOW:
            remarks[k].append(f"{DISPLACED} (as it changes by fractions of a pixel: try the step descan)")


def _ghosts(rings: NDArray[np.float32], spots: Bool, grid: PolarGrid) -> Bool:
    """Return which patterns with spots have them much wider than the others."""
    candidates, ghosts = np.flatnonzero(spots), np.zeros(len(spots), bool)
    if len(candidates) < 4:
        return ghosts
    root = np.sqrt(grid.radii)[None, :, None]
    width = np.array([feature_width(grid.anomaly(rings[k : k + 1]) * root) for k in candidates])
    usual = np.array([np.median(np.delete(width, i)) for i in range(len(width))])
    ghosts[candidates] = width >= GHOST_WIDTH * usual
    return ghosts


def _centrosymmetry(rings: NDArray[np.float32], grid: PolarGrid) -> Float:
    """Return the correlation of each pattern's root with its inversion, over samples used on both sides."""
    both = grid.used & np.roll(grid.used, grid.n_angles // 2, axis=1)
    weight = np.where(both, grid.radii[:, None], 0.0).astype(np.float64)
    weight = weight / max(float(weight.sum()), 1e-300)
    root = np.sqrt(np.maximum(rings, 0.0)).astype(np.float64)
    root = root - np.sum(weight * root, axis=(1, 2), keepdims=True)
    across = np.roll(root, grid.n_angles // 2, axis=2)
    power = np.sum(weight * root**2, axis=(1, 2))
    return np.asarray(np.sum(weight * root * across, axis=(1, 2)) / np.maximum(power, 1e-300))


def _is_tail(rings: NDArray[np.float32], grid: PolarGrid) -> bool:
    radii = grid.radii.astype(np.float64)
    if len(radii) < 4:
        return False
    medians = np.array([np.median(ring[seen]) for ring, seen in zip(rings, grid.used, strict=True)])
    falling = np.minimum.accumulate(medians)
    span = radii[-1] - radii[0]
    half_way = falling[np.searchsorted(radii, radii[0] + span / 2)]
    tail = np.maximum(falling - half_way, 0.0) * radii
    total = float(np.sum(grid.ring_mean(rings[None])[0] * radii))
    if total <= 0 or tail.sum() < TAIL_SHARE * total:
        return False
    middle = np.interp(0.5, np.cumsum(tail) / tail.sum(), radii)
    return bool(middle - radii[0] <= TAIL_REACH * span)


def _map_remarks(image: Float) -> list[str]:
    remarks = []
    if np.mean(image > FILL_LEVEL * np.percentile(image, 99)) >= FILL_SHARE:
        remarks.append(FILLS)
    inner = np.ones(image.shape, bool)
    for axis, size in enumerate(image.shape):
        width = max(2, round(0.03 * size))
        place = np.arange(size)
        line = (place >= width) & (place < size - width)
        inner &= line.reshape([-1 if a == axis else 1 for a in range(image.ndim)])
    share = float(image[~inner].sum() / image.sum())
    if share >= EDGE_SHARE and share >= EDGE_EXCESS * np.mean(~inner):
        remarks.append(EDGE)
    if _is_noise(image):
        remarks.append(NOISE)
    return remarks


def _is_noise(image: Float) -> bool:
    """Return whether a map varies a lot, but not from one position to the next."""
    root = np.sqrt(np.maximum(image, 0.0))
    spread, mean = float(root.std()), float(root.mean())
    if spread < NOISE_SPREAD * mean:
        return False
    root = root - mean
    lines = [np.moveaxis(root, axis, 0) for axis in range(root.ndim) if root.shape[axis] > 1]
    neighbours = [float(np.mean(line[1:] * line[:-1])) for line in lines]
    return float(np.mean(neighbours)) < NOISE_CORRELATION * spread**2


def _duplicates(factors: Factors, flat: Float) -> list[list[str]]:
    """Return, for each pattern, the remark that a stronger one is nearly the same; `flat` holds used pixels."""

    def unit(values: Float) -> Float:
        norm = np.linalg.norm(values, axis=1, keepdims=True)
        return np.asarray(values / np.where(norm > 0, norm, 1.0))

    plain, centred = unit(flat), unit(flat - flat.mean(axis=1, keepdims=True))
    cosine = np.minimum(plain @ plain.T, centred @ centred.T)
    remarks: list[list[str]] = [[] for _ in flat]
    rank = sorted(range(len(flat)), key=lambda k: -factors.strengths[k])
    for place, k in enumerate(rank):
        like = [j for j in rank[:place] if cosine[k, j] >= SPLIT_COSINE]
        parts = [j for j in like if _touch(factors.maps[k], factors.maps[j])]
        if parts:
            j = max(parts, key=lambda other: cosine[k, other])
            remarks[k].append(f"{SPLIT} {j} (patterns alike, {cosine[k, j]:.2f}; maps touch)")
        elif like:
            j = max(like, key=lambda other: cosine[k, other])
            if cosine[k, j] >= DUPLICATE_COSINE:
                remarks[k].append(f"{DUPLICATE} {j} (cosine {cosine[k, j]:.2f})")
    return remarks


def _touch(weaker: Float, stronger: Float) -> bool:
    """Return whether the region of a map lies next to that of another, and not on it."""
    from scipy.ndimage import binary_dilation

    if not weaker.ndim or weaker.max() <= 0 or stronger.max() <= 0:
        return False
    reach = np.ones((3,) * weaker.ndim, bool)
    own, other = (m > SPLIT_LEVEL * m.max() for m in (weaker, stronger))
    shared = np.count_nonzero(own & other) / np.count_nonzero(own)
    own, other = binary_dilation(own, reach), binary_dilation(other, reach)
    near = np.count_nonzero(own & other) / np.count_nonzero(own)
    return bool(near >= SPLIT_TOUCH and shared <= SPLIT_SHARED)


def _disagreements(factors: Factors) -> list[str]:
    """Return what the agreement of two fits says against each component; empty where it says nothing."""
    found = factors.uncertainty
    if found is None or found.stability is None:
        return []
    words = []
    for score in found.stability:
        kind = NOISE if score < NOISE_BELOW else UNSTABLE if score < UNSTABLE_BELOW else ""
        words.append(f"{kind} (agreement {score:.2f})" if kind else "")
    return words
