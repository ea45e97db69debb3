"""Small phantoms without a scene: the planted cube that peers were measured on, and a spectrum image."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import Scan
from unmixel.dataset.truth import Truth
from unmixel.io.demo_keys import above, at_least, between, key

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PlantedSpec:
    """Keys of ``demo:planted?...``; all defaults give the cube of the published comparison."""

    seed: int = key(0, "random seed", "", at_least(0))
    scale: float = key(20_000.0, "counts at the top of a map", "counts", above(0))
    background: float = key(0.02, "floor under every map, of its top", "", at_least(0))


@dataclass(frozen=True)
class SpectrumSpec:
    """Keys of ``demo:spectrum?...``: an EDX-like spectrum image of three phases."""

    scan: tuple[int, ...] = key((48, 64), "positions along y and x", "px", at_least(1))
    channels: int = key(512, "energy channels of 20 eV", "", at_least(64))
    dose: float = key(800.0, "mean counts per spectrum", "counts", above(0))
    seed: int = key(1, "random seed", "", at_least(0))
    background: float = key(0.3, "share of bremsstrahlung", "", between(0, 1))


def _bare_truth(
    maps: Array, patterns: Array, axes: tuple[tuple[Axis, ...], tuple[Axis, ...]], **fields: Any
) -> Truth:
    """Return a truth of plain components: no beam, no crystals, no rotation."""
    k, scan = len(maps), maps.shape[1:]
    nothing = np.full(k, np.nan)
    return Truth(
        maps=maps,
        patterns=patterns,
        kinds=("component",) * k,
        phases=fields.pop("phases", tuple(f"component {i}" for i in range(k))),
        rotation_deg=nothing,
        symmetry_deg=nothing,
        diameters=nothing,
        centers=np.full((k, 2), np.nan),
        on_border=np.zeros(k, bool),
        scan_axes=axes[0],
        pattern_axes=axes[1],
        beam_center=(),
        beam_radius=0.0,
        probe_sigma=0.0,
        spot_sigma=0.0,
        spot_shape="",
        thickness=np.ones(scan),
        descan=np.zeros((*scan, 2)),
        **fields,
    )


def planted_cube(spec: PlantedSpec) -> tuple[Scan, Truth]:
    """Return the planted cube: four Gaussian maps on 40 x 40, random patterns of 40 x 40 pixels, Poisson.

    ``H = Gamma(0.3)`` with rows of sum 1, k = 4, 1,600 pixels; ``W = exp(-r^2 / 60)`` around (8, 8), (30, 10),
    (12, 30), (30, 30), plus the background, times the scale; ``X = Poisson(W H)``.

    Examples
    --------
    >>> scan, truth = planted_cube(PlantedSpec())
    >>> scan.data.shape, truth.n_components
    ((40, 40, 40, 40), 4)
    """
    random = np.random.default_rng(spec.seed)
    H = random.gamma(0.3, size=(4, 1600))
    H /= H.sum(axis=1, keepdims=True)
    y, x = np.mgrid[:40, :40]
    places = ((8, 8), (30, 10), (12, 30), (30, 30))
    blobs = np.array([np.exp(-((y - py) ** 2 + (x - px) ** 2) / 60) for py, px in places])
    maps = (blobs + spec.background) * spec.scale
    data = random.poisson(maps.reshape(4, -1).T @ H)
    axes = tuple(Axis(n, 40) for n in "yx"), tuple(Axis(n, 40) for n in "vu")
    truth = _bare_truth(maps, H.reshape(4, 40, 40), axes, settings=asdict(spec))
    small = np.uint16 if data.max() < 65536 else np.uint32
    return Scan(data.astype(small).reshape(40, 40, 40, 40), *axes), truth


_PHASES = (
    ("ZrO2", ((2042.0, 1.0), (525.0, 0.35))),
    ("Cu", ((8048.0, 0.7), (930.0, 0.5), (8905.0, 0.1))),
    ("Al2O3", ((1487.0, 1.0), (525.0, 0.5))),
)
# strongest X-ray lines in eV with rough relative heights; lines beyond the last channel are not seen


def spectrum_truth(spec: SpectrumSpec) -> Truth:
    """Return a spectrum image of three phases: blobs of two in a matrix of the third, lines on bremsstrahlung."""
    random = np.random.default_rng([spec.seed, 3])
    energy = 20.0 * np.arange(spec.channels) + 100
    smooth = np.exp(-energy / 3000) * (1 - np.exp(-((energy / 700) ** 2)))
    spectra = []
    for _, lines in _PHASES:
        width = 30 + 0.005 * energy
        peaks = sum(h * np.exp(-0.5 * ((energy - e) / width) ** 2) for e, h in lines)
        total = np.sum(peaks)
        shares = (spec.background, 1 - spec.background) if total > 0 else (1.0, 0.0)
        spectra.append(shares[0] * smooth / smooth.sum() + shares[1] * peaks / (total or 1.0))
    y, x = (np.arange(n, dtype=np.float64) for n in spec.scan)
    blobs = np.zeros((2, *spec.scan))
    for index in range(10):
        cy, cx = random.random(2) * spec.scan
        radius = random.uniform(0.06, 0.14) * max(spec.scan)
        blob = np.exp(-0.5 * ((y[:, None] - cy) ** 2 + (x[None, :] - cx) ** 2) / radius**2)
        blobs[index % 2] = np.maximum(blobs[index % 2], blob)
    blobs /= np.maximum(blobs.sum(axis=0), 1.0)
    maps = spec.dose * np.concatenate([1 - blobs.sum(axis=0, keepdims=True), blobs])
    axes = (
        tuple(Axis(n, s, scale=2.0, unit="nm") for n, s in zip("yx", spec.scan, strict=True)),
        (Axis("energy", spec.channels, scale=20.0, offset=100.0, unit="eV"),),
    )
    phases = tuple(name for name, _ in (_PHASES[2], *_PHASES[:2]))
    order = np.array([spectra[2], spectra[0], spectra[1]])
    return _bare_truth(maps, order, axes, phases=phases, settings=asdict(spec))
