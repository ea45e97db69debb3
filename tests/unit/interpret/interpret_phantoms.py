"""Patterns and maps with known truth, small and made by formulas: no stage of the package is needed."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from scipy.ndimage import gaussian_filter

from unmixel.dataset.axes import Axis
from unmixel.dataset.results import Convergence, Factors, Groups

few = settings(max_examples=20, deadline=None)

SYMMETRY_DEG = (90.0, 60.0, 180.0)
CELLS = (((9.0, 0.0), (0.0, 9.0)), ((13.0, 0.0), (6.5, 11.26)), ((8.0, 0.0), (0.0, 14.0)))


def places(shape, center):
    """Return (up, right) of every pixel from the centre, in pixels."""
    v, u = np.indices(shape, dtype=np.float64)
    return center[0] - v, u - center[1]


def spots(
    kind, degrees, *, shape=(64, 64), center=None, sigma=1.6, jitter=None, steps=(1.0, 1.0), mirror=False
):
    """Return a lattice of spots turned counter-clockwise as displayed; `jitter` scatters the intensities."""
    center = center or middle(shape)
    up, right = places(shape, center)
    up, right = up * steps[0], right * steps[1]
    angle, image = np.radians(degrees), np.zeros(shape)
    (ax, ay), (bx, by) = CELLS[kind]
    for h in range(-5, 6):
        for k in range(-5, 6):
            x, y = h * ax + k * bx, h * ay + k * by
            reach = np.hypot(x, y)
            if reach == 0 or reach > 45:
                continue
            if mirror:
                y = -y
            height = np.exp(-reach / 15) * (1 + 0.5 * np.cos(2.1 * h * h + 1.3 * k * k + 0.9 * h * k))
            if jitter is not None:
                height *= np.exp(0.3 * jitter.normal())
            x, y = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
            image += height * np.exp(-((right - x) ** 2 + (up - y) ** 2) / (2 * sigma**2))
    return image


def halo(*, shape=(64, 64), center=None, ring=13.0, ellipticity=0.0):
    """Return the two rings of a glass over a falling background."""
    up, right = places(shape, center or middle(shape))
    radius = np.hypot(up * (1 + ellipticity / 2), right * (1 - ellipticity / 2))
    rings = np.exp(-(((radius - ring) / 3.5) ** 2)) + 0.35 * np.exp(-(((radius - 1.75 * ring) / 5.5) ** 2))
    return rings + 0.6 * np.exp(-radius / 10)


def middle(shape):
    return (shape[0] - 1) / 2, (shape[1] - 1) / 2


def beam_mask(shape, *, center=None, radius=5.0):
    """Return used pixels: all but the direct beam."""
    return np.hypot(*places(shape, center or middle(shape))) > radius


def pattern_axes(shape, center=None, scales=(1.0, 1.0)):
    """Return axes whose coordinate 0 is the centre."""
    center = center or middle(shape)
    return tuple(
        Axis(n, s, scale=step, offset=-step * c, unit="1/angstrom")
        for n, s, c, step in zip("vu", shape, center, scales, strict=True)
    )


def scan_axes(shape, steps=(1.0, 1.0), unit="nm"):
    names = ("y", "x")[2 - len(shape) :]
    return tuple(Axis(n, s, scale=d, unit=unit) for n, s, d in zip(names, shape, steps, strict=False))


def make_factors(patterns, *, maps=None, used=None, strengths=None, axes=None, on=None, **fields):
    """Return factors around patterns; everything else has a default."""
    patterns = np.asarray(patterns, np.float64)
    shape, k = patterns.shape[1:], len(patterns)
    used = np.ones(shape, bool) if used is None else used
    maps = np.random.default_rng(0).random((k, 13, 29)) if maps is None else np.asarray(maps, np.float64)
    strengths = np.arange(2.0 * k, k, -1.0) if strengths is None else np.asarray(strengths, np.float64)
    return Factors(
        maps=maps,
        patterns=patterns * used,
        scan_axes=on or scan_axes(maps.shape[1:]),
        pattern_axes=axes or pattern_axes(shape),
        used_pixels=used,
        fill="zero",
        strengths=strengths / strengths.sum(),
        convergence=Convergence((1.0,), 0.0, 1, converged=True, reason="made up"),
        **fields,
    )


def make_groups(factors, labels, *, crystalline=None, one_crystal=()):
    """Return groups as a clusterer would; members agree only after turning, but for pairs in `one_crystal`."""
    labels = np.asarray(labels)
    k, n_groups = len(labels), int(labels.max()) + 1
    distance = np.where(labels[:, None] == labels[None, :], 0.05, 1.0) * (1 - np.eye(k))
    unturned = np.where(distance > 0, 0.9, 0.0)
    for i, j in one_crystal:
        unturned[i, j] = unturned[j, i] = 0.06
    return Groups(
        labels=labels,
        distance=distance,
        rotation_deg=np.zeros(k),
        linkage=np.zeros((k - 1, 4)),
        cut=0.3,
        cut_reason="made up",
        patterns=factors.patterns[:n_groups],
        maps=np.array([factors.maps[labels == g].sum(axis=0) for g in range(n_groups)]),
        center=(0.0, 0.0) if factors.patterns.ndim == 3 else (),
        crystalline=np.ones(n_groups, bool) if crystalline is None else np.asarray(crystalline, bool),
        scan_axes=factors.scan_axes,
        pattern_axes=factors.pattern_axes,
        distance_unturned=unturned,
    )


def body_map(shape, bodies, *, fwhm=0.0, steps=(1.0, 1.0), kind="disk", fine=6):
    """Return the projected thickness of bodies (y, x, diameter), in units of the steps, blurred by a probe."""
    image = np.zeros((shape[0] * fine, shape[1] * fine))
    y, x = (((np.arange(n * fine) + 0.5) / fine - 0.5) * step for n, step in zip(shape, steps, strict=True))
    for cy, cx, diameter in bodies:
        square = (diameter / 2) ** 2 - (y[:, None] - cy) ** 2 - (x[None, :] - cx) ** 2
        flat = (square > 0).astype(float)
        image += flat if kind == "disk" else np.sqrt(np.maximum(square, 0)) / (diameter / 2)
    sigma = [fwhm / 2.3548 * fine / step for step in steps]
    return gaussian_filter(image, sigma).reshape(shape[0], fine, shape[1], fine).mean(axis=(1, 3))
