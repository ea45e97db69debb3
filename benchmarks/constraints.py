"""What each constraint brings and what it costs, against known truth: the tables of docs/reference/constraints.md.

    python benchmarks/constraints.py
    python benchmarks/constraints.py --only friedel --doses 1e4 --seeds 1 2 --scene yardstick

A row is one fit of a glass phantom (direct beam left out, Poisson weights), averaged over seeds. Every table begins
with what the constraint is added to. The small scene has 26 x 28 positions, 44 x 40 pixels, 4 crystals and k = 8;
the yardstick 64 x 64 | 64 x 64, 20 crystals and k = 40.

    cosine, map    mean pattern cosine and map Pearson of the crystals
    found          share of the crystals with both >= 0.8, per cent
    dips           share of pixels in narrow dips deeper than twice the noise, per cent
    truth          ||W H - L||^2 / ||L||^2 with L the noise-free data, in 1e-5
    alive          components that are not empty
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from unmixel import (
    NMF,
    Friedel,
    Isotropic,
    NoDips,
    Relevance,
    Resolution,
    SoftOrthogonal,
    Sparse,
    SpotShape,
    TotalIntensity,
)
from unmixel.testing import metrics, phantoms

SCENES: dict[str, dict[str, Any]] = {
    "small": {"scan": (26, 28), "detector": (44, 40), "precipitates": 4, "spot": 1.8},
    "yardstick": {"scan": (64, 64), "detector": (64, 64), "precipitates": 20, "spot": 2.2},
}
COMPONENTS = {"small": 8, "yardstick": 40}

MAPS = (Resolution(1.884), Sparse(2.0, spare=1))


@dataclass(frozen=True, eq=False)
class Scene:
    """A phantom ready for a fit, its truth, and the beam current where it flickers."""

    scan: Any
    truth: Any
    used: Any
    current: Any
    spot: float


@cache
def scene(name: str, dose: float, seed: int, flicker: float = 0.0, ellipticity: float = 0.0) -> Scene:
    """Return a phantom; a flickering beam is made by thinning, which keeps counts Poisson."""
    scan, truth = phantoms.glass(**SCENES[name], dose=dose, seed=seed, ellipticity=ellipticity)
    used = phantoms.yardstick_pixels(truth)
    data, rng = np.asarray(scan.data), np.random.default_rng(seed)
    current = np.clip(1 - flicker * rng.random(scan.scan_shape), 0.05, 1)
    if flicker:
        data = rng.binomial(data, current[..., None, None]).astype(data.dtype)
    mean = data.mean(axis=(0, 1), dtype=np.float64)
    weights = np.where(used, 1 / np.maximum(mean, 1e-3), 0.0)
    return Scene(replace(scan, data=data, pixel_weights=weights), truth, used, current, SCENES[name]["spot"])


def judged(at: Scene, factors: Any, total: Any = 1.0) -> dict[str, float]:
    """Return the columns of the table; maps are read as shares of `total`, the model as counts."""
    truth, used, crystals = at.truth, at.used, at.truth.crystals
    maps = np.asarray(factors.maps, np.float64)
    matched = metrics.match(maps / total, factors.patterns, truth.maps, truth.patterns, used_pixels=used)
    mine = matched.component[crystals]
    mine = mine[mine >= 0]
    length = np.sqrt((maps**2).sum(axis=(1, 2)))
    mean = np.divide(1.0, at.scan.pixel_weights, out=np.zeros(used.shape), where=used)
    noise = 2 * np.sqrt(mean) / np.maximum(length, 1e-9)[:, None, None]
    dips = metrics.dip_fraction(
        factors.patterns[mine], width=2.355 * at.spot, noise=noise[mine], used_pixels=used
    )
    return {
        "cosine": float(matched.pattern_cosine[crystals].mean()),
        "map": float(matched.map_pearson[crystals].mean()),
        "found": 100 * metrics.found(matched, crystals) / max(1, len(crystals)),
        "dips": 100 * float(dips.mean()),
        "truth": 1e5
        * metrics.truth_error(
            maps, factors.patterns, truth.maps * at.current, truth.patterns, used_pixels=used
        ),
        "alive": float(np.count_nonzero(length > 1e-6 * length.max())),
    }


Constraints = Callable[[Scene], tuple[Any, ...]]


@dataclass(frozen=True)
class Row:
    """One fit: its name, the constraints for a scene, and what is special about the scene."""

    name: str
    constraints: Constraints
    flicker: float = 0.0
    ellipticity: float = 0.0


def _fixed(*constraints: Any) -> Constraints:
    return lambda _: (*MAPS, *constraints)


def _physics(*constraints: Any, sparse: bool = True) -> Constraints:
    return lambda at: (*MAPS[: 1 + sparse], SpotShape(at.spot), *constraints)


def _centred(kind: Callable[..., Any], off: float = 0.0) -> Constraints:
    """Return the physics and a constraint about a centre that is wrong by so many px along both axes."""

    def constraints(at: Scene) -> tuple[Any, ...]:
        centre = tuple(-axis.offset / axis.scale + off for axis in at.scan.pattern_axes)
        return *_physics()(at), kind(centre=centre)

    return constraints


def _current(of: Callable[[Scene], Any]) -> Constraints:
    return lambda at: (*_physics()(at), TotalIntensity(of(at)))


TABLES: dict[str, tuple[Row, ...]] = {
    "no_dips": (
        Row("resolution, sparse", _fixed()),
        *(Row(f"+ no_dips {weight:g}", _fixed(NoDips(weight))) for weight in (0.3, 1.0, 3.0)),
        Row("+ no_dips 1, reach 2", _fixed(NoDips(1.0, reach=2))),
        Row("+ spot_shape, half as wide", lambda at: (*MAPS, SpotShape(0.5 * at.spot))),
        Row("+ spot_shape", _physics()),
        Row("+ spot_shape + no_dips 1", _physics(NoDips(1.0))),
    ),
    "isotropic": (
        Row("resolution, sparse, spot_shape", _physics()),
        Row("+ isotropic", _centred(Isotropic)),
        Row("+ isotropic, centre wrong by 1 px", _centred(Isotropic, 1.0)),
        Row("patterns elliptical by 4 %", _physics(), ellipticity=0.04),
        Row("+ isotropic, elliptical by 4 %", _centred(Isotropic), ellipticity=0.04),
    ),
    "friedel": (
        Row("resolution, sparse, spot_shape", _physics()),
        Row("+ friedel", _centred(Friedel)),
        Row("+ friedel, centre wrong by 0.5 px", _centred(Friedel, 0.5)),
        Row("+ friedel, centre wrong by 2 px", _centred(Friedel, 2.0)),
    ),
    "total_intensity": (
        Row("beam steady", _physics()),
        Row("beam weaker by 0 to 60 %", _physics(), flicker=0.6),
        Row("+ total_intensity", _current(lambda at: at.current), flicker=0.6),
        Row(
            "+ total_intensity from sums of counts",
            _current(lambda at: np.asarray(at.scan.data).sum(axis=(2, 3), dtype=float)),
            flicker=0.6,
        ),
    ),
    "soft_orthogonal": (
        Row("resolution, spot_shape", _physics(sparse=False)),
        *(
            Row(
                f"+ soft_orthogonal {weight:g}",
                _physics(SoftOrthogonal(weight, spare=1), sparse=False),
            )
            for weight in (0.03, 0.1, 0.3)
        ),
        Row("+ sparse", _physics()),
        Row("+ sparse + soft_orthogonal 0.1", _physics(SoftOrthogonal(0.1, spare=1))),
    ),
    "relevance": (
        Row("resolution, spot_shape", _physics(sparse=False)),
        *(
            Row(f"+ relevance {weight:g}", _physics(Relevance(weight, spare=1), sparse=False))
            for weight in (0.1, 0.3, 1.0)
        ),
        Row("+ sparse", _physics()),
        Row("+ sparse + relevance 0.1", _physics(Relevance(0.1, spare=1))),
        Row("+ sparse + relevance 0.3", _physics(Relevance(0.3, spare=1))),
    ),
}


def measure(row: Row, name: str, dose: float, seed: int, **settings: Any) -> dict[str, float]:
    """Return the columns of one fit of the scene `name`."""
    at = scene(name, dose, seed, row.flicker, row.ellipticity)
    constraints = row.constraints(at)
    # the other start ends in different local minima, whose scatter would hide what a constraint does
    model = NMF(COMPONENTS[name], constraints=constraints, **{"start": "pursuit", **settings})
    total = next((one.total for one in constraints if isinstance(one, TotalIntensity)), 1.0)
    return judged(at, model.factorize(at.scan), total)


def table(
    which: str, doses: Iterable[float], seeds: Iterable[int], *, name: str = "small", **settings: Any
) -> list[dict[str, Any]]:
    """Return one record per dose and row, each column the mean over seeds; prints as it goes."""
    records, seeds = [], tuple(seeds)
    print(
        f"\n## {which}\n\n| electrons | fit | cosine | map | found | dips | truth | alive |\n"
        + "|---" * 8
        + "|"
    )
    for dose in doses:
        for row in TABLES[which]:
            every = [measure(row, name, dose, seed, **settings) for seed in seeds]
            mean = {key: float(np.mean([one[key] for one in every])) for key in every[0]}
            about = {"table": which, "scene": name, "dose": dose, "fit": row.name, "seeds": list(seeds)}
            records.append({**about, **mean})
            print(
                f"| {dose:,.0f} | {row.name} | {mean['cosine']:.3f} | {mean['map']:.3f} | {mean['found']:.0f} "
                f"| {mean['dips']:.1f} | {mean['truth']:.0f} | {mean['alive']:.1f} |",
                flush=True,
            )
    return records


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--scene", choices=list(SCENES), default="small")
    parser.add_argument("--doses", nargs="+", type=float, default=[1e4, 4e4])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4])
    parser.add_argument("--out", type=Path, help="write all records as JSON")
    given = parser.parse_args()
    records = []
    for which in given.only:
        records += table(which, given.doses, given.seeds, name=given.scene)
    if given.out:
        given.out.write_text(json.dumps(records, indent=1))


if __name__ == "__main__":
    main()
