"""The glass phantom: nano-crystals of several lattices in an amorphous metal, scanned and counted.

Factors first (maps, patterns: the truth), counts afterwards and only where they are asked for.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.core.units import memory
from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import Instrument
from unmixel.dataset.truth import Truth
from unmixel.io.demo_keys import above, at_least, between, key, one_of
from unmixel.physics.halo import Halo
from unmixel.physics.kernels import disk_kernel, disk_spot, gaussian_kernel, gaussian_spot
from unmixel.physics.probe import FWHM_PER_SIGMA, convergence_for
from unmixel.physics.zones import ZONES, Zone, spots

Array = NDArray[np.float64]

VOLTAGE_KV = 300.0
HALO_PLACE = 0.57
# the first ring's share of the detector's half width
BEAM_SIGMAS = 4.0
# radius that holds the direct beam, in spot sigmas
LARGEST_TRUTH = 2_000_000_000
# bytes of maps or of patterns: the truth stands in memory, the counts do not
_FINE = 4
# sub-samples per scan px and axis when a precipitate is drawn


@dataclass(frozen=True)
class GlassSpec:
    """Every key of ``demo:glass?...`` with its default; the yardstick is all defaults.

    Examples
    --------
    >>> GlassSpec().scan, GlassSpec(dose=1e4).dose
    ((64, 64), 10000.0)
    """

    scan: tuple[int, ...] = key((64, 64), "positions along y and x", "px", at_least(1))
    detector: tuple[int, ...] = key((64, 64), "pixels along v and u", "px", at_least(4))
    dose: float = key(40_000.0, "mean electrons per pattern, direct beam included", "electrons", above(0))
    seed: int = key(1, "random seed of scene and counts", "", at_least(0))
    precipitates: int = key(20, "number of precipitates", "", at_least(0))
    diameter: float = key(7.0, "their mean diameter", "px", above(0))
    spread: float = key(0.2, "standard deviation of the diameters over their mean", "", between(0, 2))
    overlap: float = key(0.3, "how far two may overlap, of the sum of their radii", "", between(0, 1))
    lattices: int = key(3, "number of lattices, dealt in turn", "", between(1, len(ZONES)))
    apart: float = key(2.0, "least difference of rotation within one lattice", "degrees", at_least(0))
    tilt: float = key(0.0, "standard deviation of the tilt off the zone axis", "mrad", at_least(0))
    foil: float = key(10.0, "specimen thickness in mean diameters", "", above(0))
    thickness: float = key(0.1, "relative standard deviation of the specimen thickness", "", at_least(0))
    scattered: float = key(
        0.35, "share of electrons outside the direct beam, where thickness is 1", "", between(0, 1)
    )
    diffuse: float = key(0.1, "diffuse share of what a crystal scatters", "", between(0, 1))
    halo: float = key(0.40, "first ring of the glass", "1/angstrom", above(0))
    blur: float = key(0.8, "sigma of the probe", "px", between(0, 50))
    spot: float = key(2.2, "sigma of a spot and of the direct beam", "px", between(0.3, 100))
    spots: str = key(
        "gaussian", "shape of a spot: gaussian, or disk of radius 2 sigma", "", one_of("gaussian", "disk")
    )
    descan: float = key(0.0, "drift of the pattern from corner to corner of the scan", "px", at_least(0))
    ellipticity: float = key(0.0, "(long - short) / mean axis of the rings", "", between(0, 0.5))
    gain: float = key(1.0, "counts per electron", "", above(0))
    step: float = key(1.0, "scan step", "nm", above(0))

    def __post_init__(self) -> None:
        largest = max(math.prod(self.scan), math.prod(self.detector)) * (2 + self.precipitates) * 8
        if largest > LARGEST_TRUTH:
            raise InputError(
                "demo:glass",
                expected=f"maps and patterns of at most {memory(LARGEST_TRUTH)} each",
                got=memory(largest),
                hint="make the scan, the detector or the number of precipitates smaller",
            )

    @property
    def pixel(self) -> float:
        """Detector pixel in 1/angstrom: the first ring lies at 57 % of the shorter half width."""
        return self.halo / (HALO_PLACE * min(self.detector) / 2)

    @property
    def center(self) -> tuple[float, float]:
        """Place (v, u) of the direct beam in px."""
        return (self.detector[0] - 1) / 2, (self.detector[1] - 1) / 2

    @property
    def axes(self) -> tuple[tuple[Axis, ...], tuple[Axis, ...]]:
        """Scan axes in nm and pattern axes in 1/angstrom, zero at the direct beam."""
        scan = tuple(Axis(n, s, scale=self.step, unit="nm") for n, s in zip("yx", self.scan, strict=True))
        pattern = tuple(
            Axis(n, s, scale=self.pixel, offset=-c * self.pixel, unit="1/angstrom")
            for n, s, c in zip("vu", self.detector, self.center, strict=True)
        )
        return scan, pattern

    @property
    def instrument(self) -> Instrument:
        """300 kV, with the convergence angle whose diffraction-limited probe is as wide as `blur`."""
        fwhm = FWHM_PER_SIGMA * self.blur * self.step * 10
        return Instrument(
            voltage_kV=VOLTAGE_KV,
            convergence_mrad=convergence_for(fwhm, VOLTAGE_KV) if fwhm else None,
            microscope="phantom",
            detector=f"counting, {self.gain:g} counts per electron",
        )


@dataclass(frozen=True)
class _Ball:
    """A precipitate: centre and diameter in scan px, its zone, rotation and tilt."""

    y: float
    x: float
    diameter: float
    zone: Zone
    rotation_deg: float
    tilt_mrad: tuple[float, float]

    def cut_by(self, shape: tuple[int, ...]) -> bool:
        """Whether the edge of the scan cuts it."""
        r = self.diameter / 2
        inside = (c - r >= -0.5 and c + r <= n - 0.5 for c, n in zip((self.y, self.x), shape, strict=True))
        return not all(inside)


def _diameters(spec: GlassSpec, random: np.random.Generator) -> Array:
    """Draw log-normal diameters and scale them to the very mean that was asked for."""
    if spec.precipitates == 0:
        return np.zeros(0)
    width = np.sqrt(np.log1p(spec.spread**2))
    drawn = np.exp(width * random.standard_normal(spec.precipitates))
    return np.sort(drawn * (spec.diameter / drawn.mean()))[::-1]


def _place(spec: GlassSpec, diameters: Array, random: np.random.Generator) -> Array:
    """Place precipitates one by one, each at the freest of many random places; centres (n, 2) in px."""
    placed = np.zeros((0, 2))
    shape = np.asarray(spec.scan)
    for index, diameter in enumerate(diameters):
        low = np.minimum(diameter / 2, (shape - 1) / 2)
        tries = low + random.random((200, 2)) * (shape - 1 - 2 * low)
        distance = np.linalg.norm(tries[:, None] - placed[None], axis=2)
        needed = (1 - spec.overlap) * (diameter + diameters[:index]) / 2
        room = np.min(distance - needed, axis=1, initial=np.inf)
        best = int(np.argmax(room >= 0)) if np.any(room >= 0) else int(np.argmax(room))
        placed = np.vstack([placed, tries[best]])
    return placed


def _turns(spec: GlassSpec, zones: NDArray[np.intp], random: np.random.Generator) -> Array:
    """Draw in-plane rotations, at least `spec.apart` apart within a lattice where there is room for that."""
    turns = np.zeros(zones.size)
    for index, zone in enumerate(zones):
        period = ZONES[zone].symmetry_deg
        tries = random.uniform(0, period, 50)
        others = turns[:index][zones[:index] == zone]
        gap = np.abs((tries[:, None] - others[None] + period / 2) % period - period / 2).min(
            axis=1, initial=360
        )
        turns[index] = tries[np.argmax(gap >= spec.apart) if np.any(gap >= spec.apart) else np.argmax(gap)]
    return turns


def _balls(spec: GlassSpec, random: np.random.Generator) -> list[_Ball]:
    diameters = _diameters(spec, random)
    places = _place(spec, diameters, random)
    zones = random.permutation(np.arange(spec.precipitates) % spec.lattices)
    turns = _turns(spec, zones, random)
    tilts = random.standard_normal((spec.precipitates, 2)) * spec.tilt
    return [
        _Ball(y, x, d, ZONES[z], turn, (tv, tu))
        for (y, x), d, z, turn, (tv, tu) in zip(places, diameters, zones, turns, tilts, strict=True)
    ]


def _chord(ball: _Ball, y: Array, x: Array) -> Array:
    """Return the mean path through a ball in scan px, over each scan px at rows y and columns x."""
    fine = (np.arange(_FINE) + 0.5) / _FINE - 0.5
    dy = (y[:, None] + fine).reshape(-1) - ball.y
    dx = (x[:, None] + fine).reshape(-1) - ball.x
    square = (ball.diameter / 2) ** 2 - dy[:, None] ** 2 - dx[None, :] ** 2
    path = 2 * np.sqrt(np.maximum(square, 0))
    return np.asarray(path.reshape(y.size, _FINE, x.size, _FINE).mean(axis=(1, 3)))


def _thickness(spec: GlassSpec, y: Array, x: Array, random: np.random.Generator) -> Array:
    """Return a smooth wedge with waves: mean 1 over the scan, standard deviation `spec.thickness`."""
    v = (y / max(1, spec.scan[0] - 1) - 0.5)[:, None]
    u = (x / max(1, spec.scan[1] - 1) - 0.5)[None, :]
    field = np.zeros((y.size, x.size))
    for _ in range(4):
        direction, phase = random.uniform(0, 2 * np.pi, 2)
        waves = random.uniform(0.2, 1.0)
        field += np.sin(2 * np.pi * waves * (v * np.sin(direction) + u * np.cos(direction)) + phase)
    inside = field[(y >= 0) & (y < spec.scan[0])][:, (x >= 0) & (x < spec.scan[1])]
    spread = inside.std() or 1.0
    return np.asarray(np.maximum(1 + spec.thickness * (field - inside.mean()) / spread, 0.05))


def _maps(spec: GlassSpec, balls: list[_Ball], random: np.random.Generator) -> tuple[Array, Array]:
    """Return maps (beam, matrix, each ball) in electrons, blurred by the probe, and the thickness."""
    from scipy.signal import oaconvolve

    kernel = gaussian_kernel((spec.blur, spec.blur))
    pad = kernel.shape[0] // 2
    y, x = (np.arange(-pad, n + pad, dtype=np.float64) for n in spec.scan)
    thickness = _thickness(spec, y, x, random)
    shares = np.array([_chord(ball, y, x) for ball in balls]).reshape(len(balls), y.size, x.size)
    shares /= spec.foil * spec.diameter
    full = shares.sum(axis=0)
    shares /= np.maximum(full, 1.0)
    through = np.exp(np.log(max(1 - spec.scattered, 1e-12)) * thickness)
    sharp = np.concatenate([[through, (1 - through) * (1 - np.minimum(full, 1.0))], (1 - through) * shares])
    maps = oaconvolve(sharp, kernel[None], mode="valid", axes=(1, 2))
    inner = thickness[pad : pad + spec.scan[0], pad : pad + spec.scan[1]]
    return np.asarray(spec.dose * np.maximum(maps, 0)), inner


def _elliptic(spec: GlassSpec, g: Array) -> Array:
    """Stretch places (v, u) by the ellipticity of the projector lenses: long axis along u."""
    return np.asarray(g * np.array([1 - spec.ellipticity / 2, 1 + spec.ellipticity / 2]))


def _spot(spec: GlassSpec, v: float, u: float) -> Array:
    dv = np.arange(spec.detector[0], dtype=np.float64) - v
    du = np.arange(spec.detector[1], dtype=np.float64) - u
    if spec.spots == "gaussian":
        return np.asarray(gaussian_spot(dv, spec.spot)[:, None] * gaussian_spot(du, spec.spot)[None, :])
    return disk_spot(np.hypot(dv[:, None], du[None, :]), 2 * spec.spot)


def _pattern(spec: GlassSpec, ball: _Ball, diffuse: Array) -> Array:
    """Return one crystal's pattern: spots that are images of the aperture over a diffuse share; sum 1."""
    g, intensity = spots(
        ball.zone,
        rotation_deg=ball.rotation_deg,
        tilt_mrad=ball.tilt_mrad,
        thickness=10 * spec.step * ball.diameter,
        voltage_kV=VOLTAGE_KV,
    )
    places = _elliptic(spec, g) / spec.pixel + np.asarray(spec.center)
    margin = 3 * spec.spot
    seen = np.all((places > -margin) & (places < np.asarray(spec.detector) - 1 + margin), axis=1)
    image = np.zeros(spec.detector)
    for (v, u), height in zip(places[seen], intensity[seen], strict=True):
        image += height * _spot(spec, v, u)
    if image.sum() <= 0:
        return diffuse
    return np.asarray((1 - spec.diffuse) * image / image.sum() + spec.diffuse * diffuse)


def _smooth(spec: GlassSpec) -> tuple[Array, Array]:
    """Return the glass's rings and diffuse scattering, each blurred by the spot as all scattering is; sum 1."""
    from scipy.signal import oaconvolve

    shape = spec.spots == "gaussian"
    kernel = gaussian_kernel((spec.spot, spec.spot)) if shape else disk_kernel(2 * spec.spot)
    pad = kernel.shape[0] // 2
    v, u = (np.arange(-pad, n + pad) - c for n, c in zip(spec.detector, spec.center, strict=True))
    long, short = 1 + spec.ellipticity / 2, 1 - spec.ellipticity / 2
    g = spec.pixel * np.hypot(v[:, None] / short, u[None, :] / long)
    halo = Halo(spec.halo)
    blurred = (
        np.maximum(oaconvolve(i, kernel, mode="valid"), 0) for i in (halo.intensity(g), halo.diffuse(g))
    )
    matrix, diffuse = (np.asarray(image / image.sum()) for image in blurred)
    return matrix, diffuse


def _patterns(spec: GlassSpec, balls: list[_Ball]) -> Array:
    """Return patterns (beam, matrix, each ball), each of sum 1 over the detector."""
    matrix, diffuse = _smooth(spec)
    beam = _spot(spec, *spec.center)
    return np.array([beam / beam.sum(), matrix, *(_pattern(spec, ball, diffuse) for ball in balls)])


def _descan(spec: GlassSpec, random: np.random.Generator) -> Array:
    """Return the shift (v, u) of each position: a plane with zero mean, `spec.descan` from corner to corner."""
    y, x = (np.linspace(-0.5, 0.5, n) if n > 1 else np.zeros(1) for n in spec.scan)
    angle = random.uniform(0, 2 * np.pi)
    along = spec.descan / 2 * (y[:, None] + x[None, :])
    across = spec.descan / 2 * (y[:, None] - x[None, :])
    return (
        np.stack([along * np.sin(angle), across * np.cos(angle)], axis=-1)
        if spec.descan
        else np.zeros((*spec.scan, 2))
    )


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
    balls = _balls(spec, random)
    maps, thickness = _maps(spec, balls, random)
    scan_axes, pattern_axes = spec.axes

    def column(values: list[Any]) -> Array:
        return np.array([np.nan, np.nan, *values], np.float64)

    return Truth(
        maps=maps,
        patterns=_patterns(spec, balls),
        kinds=("beam", "matrix", *("crystal" for _ in balls)),
        phases=("", "", *(ball.zone.name for ball in balls)),
        rotation_deg=column([ball.rotation_deg for ball in balls]),
        symmetry_deg=column([ball.zone.symmetry_deg for ball in balls]),
        diameters=column([ball.diameter * spec.step for ball in balls]),
        centers=np.stack(
            [column([b.y * spec.step for b in balls]), column([b.x * spec.step for b in balls])], axis=1
        ),
        on_border=np.array([False, False, *(ball.cut_by(spec.scan) for ball in balls)]),
        scan_axes=scan_axes,
        pattern_axes=pattern_axes,
        beam_center=spec.center,
        beam_radius=BEAM_SIGMAS * spec.spot if spec.spots == "gaussian" else 2 * spec.spot + 1.5,
        probe_sigma=spec.blur,
        spot_sigma=spec.spot,
        spot_shape=spec.spots,
        thickness=thickness,
        descan=_descan(spec, random),
        settings=asdict(spec),
    )
