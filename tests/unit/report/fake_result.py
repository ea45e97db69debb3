"""A result as a run would hand it over, made from nouns alone: no stage of the package is needed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.cluster.hierarchy import average, fcluster
from scipy.ndimage import gaussian_filter, label
from scipy.spatial.distance import squareform

from unmixel.dataset.axes import Axis
from unmixel.dataset.card import CardRow, DataCard
from unmixel.dataset.result import Result
from unmixel.dataset.results import (
    Convergence,
    Factors,
    Groups,
    Leftovers,
    Particle,
    Particles,
    Residual,
    Uncertainty,
)

HOSTILE = 'scan<script>alert("x")</script>&$\\frac{$.mib'


def axes_of(shape, names, scale, unit):
    return tuple(Axis(name, n, scale=scale, unit=unit) for name, n in zip(names, shape, strict=True))


def disc_map(rng, shape, n_discs, counts):
    grid = np.indices(shape)
    image = np.zeros(shape)
    for _ in range(n_discs):
        center = [rng.uniform(0, n) for n in shape]
        radius = rng.uniform(0.05, 0.11) * min(shape) + 0.7
        inside = sum((g - c) ** 2 for g, c in zip(grid, center, strict=True)) < radius**2
        image = np.maximum(image, inside * rng.uniform(0.6, 1.0))
    return gaussian_filter(image, 0.7) * counts + rng.gamma(0.3, counts / 60, shape)


def halo(shape):
    v, u = np.indices(shape)
    radius = np.hypot(v - shape[0] / 2, u - shape[1] / 2) / (min(shape) / 2)
    return np.exp(-(((radius - 0.45) / 0.1) ** 2)) + 0.4 * np.exp(-(((radius - 0.8) / 0.12) ** 2)) + 0.05


def lattice(shape, spacing, angle_deg, slope):
    v, u = np.indices(shape).astype(float)
    width = min(shape) / 55
    image = np.zeros(shape)
    angle = np.deg2rad(angle_deg)
    one = spacing * min(shape) * np.array([np.cos(angle), np.sin(angle)])
    two = slope * spacing * min(shape) * np.array([-np.sin(angle), np.cos(angle)])
    for h in range(-4, 5):
        for k in range(-4, 5):
            if (h, k) == (0, 0):
                continue
            y, x = h * one + k * two + np.array(shape) / 2
            strength = np.exp(-np.hypot(h, k) / 2.5) * (1 + 0.6 * np.cos(2.1 * h + 1.3 * k))
            image += strength * np.exp(-((v - y) ** 2 + (u - x) ** 2) / (2 * width**2))
    return image + 0.004 * halo(shape)


def spectra(n, size):
    energy = np.linspace(0, 1, size)
    peaks = [np.exp(-(((energy - c) / 0.02) ** 2)) for c in np.linspace(0.15, 0.9, n)]
    return np.array([peak + 0.3 * np.exp(-3 * energy) for peak in peaks])


def make_patterns(rng, k, shape):
    if len(shape) == 1:
        return spectra(k, shape[0]), np.zeros(k)
    angles = np.concatenate([[0.0], rng.uniform(-90, 90, k - 1)])
    images = [halo(shape)]
    images += [
        lattice(shape, 0.14, angles[i], 1.0) if i % 3 else lattice(shape, 0.11, angles[i], 1.45)
        for i in range(1, k)
    ]
    return np.array(images), angles


def make_factors(*, k, scan, detector, fill, seed, scan_unit, pattern_unit):
    rng = np.random.default_rng(seed)
    patterns, angles = make_patterns(rng, k, detector)
    used = np.ones(detector, bool)
    if len(detector) == 2:
        v, u = np.indices(detector)
        used = np.hypot(v - detector[0] / 2, u - detector[1] / 2) > min(detector) / 14
        used[:, :1] = False
    else:
        used[: detector[0] // 20] = False
    if fill == "zero":
        patterns = patterns * used
    patterns = patterns / (patterns * used).reshape(k, -1).sum(1).reshape(k, *(1,) * len(detector))
    maps = np.array([disc_map(rng, scan, 2, 3e4 / (i + 1)) for i in range(k)])
    maps[0] = gaussian_filter(rng.normal(size=scan), 6) * 2e4 + 6e4
    maps = np.maximum(maps, 0).astype(np.float32)
    strengths = maps.reshape(k, -1).sum(1) / maps.sum()
    order = np.argsort(-strengths)
    chi2_map = 1 + 0.03 * rng.normal(size=scan) + 1.5 * (maps[-1] > 0.6 * maps[-1].max())
    chi2_pattern = (
        1 + 0.15 * rng.normal(size=detector) + 6 * (patterns[-1] > 0.5 * patterns[-1].max())
    ) * used
    factors = Factors(
        maps=maps[order],
        patterns=patterns[order].astype(np.float32),
        scan_axes=axes_of(
            scan, ("y", "x")[2 - len(scan) :] if len(scan) < 3 else ("s0", "y", "x"), 3.03, scan_unit
        ),
        pattern_axes=axes_of(detector, ("v", "u") if len(detector) == 2 else ("energy",), *pattern_unit),
        used_pixels=used,
        fill=fill,
        strengths=strengths[order],
        convergence=Convergence(
            tuple(4.1e6 * (1 + 2.2 * np.exp(-i / 9) + 30 * np.exp(-1.4 * i)) for i in range(81)),
            0.1234,
            80,
            True,
            "the objective fell by less than 1e-05 of itself per sweep over 5 sweeps",
        ),
        flags=tuple(
            ("camera artefact?", "touches the rim of the detector") if i == k - 1 else () for i in range(k)
        ),
        residual=Residual(chi2_map, chi2_pattern, float(chi2_map.mean()), 0.01),
        settings={
            "n_components": k,
            "solver": {"name": "gradient", "inner_steps": 8},
            "loss": {"name": "frobenius"},
            "constraints": [
                {"name": "nonnegative", "side": "maps"},
                {"name": "resolution", "fwhm": 1.9, "unit": "nm", "side": "maps"},
                {
                    "name": "spot_shape",
                    "kernel": {"array_of_shape": [13, 13], "sum": 1.0},
                    "side": "patterns",
                },
                {"name": "sparse", "weight": 2.0, "side": "maps", "spare": 0},
            ],
            "seed": 1,
            "max_iter": 200,
            "tol": 1e-5,
        },
    )
    return factors, angles[order]


def make_trust(factors, *, seed=5):
    """Return errors as those of counts, scores from good to bad, and two places in the residual."""
    rng = np.random.default_rng(seed)
    k, scan, detector = factors.n_components, factors.maps.shape[1:], factors.used_pixels.shape
    used = factors.used_pixels
    uncertainty = Uncertainty(
        maps=np.sqrt(factors.maps + 1).astype(np.float32),
        patterns=np.where(used, np.sqrt((factors.patterns + 1e-5) / 3e5), np.nan).astype(np.float32),
        gain=1.0,
        method="weighted least squares of counts; agreement between fits to two independent halves of the counts",
        stability=np.linspace(0.97, 0.12, k),
        scatter=np.where(np.arange(k) % 2, np.nan, np.linspace(0.9, 3.1, k)),
    )
    places = rng.integers(0, scan, (2, len(scan)))
    maps = np.zeros((2, *scan), np.float32)
    for image, place in zip(maps, places, strict=True):
        image[tuple(place)] = 120.0
    leftovers = Leftovers(
        z_map=(rng.normal(size=scan) + 9 * (maps.sum(0) > 0)).astype(np.float32),
        z_pattern=np.where(used, rng.normal(size=detector), np.nan).astype(np.float32),
        gain=1.0,
        threshold=4.2,
        places=places,
        significance=np.array([12.3, 4.4]),
        counts=np.array([4078.2, 12.345]),
        maps=maps,
        patterns=(factors.patterns[[-1, 0]] * used).astype(np.float32),
    )
    return replace(factors, uncertainty=uncertainty, leftovers=leftovers)


def make_groups(factors, angles):
    k = factors.n_components
    rng = np.random.default_rng(3)
    kinds = np.where(np.arange(k) == 0, 0, np.where(np.arange(k) % 3 > 0, 1, 2))
    distance = np.where(kinds[:, None] == kinds[None, :], 0.12, 0.6) + 0.05 * rng.uniform(size=(k, k))
    distance = (distance + distance.T) / 2
    np.fill_diagonal(distance, 0)
    linkage = average(squareform(distance)) if k > 1 else np.zeros((0, 4))
    raw = fcluster(linkage, 0.3, "distance") - 1 if k > 1 else np.zeros(1, int)
    _, first = np.unique(raw, return_index=True)
    rank = {raw[i]: n for n, i in enumerate(sorted(first))}
    labels = np.array([rank[value] for value in raw])
    g = labels.max() + 1
    spectrum = factors.patterns.ndim == 2
    return Groups(
        labels=labels,
        distance=distance,
        rotation_deg=np.zeros(k) if spectrum else (angles - angles[[np.argmax(labels == a) for a in labels]]),
        linkage=linkage,
        cut=0.3,
        cut_reason="the largest gap between merges, above what rotated surrogates reach by chance (0.22)",
        patterns=np.array([factors.patterns[np.argmax(labels == a)] for a in range(g)]),
        maps=np.array([factors.maps[labels == a].sum(0) for a in range(g)]),
        center=() if spectrum else tuple(n / 2 for n in factors.patterns.shape[1:]),
        crystalline=np.arange(g) > 0,
        scan_axes=factors.scan_axes,
        pattern_axes=factors.pattern_axes,
        method="rotation: polar transform, 8 samples a radius pixel, average linkage",
    )


def make_particles(groups, unit):
    step = groups.scan_axes[-1].scale
    labels, table = np.zeros(groups.maps.shape, int), []
    for g in range(1, groups.n_groups):
        regions, n = label(groups.maps[g] > 0.35 * groups.maps[g].max())
        for region in range(1, n + 1):
            where = np.argwhere(regions == region)
            if len(where) < 8:
                continue
            number = len(table) + 1
            labels[g][regions == region] = number
            border = bool((where == 0).any() or (where == np.array(regions.shape) - 1).any())
            area = len(where) * step**2
            y, x = where.mean(0) * step
            table.append(Particle(number, g, -1, y, x, area, 2 * np.sqrt(area / np.pi), border))
    whole = np.array([p.diameter for p in table if not p.on_border])
    mean = whole.mean() if whole.size else np.nan
    median = float(np.median(whole)) if whole.size else np.nan
    half = 1.96 * whole.std() / np.sqrt(max(whole.size, 1)) if whole.size else np.nan
    return Particles(
        table=tuple(table),
        labels=labels,
        unit=unit,
        number_density=len(table) / (labels[0].size * step**2),
        area_fraction=float((labels > 0).any(0).mean()),
        mean_diameter=mean,
        mean_interval=(mean - half, mean + half),
        median_diameter=median,
        median_interval=(median - half, median + 1.3 * half),
        notes=(
            "regions above 35 % of each map's maximum, at least 8 px",
            "no correction for the probe's blur",
        ),
    )


CARD = DataCard(
    "mgo.zspy",
    (
        CardRow("format", "HyperSpy zspy"),
        CardRow("scan shape", "64 x 72", "green", "given by the file"),
        CardRow(
            "counts", "5.2e5 per pattern, whole numbers", "green", "whole numbers, as Poisson weighting wants"
        ),
        CardRow(
            "gain", "variance is 3.1 x the mean", "yellow", "Counts look scaled; treat chi-square with care."
        ),
        CardRow(
            "saturated", "212 pixels at 1020", "red", "The detector is saturated; mask the beam (mask_beam)."
        ),
        CardRow("scan step", "3.03 nm", "green", "read from the file"),
    ),
)

STEPS = [
    {
        "name": "center",
        "parameters": {"method": "moments", "radius_px": 12},
        "effect": "Origin found at (71.8, 72.3) px, spread 0.12 px over the scan; no pixel was moved.",
        "values": {"v": 71.8, "u": 72.3},
    },
    {
        "name": "mask_beam",
        "parameters": {"radius": 0.31, "unit": "1/angstrom"},
        "effect": "317 of 20736 detector pixels (direct beam) got weight 0.",
        "values": {"n_pixels": 317},
    },
    {
        "name": "poisson_weights",
        "parameters": {"floor": 0.01},
        "effect": "Pixels weighted by 1 / mean counts.",
    },
]


def make_result(
    *,
    k=12,
    scan=(26, 31),
    detector=(31, 26),
    fill="model",
    seed=0,
    scan_unit="nm",
    pattern_unit=(0.03246, "1/angstrom"),
    path="mgo.zspy",
    with_groups=True,
    with_particles=True,
    with_trust=True,
    **fields,
):
    factors, angles = make_factors(
        k=k,
        scan=scan,
        detector=detector,
        fill=fill,
        seed=seed,
        scan_unit=scan_unit,
        pattern_unit=pattern_unit,
    )
    factors = make_trust(factors) if with_trust else factors
    groups = make_groups(factors, angles) if with_groups else None
    particles = (
        make_particles(groups, scan_unit)
        if groups is not None and with_particles and len(scan) == 2
        else None
    )
    mean = np.tensordot(factors.maps.reshape(k, -1).mean(1), factors.patterns, 1)
    if len(detector) == 2:
        v, u = np.indices(detector)
        beam_width = min(detector) / 40
        mean = mean + 4e3 * np.exp(
            -((v - detector[0] / 2) ** 2 + (u - detector[1] / 2) ** 2) / 2 / beam_width**2
        )
    full = {
        "card": CARD,
        "recipe": {
            "steps": [{"name": step["name"], **step["parameters"]} for step in STEPS],
            "factorize": dict(factors.settings),
        },
        "record": {
            "versions": {"unmixel": "0.1.0", "numpy": "2.4.0", "python": "3.11.2", "rosettasciio": "0.15"},
            "input": {
                "path": path,
                "sha256": "0123456789abcdef" * 4,
                "covers": "names, sizes and contents of all 12 files",
                "n_bytes": 914457600,
                "notes": [],
                "format": "demo phantom" if path.startswith("demo:") else "HyperSpy zspy",
                "scan_shape_from": "the file's axes",
            },
            "seed": 1,
            "steps": STEPS,
            "timings_s": {"read": 1.2, "prepare": 3.4, "factorise": 41.0, "group": 0.8},
            "command": f"unmixel run '{path}' --components {k} --out run",
            "started": "2026-11-22T10:00:00+00:00",
            "finished": "2026-11-22T10:00:47+00:00",
            "status": "finished",
        },
        "extras": {
            "mean_pattern": mean,
            "mean_map": factors.maps.sum(0),
        },
    }
    return Result(factors, groups, particles, **{**full, **fields})


STOPPED = {"card": None, "recipe": {}, "record": {"status": "interrupted"}, "extras": {}}

CASES = {
    "spectra": {"k": 2, "scan": (24, 22), "detector": (138,), "pattern_unit": (0.5, "eV")},
    "line": {"k": 2, "scan": (40,), "detector": (31, 26), "fill": "zero"},
    "stopped": {"k": 2, "with_groups": False, **STOPPED},
    "hostile": {"k": 2, "path": HOSTILE, "fill": "zero"},
    "one": {"k": 1, "path": "demo:glass?seed=1"},
}
