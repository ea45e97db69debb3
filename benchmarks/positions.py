"""How well is every position matched with its group?  Tables of docs/decisions/0017-position-by-position.md

    OMP_NUM_THREADS=1 python benchmarks/positions.py [--only halo rotation strangers cost grains]

Simulated patterns with truth; `grains` reads shared/data/orient4d_grains beside the repository and is left out where
that is absent.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from inputs import ROOT

import unmixel
from unmixel.dataset.axes import Axis
from unmixel.dataset.results import Groups
from unmixel.dataset.scan import Scan
from unmixel.interpret.cluster import RotationClusterer
from unmixel.interpret.matcher import PositionMatcher
from unmixel.interpret.positions import match_positions

SHAPE = (64, 64)
CELLS = (((9.0, 0.0), (0.0, 9.0)), ((13.0, 0.0), (6.5, 11.26)), ((8.0, 0.0), (0.0, 14.0)))
PERIODS = np.array([90.0, 60.0, 180.0])
GRAINS = ROOT / ".." / "shared" / "data" / "orient4d_grains" / "scan_32.npz"


def places(shape: tuple[int, int]) -> tuple[Any, Any]:
    v, u = np.indices(shape, dtype=float)
    return (shape[0] - 1) / 2 - v, u - (shape[1] - 1) / 2


def halo(shape: tuple[int, int]) -> Any:
    radius = np.hypot(*places(shape)) * 64 / shape[0]
    rings = np.exp(-(((radius - 13) / 3.5) ** 2)) + 0.35 * np.exp(-(((radius - 22.75) / 5.5) ** 2))
    image = np.where(radius > 5, rings + 0.6 * np.exp(-radius / 10), 0.0)
    return image / image.sum()


def crystal(kind: int, degrees: float, share: float, shape: tuple[int, int] = SHAPE) -> Any:
    """Return spots that hold a share of the counts, the halo the rest."""
    up, right = (place * 64 / shape[0] for place in places(shape))
    (ax, ay), (bx, by) = CELLS[kind]
    h, k = (index.ravel() for index in np.mgrid[-5:6, -5:6])
    x, y = h * ax + k * bx, h * ay + k * by
    reach = np.hypot(x, y)
    height = np.exp(-reach / 15) * (1 + 0.5 * np.cos(2.1 * h * h + 1.3 * k * k + 0.9 * h * k))
    angle, image = np.radians(degrees), np.zeros(shape)
    for i in np.flatnonzero((reach > 0) & (reach <= 45)):
        px, py = x[i] * np.cos(angle) - y[i] * np.sin(angle), x[i] * np.sin(angle) + y[i] * np.cos(angle)
        image += height[i] * np.exp(-((right - px) ** 2 + (up - py) ** 2) / (2 * 1.6**2))
    image *= halo(shape) > 0
    return share * image / image.sum() + (1 - share) * halo(shape)


def scan_of(expected: Any, dose: float, seed: int) -> Scan:
    """Return a scan of Poisson counts; expected has shape (y, x, v, u)."""
    counts = np.random.default_rng(seed).poisson(dose * expected).astype(np.uint16)
    shape = counts.shape[2:]
    axes = tuple(Axis(n, s, offset=-(s - 1) / 2) for n, s in zip("vu", shape, strict=True))
    scan_axes = tuple(Axis(n, s, unit="nm") for n, s in zip("yx", counts.shape[:2], strict=True))
    return Scan(counts, scan_axes, axes, pixel_weights=(halo(shape) > 0).astype(float))


def groups_of(patterns: list[Any], scan: Scan) -> Groups:
    """Return groups that have these patterns."""
    n, used = len(patterns), np.asarray(scan.pixel_weights) > 0
    return Groups(
        np.arange(n), 1 - np.eye(n), np.zeros(n), np.zeros((n - 1, 4)), 0.5, "given", np.array(patterns) * used,
        np.ones((n, *scan.scan_shape)), tuple((s - 1) / 2 for s in scan.pattern_shape), np.ones(n, bool),
        scan.scan_axes, scan.pattern_axes,
    )  # fmt: skip


def off(found: Any, true: Any, period: Any) -> Any:
    return np.abs((found - true + period / 2) % period - period / 2)


def print_halo() -> None:
    print("\npatterns of a halo alone: share with p < 0.01 and < 0.05 (4,900 positions x 3 seeds)")
    expected = np.broadcast_to(halo(SHAPE), (70, 70, *SHAPE))
    for dose in (40_000, 4_000, 1_000, 300, 100):
        for neighbourhood in (0.0, 1.0):
            shares = []
            for seed in range(3):
                scan = scan_of(expected, dose, seed)
                groups = groups_of([crystal(kind, 0, 0.3) for kind in range(3)], scan)
                p = match_positions(
                    scan, groups, matcher=PositionMatcher(neighbourhood=neighbourhood), seed=seed
                ).p_value
                shares.append([(p < 0.01).mean(), (p < 0.05).mean()])
            one, five = np.mean(shares, axis=0)
            print(f"{dose:>7} e, neighbourhood {neighbourhood:g}: {100 * one:.2f} %, {100 * five:.2f} %")


def turned_scene(kinds: tuple[int, ...], share: float, seed: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    kind, rotation = rng.choice(kinds, (20, 20)), rng.uniform(-180, 180, (20, 20))
    expected = np.empty((20, 20, *SHAPE))
    for place in np.ndindex(20, 20):
        expected[place] = crystal(int(kind[place]), rotation[place], share)
    return expected, kind, rotation


def print_rotation() -> None:
    print(
        "\nthree lattices at random rotations, 400 positions: group right (all) | given one, median rotation error"
    )
    for share in (0.3, 0.1):
        expected, kind, rotation = turned_scene((0, 1, 2), share, 1)
        for dose in (40_000, 4_000, 1_000, 300):
            scan = scan_of(expected, dose, 2)
            found = match_positions(scan, groups_of([crystal(k, 0, share) for k in range(3)], scan))
            right = found.group == kind
            error = off(found.rotation_deg, rotation, PERIODS[kind])[right]
            print(
                f"{share:.0%} in spots, {dose:>6} e: {right.mean():.3f} | {(found.group >= 0).mean():.3f}, "
                f"{np.median(error):.2f} deg; similarity {found.similarity.mean():.2f}, "
                f"chance {found.chance.mean():.2f}"
            )


def print_strangers() -> None:
    print("\na lattice that is no group, 400 positions: p < 0.01 | given a group all the same")
    expected, _, _ = turned_scene((2,), 0.3, 1)
    for dose in (40_000, 4_000, 1_000, 300):
        scan = scan_of(expected, dose, 2)
        found = match_positions(scan, groups_of([crystal(k, 0, 0.3) for k in range(2)], scan))
        print(f"{dose:>7} e: {(found.p_value < 0.01).mean():.3f} | {(found.group >= 0).mean():.3f}")


def print_cost() -> None:
    print("\n10,000 patterns of 128 x 128 against 5 groups")
    shape = (128, 128)
    expected = np.broadcast_to(halo(shape), (100, 100, *shape))
    scan = scan_of(expected, 4_000, 0)
    groups = groups_of(
        [crystal(k, a, 0.3, shape) for k, a in ((0, 0), (1, 0), (2, 0), (0, 20), (1, 13))], scan
    )
    start, busy = time.perf_counter(), time.process_time()
    match_positions(scan, groups)
    took, busy = time.perf_counter() - start, time.process_time() - busy
    print(
        f"{took:.1f} s ({busy:.1f} s of a core), {1e3 * took / scan.n_positions:.2f} ms a position, all included"
    )


def print_grains() -> None:
    if not GRAINS.exists():
        print("\ngrains: shared/data/orient4d_grains is not beside the repository")
        return
    print("\nsix grains of two phases (orient4d), rotation error against truth")
    truth = np.load(GRAINS)
    grain, phase, theta, pure = (truth[name] for name in ("grain_id", "phase_id", "theta", "purity"))
    heads = (3, 4)
    for dose in (300, 100, 30):
        counts = np.random.default_rng(0).binomial(truth["data"], dose / 300).astype(np.uint16)
        axes = tuple(Axis(n, 64, offset=-31.5) for n in "vu")
        scan_axes = tuple(Axis(n, 32) for n in "yx")
        used = np.hypot(*places(SHAPE)) > 5
        scan = Scan(counts, scan_axes, axes, pixel_weights=used.astype(float))
        means = [counts[(grain == head) & (pure > 0.99)].mean(axis=0) for head in heads]
        zero = np.array([theta[(grain == head) & (pure > 0.99)].mean() for head in heads])[phase]
        report("true grains", dose, scan, groups_of(means, scan), (phase, theta - zero, pure))
        report("factorised", dose, scan, factorised(scan), (phase, theta, pure))


def factorised(scan: Scan) -> Groups:
    """Return the groups of a plain factorisation into eight components."""
    used = np.asarray(scan.pixel_weights) > 0
    model = unmixel.NMF(8, random_state=0)
    factors = model.factorize(scan)
    assert factors.patterns.shape[1:] == used.shape
    return RotationClusterer().group(factors, seed=0)


def report(name: str, dose: int, scan: Scan, groups: Groups, truth: tuple[Any, Any, Any]) -> None:
    phase, theta, pure = truth
    crystals = np.flatnonzero(groups.crystalline)
    if not crystals.size:
        print(f"{name}, {dose} e: no group has spots")
        return
    for neighbourhood in (0.0, 0.7, 1.0, 1.5):
        found = match_positions(scan, groups, matcher=PositionMatcher(neighbourhood=neighbourhood))
        # a group stands for the phase that most of its positions have
        of = np.array(
            [np.bincount(phase[found.best == g], minlength=2).argmax() for g in range(groups.n_groups)]
        )
        given, right = found.group >= 0, of[found.best] == phase
        period = np.array([60.0, 90.0])[phase]
        turn = -theta  # theta runs clockwise
        if name == "factorised":  # the zero of each group is its own: its median
            for g in crystals:
                here = (found.best == g) & right
                wave = np.exp(2j * np.pi * (found.rotation_deg - turn)[here] / period[here])
                turn = turn + np.where(found.best == g, np.angle(wave.mean()) / (2 * np.pi) * period, 0)
        error = off(found.rotation_deg, turn, period)[given & right]
        clean = pure > 0.99
        print(
            f"{name}, {dose:>3} e, {len(crystals)} groups with spots, neighbourhood {neighbourhood:g}: "
            f"given one {given.mean():.3f} (pure {given[clean].mean():.3f}), of these right "
            f"{right[given].mean():.4f} (pure {right[given & clean].mean():.4f}); rotation {np.median(error):.2f} deg, "
            f"95 % {np.quantile(error, 0.95):.2f}"
        )


TABLES: dict[str, Callable[[], None]] = {
    "halo": print_halo,
    "rotation": print_rotation,
    "strangers": print_strangers,
    "cost": print_cost,
    "grains": print_grains,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=TABLES, default=list(TABLES))
    for table in parser.parse_args().only:
        TABLES[table]()
