"""Where things lie in a glass phantom: balls in a foil of uneven thickness, seen through the probe."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmixel.io.glass_spec import GlassSpec
from unmixel.physics.kernels import gaussian_kernel
from unmixel.physics.zones import ZONES, Zone

Array = NDArray[np.float64]

_FINE = 4
# sub-samples per scan px and axis when a precipitate is drawn


@dataclass(frozen=True)
class Ball:
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
    """Draw log-normal diameters and scale them to the very mean that was asked for; or spread them evenly."""
    if spec.precipitates == 0:
        return np.zeros(0)
    if spec.sizes == "even":
        reach = np.sqrt(3) * spec.spread if spec.precipitates > 1 else 0.0
        return np.asarray(spec.diameter * np.linspace(1 + reach, 1 - reach, spec.precipitates))
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


def _stacked(spec: GlassSpec, places: Array, diameters: Array) -> Array:
    """Put a share of the precipitates upon others, in the freest of many directions that stay in the scan."""
    places = places.copy()
    # streams of their own: what is not asked for leaves the rest of the scene as it is
    random = np.random.default_rng([spec.seed, 3])
    # each lies on another: an odd one is left alone
    n = min(round(spec.stacked * spec.precipitates), spec.precipitates // 2)
    chosen = random.permutation(spec.precipitates)
    for host, rider in zip(chosen[:n], chosen[n : 2 * n], strict=True):
        away = (diameters[host] + diameters[rider]) / 4
        turn = random.uniform(0, 2 * np.pi, 50)
        tries = places[host] + away * np.stack([np.sin(turn), np.cos(turn)], axis=1)
        others = np.delete(np.arange(len(places)), [host, rider])
        distance = np.linalg.norm(tries[:, None] - places[others][None], axis=2)
        room = np.min(distance - (diameters[rider] + diameters[others]) / 2, axis=1, initial=np.inf)
        inside = np.all((tries >= 0) & (tries <= np.asarray(spec.scan) - 1), axis=1)
        places[rider] = tries[int(np.argmax(np.where(inside, room, -np.inf)))]
    return places


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


def _tilts(spec: GlassSpec, drawn: Array) -> Array:
    """Return tilts in mrad, shape (n, 2), from pairs of normal numbers: as they are, or spread evenly over a disk.

    ``1 - exp(-|n|^2 / 2)`` of a pair n is uniform, and so is the square of a place's distance in a disk.
    """
    if spec.tilts == "normal":
        return drawn * spec.tilt
    length = np.linalg.norm(drawn, axis=1, keepdims=True)
    reach = spec.tilt * np.sqrt(-np.expm1(-(length**2) / 2))
    return np.asarray(drawn / np.maximum(length, 1e-300) * reach)


def balls_of(spec: GlassSpec, random: np.random.Generator) -> list[Ball]:
    """Return the precipitates, largest first: where, how large, of which lattice, turned and tilted how."""
    diameters = _diameters(spec, random)
    places = _stacked(spec, _place(spec, diameters, random), diameters)
    zones = random.permutation(np.arange(spec.precipitates) % spec.lattices)
    turns = _turns(spec, zones, random)
    tilts = _tilts(spec, random.standard_normal((spec.precipitates, 2)))
    return [
        Ball(y, x, d, ZONES[z], turn, (tv, tu))
        for (y, x), d, z, turn, (tv, tu) in zip(places, diameters, zones, turns, tilts, strict=True)
    ]


def _chord(ball: Ball, y: Array, x: Array) -> Array:
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


def _regions(spec: GlassSpec, y: Array, x: Array) -> Array:
    """Return where each glass is: 0 or 1, shape (n, y, x); wavy bands across the scan, equal in area."""
    random = np.random.default_rng([spec.seed, 5])
    v = (y / max(1, spec.scan[0] - 1) - 0.5)[:, None]
    u = (x / max(1, spec.scan[1] - 1) - 0.5)[None, :]
    turn, phase = random.uniform(0, 2 * np.pi, 2)
    along, across = v * np.sin(turn) + u * np.cos(turn), v * np.cos(turn) - u * np.sin(turn)
    field = along + 0.08 * np.sin(2 * np.pi * 1.5 * across + phase)
    inside = field[(y >= 0) & (y < spec.scan[0])][:, (x >= 0) & (x < spec.scan[1])]
    borders = np.quantile(inside, np.arange(1, spec.matrices) / spec.matrices)
    band = np.searchsorted(borders, field)
    return np.asarray(band[None] == np.arange(spec.matrices)[:, None, None], np.float64)


def maps_of(spec: GlassSpec, balls: list[Ball], random: np.random.Generator) -> tuple[Array, Array]:
    """Return maps (beam, each glass, each ball) in electrons, blurred by the probe, and the thickness."""
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
    glass = (1 - through) * (1 - np.minimum(full, 1.0)) * _regions(spec, y, x)
    sharp = np.concatenate([through[None], glass, (1 - through) * shares])
    maps = oaconvolve(sharp, kernel[None], mode="valid", axes=(1, 2))
    inner = thickness[pad : pad + spec.scan[0], pad : pad + spec.scan[1]]
    return np.asarray(spec.dose * np.maximum(maps, 0)), inner


def descan_of(spec: GlassSpec, random: np.random.Generator) -> Array:
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
