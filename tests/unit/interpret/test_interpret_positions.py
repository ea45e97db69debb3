"""Every position against every group: truth at each position, chance at its stated rate, strangers left alone."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from interpret_phantoms import SYMMETRY_DEG, beam_mask, halo, middle, pattern_axes, scan_axes, spots

import unmixel
from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.dataset.record import StepRecord
from unmixel.dataset.results import Groups
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import wrap
from unmixel.interpret.matcher import PositionMatcher
from unmixel.interpret.positions import match_positions

SHAPE = (50, 46)
PERIOD = np.array(SYMMETRY_DEG)


def scattered(kind, degrees, *, share=0.3, shape=SHAPE, ring=11.0, **how):
    """Return a pattern of sum 1: spots that hold a share, a halo the rest; the beam is masked."""
    used = beam_mask(shape)
    rings = halo(shape=shape, ring=ring) * used
    if kind < 0:
        return rings / rings.sum()
    lattice = spots(kind, degrees, shape=shape, **how) * used
    return share * lattice / lattice.sum() + (1 - share) * rings / rings.sum()


def make_scan(expected, dose, *, seed=0, **fields):
    shape = expected.shape[-2:]
    counts = np.random.default_rng(seed).poisson(np.asarray(dose)[..., None, None] * expected)
    weights = beam_mask(shape).astype(float)
    axes = scan_axes(expected.shape[:-2])
    return Scan(counts.astype(np.uint16), axes, pattern_axes(shape), pixel_weights=weights, **fields)


def make_groups(patterns, *, crystalline=None, center=None):
    patterns = np.asarray(patterns)
    n, shape = len(patterns), patterns.shape[1:]
    return Groups(
        labels=np.arange(n),
        distance=1.0 - np.eye(n),
        rotation_deg=np.zeros(n),
        linkage=np.zeros((n - 1, 4)),
        cut=0.5,
        cut_reason="made up",
        patterns=patterns,
        maps=np.ones((n, 2, 2)),
        center=center or middle(shape),
        crystalline=np.ones(n, bool) if crystalline is None else np.asarray(crystalline),
        scan_axes=scan_axes((2, 2)),
        pattern_axes=pattern_axes(shape),
        used_pixels=np.repeat(beam_mask(shape)[None], n, axis=0),
    )


def quick(**choices):
    """Return a matcher whose level of chance is known less exactly."""
    return PositionMatcher(surrogates=400, **choices)


@cache
def lattices(n=3):
    return make_groups([scattered(kind, 0.0) for kind in range(n)])


@cache
def turned(share=0.3, kinds=(0, 1, 2)):
    """Return expected patterns (10, 16, v, u) with a kind and a rotation of their own at each position."""
    rng = np.random.default_rng(5)
    kind, degrees = rng.choice(kinds, (10, 16)), rng.uniform(-180, 180, (10, 16))
    expected = [scattered(int(k), d, share=share) for k, d in zip(kind.ravel(), degrees.ravel(), strict=True)]
    return np.array(expected).reshape(10, 16, *SHAPE), kind, degrees


def off(found, true, period):
    return np.abs((found - true + period / 2) % period - period / 2)


# measured: medians of 0.06, 0.19 and 0.37 degrees
@pytest.mark.parametrize(
    ("dose", "least", "most"), [(40_000, 1.0, 0.1), (4_000, 1.0, 0.3), (1_000, 0.98, 0.6)]
)
def test_group_and_rotation_of_every_position_are_found(dose, least, most) -> None:
    expected, kind, degrees = turned()
    found = match_positions(make_scan(expected, dose), lattices(), matcher=quick())
    right = found.group == kind
    assert right.mean() >= least
    assert np.median(off(found.rotation_deg, degrees, PERIOD[kind])[right]) < most
    # intensities of the second lattice have no more than half a turn of symmetry, its places a sixth
    assert found.symmetry_deg.tolist() == [90.0, 180.0, 180.0]
    assert np.all(found.margin[right] > 0)
    assert np.all(found.similarity[right] > found.chance[right])
    assert found.similarity.min() >= 0
    assert found.similarity.max() <= 1


# two errors of counting: that of the positions and that of the surrogates that the level comes from
@pytest.mark.parametrize(("dose", "seed"), [(40_000, 1), (1_000, 2), (200, 3)])
def test_a_halo_alone_is_significant_as_often_as_was_said(dose, seed) -> None:
    expected = np.broadcast_to(scattered(-1, 0), (40, 50, *SHAPE))
    found = match_positions(make_scan(expected, dose, seed=seed), lattices(), seed=seed)
    for level in (0.01, 0.05):
        error = np.sqrt(level * (1 - level) / 2000 * 2)
        assert abs(np.mean(found.p_value < level) - level) < 3 * error
    assert np.mean(found.group >= 0) < 0.01 + 3 * np.sqrt(2 * 0.01 / 2000)
    assert np.mean(found.similarity > found.chance) == np.mean(found.p_value < 0.01)


def test_chance_is_that_of_the_position_s_own_dose() -> None:
    dose = np.exp(np.random.default_rng(1).uniform(np.log(50), np.log(20_000), (40, 50)))
    scan = make_scan(np.broadcast_to(scattered(-1, 0), (40, 50, *SHAPE)), dose)
    found = match_positions(scan, lattices())
    assert np.corrcoef(np.log(found.electrons.ravel()), np.log(dose.ravel()))[0, 1] > 0.99
    for part in (dose < 500, dose > 2000):
        assert abs(np.mean(found.p_value[part] < 0.05) - 0.05) < 4 * np.sqrt(0.05 / part.sum())


def test_a_lattice_that_is_no_group_is_none_although_no_chance() -> None:
    shape, rng = (64, 64), np.random.default_rng(5)
    expected = [scattered(2, d, shape=shape, ring=13.0) for d in rng.uniform(-180, 180, 60)]
    groups = make_groups([scattered(kind, 0.0, shape=shape, ring=13.0) for kind in (0, 1)])
    found = match_positions(
        make_scan(np.array(expected).reshape(6, 10, *shape), 40_000), groups, matcher=quick()
    )
    assert np.mean(found.p_value < 0.01) > 0.9
    assert np.mean(found.group >= 0) < 0.02
    assert np.all(found.agreement[found.p_value < 0.01] < found.unrelated.min())


def test_neighbours_help_where_counts_are_few() -> None:
    expected = np.array([scattered(0, 10.0), scattered(1, 25.0)])[np.repeat([[0] * 7 + [1] * 7], 12, axis=0)]
    truth = np.repeat([[0] * 7 + [1] * 7], 12, axis=0)
    scan = make_scan(expected, 120)
    alone = match_positions(scan, lattices(), matcher=quick())
    averaged = match_positions(scan, lattices(), matcher=quick(neighbourhood=1.0))
    assert np.mean(alone.group == truth) < 0.7
    assert np.mean(averaged.group == truth) > 0.95
    assert "averaged over neighbours, Gaussian sigma 1 positions" in averaged.method
    assert "each pattern alone" in alone.method
    assert averaged.electrons.mean() > 5 * alone.electrons.mean()


def test_mirror_images_count_only_where_they_are_asked_for() -> None:
    rng = np.random.default_rng(2)
    heights = rng.uniform(0.1, 1.0, 7)
    places = [(9, 3), (14, 7), (6, 11), (11, -8), (-5, 12), (-13, 4), (-8, -9)]

    def flag(mirrored):
        v, u = np.indices(SHAPE, dtype=float)
        up, right = middle(SHAPE)[0] - v, u - middle(SHAPE)[1]
        up = -up if mirrored else up
        lattice = sum(
            h * np.exp(-((right - x) ** 2 + (up - y) ** 2) / 5)
            for h, (x, y) in zip(heights, places, strict=True)
        )
        return 0.4 * lattice / lattice.sum() + 0.6 * scattered(-1, 0)

    groups = make_groups([flag(False) * beam_mask(SHAPE)])
    scan = make_scan(np.broadcast_to(flag(True) * beam_mask(SHAPE), (3, 4, *SHAPE)), 20_000)
    plain = match_positions(scan, groups, matcher=quick())
    both = match_positions(scan, groups, matcher=quick(mirror=True))
    assert np.all(plain.group == -1)
    assert not plain.mirrored.any()
    assert np.all(both.group == 0)
    assert both.mirrored.all()
    assert np.abs(both.rotation_deg).max() < 2.0
    assert plain.symmetry_deg[0] == 360.0
    assert np.isnan(plain.runner_up).all()


def test_background_is_taken_out_and_never_matched() -> None:
    ghost = scattered(2, 33.0, share=0.5)
    crystal = 0.5 * scattered(0, 20.0, share=0.5) + 0.5 * ghost
    expected = np.array([ghost, crystal])[np.repeat([[0] * 5 + [1] * 5], 8, axis=0)]
    groups = make_groups([0.5 * scattered(0, 0.0, share=0.5) + 0.5 * scattered(-1, 0), ghost])
    scan = make_scan(expected, 10_000)
    bare = match_positions(scan, groups, matcher=quick())
    found = match_positions(scan, groups, matcher=quick(background=(1,)))
    assert np.all(bare.group[:, :5] == 1)
    assert np.mean(found.group[:, :5] == -1) > 0.9
    assert np.all(found.group[:, 5:] == 0)
    assert np.median(off(found.rotation_deg[:, 5:], 20.0, 90.0)) < 0.5
    assert np.isnan(found.symmetry_deg[1])
    assert "group 1 taken out as background" in found.method


def test_groups_without_spots_are_background_unless_something_else_is_said() -> None:
    groups = make_groups([scattered(0, 0.0), scattered(-1, 0)], crystalline=[True, False])
    scan = make_scan(np.broadcast_to(scattered(-1, 0), (3, 4, *SHAPE)), 4_000)
    assert "group 1 taken out" in match_positions(scan, groups, matcher=quick()).method
    found = match_positions(scan, groups, matcher=quick(background=()))
    assert "taken out" not in found.method
    assert np.isnan(found.runner_up).all()
    assert not np.any(found.best == 1)


def test_pixels_that_are_not_square_turn_in_space() -> None:
    shape, steps = (46, 30), (1.0, 1.6)
    used = beam_mask(shape, radius=4.0)

    def stretched(degrees):
        lattice = spots(0, degrees, shape=shape, steps=steps) * used
        return lattice / lattice.sum()

    axes = pattern_axes(shape, scales=(0.01, 0.016))
    groups = replace(make_groups([stretched(0.0)]), pattern_axes=axes, used_pixels=used[None])
    degrees = np.linspace(-40, 40, 12)
    counts = np.random.default_rng(0).poisson(20_000 * np.array([stretched(d) for d in degrees]))
    scan = Scan(counts, scan_axes((12,)), axes, pixel_weights=used.astype(float))
    found = match_positions(scan, groups, matcher=quick())
    assert np.all(found.group == 0)
    assert off(found.rotation_deg, degrees, 90.0).max() < 0.5


def test_a_beam_stop_is_left_out() -> None:
    expected, kind, degrees = turned()
    scan = make_scan(expected[:3], 4_000)
    stop = np.array(scan.pixel_weights)
    stop[22:28, : SHAPE[1] // 2] = 0.0
    counts = np.where(stop > 0, scan.data, 60_000)  # whatever stands there
    found = match_positions(replace(scan, data=counts, pixel_weights=stop), lattices(), matcher=quick())
    assert np.mean(found.group == kind[:3]) > 0.97
    assert np.median(off(found.rotation_deg, degrees[:3], PERIOD[kind[:3]])) < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [0.0, 0.6])
def test_lazy_data_give_the_same_and_are_never_loaded_whole(sigma) -> None:
    class Watched:
        def __init__(self, values):
            self.values, self.largest = values, 0
            self.shape, self.dtype, self.ndim = values.shape, values.dtype, values.ndim

        def __getitem__(self, key):
            part = self.values[key]
            self.largest = max(self.largest, part.nbytes)
            return part

    expected, _, _ = turned()
    scan = make_scan(expected, 2_000)
    source = Watched(scan.data)
    lazy = replace(scan, data=wrap(source, chunks=(2, 4, *SHAPE)))
    matcher = quick(neighbourhood=sigma)
    one = match_positions(scan, lattices(), matcher=matcher)
    other = match_positions(lazy, lattices(), matcher=matcher, memory_budget=2_000_000)
    np.testing.assert_array_equal(one.group, other.group)
    np.testing.assert_allclose(one.similarity, other.similarity, atol=1e-4)
    assert 0 < source.largest < 0.5 * scan.data.nbytes


@pytest.mark.parametrize("gain", [1.0, 8.0])
def test_counts_are_electrons_times_the_gain(gain) -> None:
    expected, kind, _ = turned()
    scan = make_scan(expected[:2], 3_000)
    record = StepRecord("poisson_weights", {}, "", values={"gain": gain})
    found = match_positions(
        replace(scan, data=scan.data * int(gain), history=(record,)), lattices(), matcher=quick()
    )
    assert found.electrons.mean() == pytest.approx(3_000, rel=0.02)
    assert np.mean(found.group == kind[:2]) == 1.0


def test_positions_that_are_left_out_or_empty_have_no_answer() -> None:
    expected, _, _ = turned()
    scan = make_scan(expected[:2], 3_000)
    weights = np.ones((2, 16))
    weights[0, 3] = 0.0
    data = scan.data.copy()
    data[1, 5] = 0
    found = match_positions(replace(scan, data=data, position_weights=weights), lattices(), matcher=quick())
    for place in ((0, 3), (1, 5)):
        assert found.group[place] == found.best[place] == -1
        assert np.isnan(found.similarity[place])
        assert found.p_value[place] == 1.0
    assert np.sum(found.best < 0) == 2


@pytest.mark.parametrize(("shape", "seed"), [((5,), 0), ((1, 4), 1), ((2, 2, 3), 2), ((), 3)])
def test_any_scan_shape_is_kept_and_a_seed_repeats(shape, seed) -> None:
    groups = make_groups([scattered(0, 0.0, shape=(24, 22))])
    n = int(np.prod(shape))
    expected = np.broadcast_to(scattered(0, 30.0, shape=(24, 22)), (n, 24, 22)).reshape(*shape, 24, 22)
    counts = np.random.default_rng(seed).poisson(5_000 * expected)
    axes = tuple(Axis(f"s{i}", size) for i, size in enumerate(shape))
    scan = Scan(counts, axes, groups.pattern_axes)
    one, two = (match_positions(scan, groups, matcher=quick(), seed=seed) for _ in range(2))
    assert one.group.shape == one.p_value.shape == one.chance.shape == shape
    np.testing.assert_array_equal(one.p_value, two.p_value)


def refused(match, *, scan=None, groups=None, **how):
    with pytest.raises(InputError, match=match):
        match_positions(
            scan or make_scan(np.broadcast_to(scattered(-1, 0), (2, 2, *SHAPE)), 100),
            groups or lattices(),
            matcher=PositionMatcher(**how),
        )


def test_what_does_not_fit_is_refused() -> None:
    refused("match_positions: .*46", scan=make_scan(np.ones((2, 2, 20, 20)), 1))
    refused("match_positions", groups=replace(lattices(), center=()))
    refused("groups: expected at least one with spots", background=(0, 1, 2))
    refused("groups", groups=replace(lattices(), crystalline=np.zeros(3, bool)))
    refused("background: expected groups from 0 to 2", background=(3,))
    refused("PositionMatcher", significance=0.0)
    refused("PositionMatcher", neighbourhood=-1.0)
    refused("PositionMatcher", surrogates=10)
    scan = make_scan(np.broadcast_to(scattered(-1, 0), (2, 2, *SHAPE)), 100)
    refused("scan: expected finite counts", scan=replace(scan, data=scan.data * np.nan))
    refused("scan: expected finite counts", scan=replace(scan, data=scan.data * 0))
    masked = np.where(np.asarray(scan.pixel_weights) > 0, scan.data, np.nan)
    assert np.isfinite(
        match_positions(replace(scan, data=masked), lattices(), matcher=quick()).similarity
    ).all()
    refused("used pixels", scan=replace(scan, pixel_weights=np.zeros(SHAPE)))


GRAINS = Path(__file__).parents[3] / ".." / "shared" / "data" / "orient4d_grains" / "scan_32.npz"


@pytest.mark.real
@pytest.mark.parametrize(("neighbourhood", "most"), [(0.0, 0.3), (0.7, 0.3)])
def test_grains_of_two_phases_are_told_apart(neighbourhood, most) -> None:
    if not GRAINS.exists():
        pytest.skip("the simulated grains are not beside the repository")
    truth = np.load(GRAINS)
    grain, phase, theta, pure = (truth[n] for n in ("grain_id", "phase_id", "theta", "purity"))
    v, u = np.indices((64, 64)) - 31.5
    used = np.hypot(v, u) > 5
    heads = [(grain == head) & (pure > 0.99) for head in (3, 4)]
    groups = make_groups([truth["data"][head].mean(axis=0) * used for head in heads])
    groups = replace(groups, used_pixels=np.repeat(used[None], 2, axis=0))
    scan = Scan(truth["data"], scan_axes((32, 32)), pattern_axes((64, 64)), pixel_weights=used.astype(float))
    found = match_positions(scan, groups, matcher=quick(neighbourhood=neighbourhood))
    zero = np.array([theta[head].mean() for head in heads])[phase]
    clean = pure > 0.99
    assert found.symmetry_deg.tolist() == [60.0, 90.0]
    assert np.mean((found.group == phase)[clean]) > 0.995
    assert np.mean(found.group == phase) > 0.98
    error = off(found.rotation_deg, zero - theta, np.array([60.0, 90.0])[phase])  # theta runs clockwise
    assert np.median(error[clean]) < most


@pytest.mark.real
def test_most_positions_beside_the_measured_cubes_are_none() -> None:
    from unmixel.prepare.center import Center
    from unmixel.prepare.masks import MaskBeam
    from unmixel.prepare.weights import PoissonWeights

    root = Path(__file__).parents[3]
    scan = unmixel.open(root / "examples" / "data" / "mgo_crop.hspy")
    for step in (Center(), MaskBeam(), PoissonWeights()):
        scan = step.apply(scan)
    counts, used = np.asarray(scan.data), np.asarray(scan.pixel_weights) > 0
    # film above, one cube below: what a factorisation finds too
    patterns = [counts[18:26, 3:12].mean(axis=(0, 1)) * used, counts[:3, 22:].mean(axis=(0, 1)) * used]
    center = tuple(-axis.offset / axis.scale for axis in scan.pattern_axes)
    groups = replace(
        make_groups(patterns, center=center),
        pattern_axes=scan.pattern_axes,
        used_pixels=np.repeat(used[None], 2, axis=0),
    )
    found = match_positions(scan, groups, matcher=quick(background=(1,)))
    assert np.mean(found.group[:4, 18:] == -1) > 0.95
    assert np.all(found.group[14:, :16] == 0)
    assert np.abs(found.rotation_deg[14:, :16]).max() < 3.0
