"""The glass phantom: nano-crystals of several lattices in an amorphous metal, scanned and counted.

Factors first (maps, patterns: the truth), counts afterwards and only where they are asked for.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.truth import Truth
from unmixel.io.glass_scene import Ball, balls_of, descan_of, maps_of
from unmixel.io.glass_spec import HALOS, VOLTAGE_KV, GlassSpec
from unmixel.physics.halo import Halo
from unmixel.physics.kernels import disk_kernel, disk_spot, gaussian_kernel, gaussian_spot
from unmixel.physics.zones import spots

__all__ = ["GlassSpec", "glass_truth", "smooth_patterns", "spots_image"]

Array = NDArray[np.float64]

BEAM_SIGMAS = 4.0
# radius that holds the direct beam, in spot sigmas


_WHOLE = (slice(None), slice(None))


def _window(spec: GlassSpec, v: float, u: float) -> tuple[slice, slice]:
    """Return the part of the detector that a spot reaches: a disk ends, a Gaussian does not."""
    if spec.spots == "gaussian":
        return _WHOLE
    reach = 2 * spec.spot + 1
    rows, columns = (slice(max(0, int(c - reach)), max(0, int(c + reach) + 2)) for c in (v, u))
    return rows, columns


def _elliptic(spec: GlassSpec, g: Array) -> Array:
    """Stretch places (v, u) by the ellipticity of the projector lenses: long axis along u."""
    return np.asarray(g * np.array([1 - spec.ellipticity / 2, 1 + spec.ellipticity / 2]))


def _spot(spec: GlassSpec, v: float, u: float, window: tuple[slice, slice] = _WHOLE) -> Array:
    """Return a spot of height 1 at (v, u) px, or what a window of the detector sees of it."""
    dv = np.arange(spec.detector[0], dtype=np.float64)[window[0]] - v
    du = np.arange(spec.detector[1], dtype=np.float64)[window[1]] - u
    if spec.spots == "gaussian":
        return np.asarray(gaussian_spot(dv, spec.spot)[:, None] * gaussian_spot(du, spec.spot)[None, :])
    return disk_spot(np.hypot(dv[:, None], du[None, :]), 2 * spec.spot)


def dynamical_factors(spec: GlassSpec, index: int, n_spots: int) -> Array:
    """Return log-normal factors of mean 1, one for each spot of crystal `index`.

    Multiple scattering makes intensities of one structure differ from crystal to crystal, with thickness and
    tilt; drawn independently, they break Friedel pairs too.
    """
    drawn = np.random.default_rng([spec.seed, 4, index]).standard_normal(n_spots)
    return np.asarray(np.exp(spec.dynamical * drawn - spec.dynamical**2 / 2))


def spots_image(spec: GlassSpec, g: Array, heights: Array) -> Array:
    """Return spots, each an image of the aperture, on the detector of a phantom.

    Parameters
    ----------
    spec : GlassSpec
    g : ndarray, shape (n, 2)
        (v, u) in 1/angstrom.
    heights : ndarray, shape (n,)
    """
    places = _elliptic(spec, g) / spec.pixel + np.asarray(spec.center)
    margin = 3 * spec.spot
    seen = np.all((places > -margin) & (places < np.asarray(spec.detector) - 1 + margin), axis=1)
    image = np.zeros(spec.detector)
    for (v, u), height in zip(places[seen], heights[seen], strict=True):
        window = _window(spec, v, u)
        image[window] += height * _spot(spec, v, u, window)
    return image


def _pattern(spec: GlassSpec, ball: Ball, index: int, diffuse: Array) -> Array:
    """Return one crystal's pattern: spots that are images of the aperture over a diffuse share; sum 1."""
    g, intensity = spots(
        ball.zone,
        rotation_deg=ball.rotation_deg,
        tilt_mrad=ball.tilt_mrad,
        thickness=10 * spec.step * ball.diameter,
        voltage_kV=VOLTAGE_KV,
    )
    if spec.dynamical:
        intensity = intensity * dynamical_factors(spec, index, len(intensity))
    image = spots_image(spec, g, intensity)
    if image.sum() <= 0:
        return diffuse
    return np.asarray((1 - spec.diffuse) * image / image.sum() + spec.diffuse * diffuse)


def smooth_patterns(spec: GlassSpec) -> Array:
    """Return the rings of each glass and, last, diffuse scattering, blurred by the spot as all scattering is; sum 1."""
    from scipy.signal import oaconvolve

    shape = spec.spots == "gaussian"
    kernel = gaussian_kernel((spec.spot, spec.spot)) if shape else disk_kernel(2 * spec.spot)
    pad = kernel.shape[0] // 2
    v, u = (np.arange(-pad, n + pad) - c for n, c in zip(spec.detector, spec.center, strict=True))
    long, short = 1 + spec.ellipticity / 2, 1 - spec.ellipticity / 2
    g = spec.pixel * np.hypot(v[:, None] / short, u[None, :] / long)
    rings = [Halo(spec.halo * place).intensity(g) for place in HALOS[: spec.matrices]]
    diffuse = Halo(spec.halo).diffuse(g)
    blurred = [np.maximum(oaconvolve(image, kernel, mode="valid"), 0) for image in (*rings, diffuse)]
    return np.array([image / image.sum() for image in blurred])


def _patterns(spec: GlassSpec, balls: list[Ball]) -> Array:
    """Return patterns (beam, each glass, each ball), each of sum 1 over the detector."""
    *glasses, diffuse = smooth_patterns(spec)
    beam = _spot(spec, *spec.center)
    crystals = [_pattern(spec, ball, index, diffuse) for index, ball in enumerate(balls)]
    return np.array([beam / beam.sum(), *glasses, *crystals])


def glass_truth(spec: GlassSpec) -> Truth:
    """Return the scene of a specification: the factors that its counts are drawn from.

    Parameters
    ----------
    spec : GlassSpec

    Examples
    --------
    >>> truth = glass_truth(GlassSpec(scan=(13, 29), detector=(31, 26), precipitates=3))
    >>> truth.kinds
    ('beam', 'matrix', 'crystal', 'crystal', 'crystal')
    """
    random = np.random.default_rng([spec.seed, 1])
    balls = balls_of(spec, random)
    maps, thickness = maps_of(spec, balls, random)
    scan_axes, pattern_axes = spec.axes
    n_smooth = 1 + spec.matrices

    def column(values: list[Any]) -> Array:
        return np.array([np.nan] * n_smooth + values, np.float64)

    return Truth(
        maps=maps,
        patterns=_patterns(spec, balls),
        kinds=("beam", *["matrix"] * spec.matrices, *["crystal"] * len(balls)),
        phases=("",) * n_smooth + tuple(ball.zone.name for ball in balls),
        rotation_deg=column([ball.rotation_deg for ball in balls]),
        symmetry_deg=column([ball.zone.symmetry_deg for ball in balls]),
        diameters=column([ball.diameter * spec.step for ball in balls]),
        centers=np.stack(
            [column([b.y * spec.step for b in balls]), column([b.x * spec.step for b in balls])], axis=1
        ),
        on_border=np.array([False] * n_smooth + [ball.cut_by(spec.scan) for ball in balls]),
        scan_axes=scan_axes,
        pattern_axes=pattern_axes,
        beam_center=spec.center,
        beam_radius=BEAM_SIGMAS * spec.spot if spec.spots == "gaussian" else 2 * spec.spot + 1.5,
        probe_sigma=spec.blur,
        spot_sigma=spec.spot,
        spot_shape=spec.spots,
        thickness=thickness,
        descan=descan_of(spec, random),
        settings=asdict(spec),
    )
