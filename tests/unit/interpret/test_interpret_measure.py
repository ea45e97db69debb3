"""Particles against known truth: sizes, places, counts, borders, touching crystals."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from interpret_phantoms import body_map, make_factors, make_groups, scan_axes

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.interpret.measure import Measure

FIELD = (64, 80)


def disks(n, *, mean=8.0, spread=0.2, shape=FIELD, seed=0, margin=12.0):
    """Return well separated (y, x, diameter): one in each cell of a grid."""
    rng = np.random.default_rng(seed)
    rows, columns = shape[0] // 20, shape[1] // 20
    cells = [(20 * i + 10, 20 * j + 10) for i in range(rows) for j in range(columns)][:n]
    sizes = mean * np.exp(spread * rng.normal(size=len(cells)))
    return [
        (y + rng.uniform(-2, 2), x + rng.uniform(-2, 2), float(d))
        for (y, x), d in zip(cells, sizes, strict=True)
    ]


def measured(maps, *, labels=None, on=None, measure=None, settings=None, **groups):
    maps = np.asarray(maps)
    factors = make_factors(np.ones((len(maps), 8, 8)), maps=maps, on=on)
    if settings:
        factors = replace(factors, settings=settings)
    labels = np.zeros(len(maps), int) if labels is None else labels
    return (measure or Measure(fwhm=None)).measure(factors, make_groups(factors, labels, **groups), seed=0)


@pytest.mark.parametrize("fwhm", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("body", ["disk", "sphere"])
@pytest.mark.parametrize("mean", [6.0, 10.0])
def test_mean_diameter_of_blurred_bodies(fwhm, body, mean) -> None:
    truth = disks(12, mean=mean)
    image = np.random.default_rng(1).poisson(2000 * body_map(FIELD, truth, fwhm=fwhm, kind=body) + 20)
    particles = measured([image], measure=Measure(fwhm=fwhm, body=body))
    assert len(particles.table) == len(truth)
    sizes = [d for _, _, d in truth]
    assert particles.mean_diameter == pytest.approx(np.mean(sizes), rel=0.05)
    assert particles.median_diameter == pytest.approx(np.median(sizes), rel=0.06)
    low, high = particles.mean_interval
    assert low < particles.mean_diameter < high


@pytest.mark.parametrize("body", ["disk", "sphere"])
def test_body_is_judged_from_the_edges(body) -> None:
    truth = disks(12, mean=10.0)
    image = body_map(FIELD, truth, fwhm=2.0, kind=body)
    particles = measured([image], measure=Measure(fwhm=2.0))
    assert particles.mean_diameter == pytest.approx(np.mean([d for _, _, d in truth]), rel=0.03)
    assert any(note.startswith(f"body: {body}; judged") for note in particles.notes)


def test_places_areas_and_order() -> None:
    truth = disks(12)
    particles = measured([body_map(FIELD, truth, fwhm=1.0)])
    places = {(round(p.y / 20 - 0.5), round(p.x / 20 - 0.5)): p for p in particles.table}
    for y, x, d in truth:
        found = places[round(y / 20 - 0.5), round(x / 20 - 0.5)]
        assert (found.y, found.x) == pytest.approx((y, x), abs=0.15)
        assert found.area == pytest.approx(math.pi * d**2 / 4, rel=0.1)
        assert found.diameter == pytest.approx(2 * math.sqrt(found.area / math.pi))
    assert [p.id for p in particles.table] == list(range(1, 13))
    assert list(np.diff([p.area for p in particles.table]) <= 0) == [True] * 11
    for p in particles.table:
        assert (particles.labels[0] == p.id).sum() == pytest.approx(p.area)


def test_pixels_that_are_not_square_units_and_offsets() -> None:
    steps, unit = (2.0, 0.5), "nm"
    on = (
        Axis("y", 30, scale=2.0, offset=100.0, unit=unit),
        Axis("x", 160, scale=-0.5, offset=7.0, unit=unit),
    )
    truth = [(20.0, 30.0, 12.0), (40.0, 60.0, 9.0)]
    image = body_map((30, 160), truth, steps=steps)
    particles = measured([image], on=on)
    assert [p.area for p in particles.table] == pytest.approx([math.pi * 36, math.pi * 81 / 4], rel=0.1)
    assert particles.table[0].y == pytest.approx(120.0, abs=0.2)
    assert particles.table[0].x == pytest.approx(7.0 - 30.0, abs=0.2)
    scanned = 30 * 160 * 1.0
    assert particles.number_density == pytest.approx(2 / scanned)
    assert particles.area_fraction == pytest.approx((math.pi * 36 + math.pi * 81 / 4) / scanned, rel=0.05)
    assert particles.unit == "nm"


def test_border_particles_are_flagged_and_left_out_of_sizes() -> None:
    image = body_map((40, 60), [(20, 20, 8.0), (20, 59, 20.0)])
    particles = measured([image])
    assert sorted(p.on_border for p in particles.table) == [False, True]
    assert particles.mean_diameter == pytest.approx(8.0, rel=0.05)
    assert particles.number_density == pytest.approx(1.5 / 2400)
    assert any("border" in note for note in particles.notes)


def test_large_particles_are_not_missed_in_the_mean() -> None:
    # discs anywhere, cut by the frame or not: the plain mean of the whole ones is too small
    rng = np.random.default_rng(3)
    plain, weighted = [], []
    for _ in range(12):
        cells = [(y, x) for y in range(0, 100, 24) for x in range(0, 120, 24)]
        shift = rng.uniform(-12, 12, 2)
        bodies = [(y + shift[0], x + shift[1], float(rng.choice([6.0, 18.0]))) for y, x in cells]
        maps = [body_map((72, 90), bodies, fine=2)]
        plain.append(measured(maps, measure=Measure(fwhm=None, edges="plain")).mean_diameter)
        weighted.append(measured(maps).mean_diameter)
    assert np.mean(plain) < 11.3
    assert np.mean(weighted) == pytest.approx(12.0, rel=0.04)


def test_shape_and_size_by_fit() -> None:
    long = np.zeros((40, 60))
    long[15:19, 20:32] = 1.0
    (flat,) = measured([long]).table
    assert flat.aspect_ratio == pytest.approx(3.0)
    truth = disks(12)
    particles = measured([body_map(FIELD, truth, fwhm=2.0)], measure=Measure(fwhm=2.0, body="disk"))
    assert np.mean([p.fit_diameter for p in particles.table]) == pytest.approx(
        np.mean([d for _, _, d in truth]), rel=0.02
    )
    assert max(p.aspect_ratio for p in particles.table) < 1.25
    cut = measured([body_map((40, 60), [(20, 59, 20.0)])])
    assert math.isnan(cut.table[0].fit_diameter)


@pytest.mark.parametrize("body", ["disk", "sphere"])
def test_volume_fraction_of_a_known_thickness(body) -> None:
    truth = disks(12)
    image = body_map(FIELD, truth, fwhm=1.0, kind=body)
    found = measured([image], measure=Measure(fwhm=1.0, body=body, thickness=30.0, edges="plain"))
    sizes = np.array([d for _, _, d in truth])
    volume = np.sum(math.pi / 6 * sizes**3) if body == "sphere" else np.sum(math.pi / 4 * sizes**2) * 30
    assert found.volume_fraction == pytest.approx(volume / (FIELD[0] * FIELD[1] * 30), rel=0.08)
    assert any("volume fraction" in note for note in found.notes)
    assert math.isnan(measured([image]).volume_fraction)


def test_touching_crystals_of_one_kind_count_one_by_one() -> None:
    left, right = body_map((40, 60), [(20, 20, 14.0)]), body_map((40, 60), [(20, 33, 14.0)])
    particles = measured([left, right])
    assert len(particles.table) == 2
    assert {p.component for p in particles.table} == {0, 1}
    assert particles.mean_diameter == pytest.approx(14, rel=0.03)


def test_one_crystal_split_among_components_counts_once() -> None:
    whole = body_map((40, 60), [(20, 20, 14.0)])
    share = np.random.default_rng(0).random(whole.shape)
    particles = measured([whole * share, whole * (1 - share)], one_crystal=[(0, 1)])
    (particle,) = particles.table
    assert particle.diameter == pytest.approx(14, rel=0.03)
    assert particle.component == 0
    # without agreement of the unturned patterns the same maps are two crystals, one seen behind the other
    assert len(measured([whole, whole * 0.9], labels=[0, 1]).table) == 1


def test_overlapping_crystals_of_two_kinds_both_count() -> None:
    one, other = body_map((40, 60), [(20, 22, 16.0)]), body_map((40, 60), [(20, 32, 16.0)])
    particles = measured([one, 0.8 * other], labels=[0, 1])
    assert [p.group for p in particles.table] == [0, 1]
    assert particles.labels.shape == (2, 40, 60)
    union = ((one > 0.5) | (other > 0.5)).mean()
    assert particles.area_fraction == pytest.approx(union, rel=0.03)


def test_leakage_of_a_strong_crystal_is_no_particle() -> None:
    strong = 10 * body_map((40, 60), [(20, 15, 12.0)])
    weak = body_map((40, 60), [(20, 45, 12.0)]) + 0.5 * body_map((40, 60), [(20, 15, 8.0)])
    particles = measured([strong, weak])
    assert len(particles.table) == 2
    assert any("leakage" in note for note in particles.notes)


def test_a_side_region_under_a_stronger_crystal_of_its_kind_is_leakage() -> None:
    strong = 10 * body_map((40, 60), [(20, 15, 14.0)])
    weak = 8 * body_map((40, 60), [(20, 45, 12.0)]) + 6 * body_map((40, 60), [(22, 17, 6.0)])
    assert len(measured([strong, weak]).table) == 2
    # a crystal of another kind may well lie upon it
    assert len(measured([strong, weak], labels=[0, 1]).table) == 3


def test_groups_without_spots_are_measured_on_demand_in_their_sum() -> None:
    maps = [body_map((40, 60), [(20, 15, 10.0)]), body_map((40, 60), [(20, 45, 10.0)])]
    particles = measured(maps, crystalline=[False])
    assert particles.table == ()
    assert math.isnan(particles.mean_diameter)
    assert all(math.isnan(x) for x in particles.mean_interval + particles.median_interval)
    assert (particles.number_density, particles.area_fraction) == (0.0, 0.0)
    assert any("without spots" in note for note in particles.notes)
    asked = measured(maps, crystalline=[False], measure=Measure(fwhm=None, crystalline_only=False))
    assert [p.component for p in asked.table] == [-1, -1]


def test_spectra_have_no_spots_and_are_all_measured() -> None:
    maps = np.array([body_map((40, 60), [(20, 15, 10.0)])])
    factors = make_factors(np.ones((1, 30)), maps=maps, axes=(Axis("energy", 30, unit="eV"),))
    particles = Measure(fwhm=None).measure(factors, make_groups(factors, [0], crystalline=[False]), seed=0)
    assert len(particles.table) == 1


@pytest.mark.parametrize(
    "flag", ["camera artefact? (counts at the rim)", "looks like noise", "map fills the scan"]
)
def test_flagged_components_are_not_measured(flag) -> None:
    maps = np.array([body_map((40, 60), [(20, 15, 10.0)]), body_map((40, 60), [(20, 45, 10.0)])])
    factors = make_factors(np.ones((2, 8, 8)), maps=maps, flags=((flag,), ("edge of scan only",)))
    particles = Measure(fwhm=None).measure(factors, make_groups(factors, [0, 0]), seed=0)
    assert [p.component for p in particles.table] == [1]
    assert any("components 0 are not measured" in note for note in particles.notes)


def test_probe_comes_from_the_constraint() -> None:
    truth = disks(12, mean=6.0)
    maps = [body_map(FIELD, truth, fwhm=3.0)]
    constraint = {"name": "resolution", "fwhm": 3.0, "unit": "nm"}
    found = measured(maps, measure=Measure(body="disk"), settings={"constraints": [constraint]})
    direct = measured(maps, measure=Measure(fwhm=3.0, body="disk"))
    assert found.mean_diameter == direct.mean_diameter
    other = {"name": "resolution", "fwhm": 3.0, "unit": "px"}
    unknown = measured(maps, measure=Measure(), settings={"constraints": [other]})
    assert any("no correction" in note for note in unknown.notes)


def test_particles_smaller_than_the_probe_are_said_to_be() -> None:
    image = body_map((40, 60), [(20, 15, 0.7), (20, 45, 0.7)], fwhm=5.0)
    particles = measured([image], measure=Measure(fwhm=5.0, body="disk"))
    assert particles.mean_diameter == pytest.approx(2.5)
    assert any("not wider than the probe" in note for note in particles.notes)


def test_smallest_area() -> None:
    image = body_map((40, 60), [(20, 15, 10.0), (20, 45, 5.0)])
    assert len(measured([image]).table) == 2
    assert len(measured([image], measure=Measure(fwhm=None, least_area=40.0)).table) == 1
    # a region much smaller than the probe's own image cannot be real
    assert len(measured([image], measure=Measure(fwhm=8.0)).table) == 1


def test_scale_and_seed() -> None:
    truth = disks(12)
    image = body_map(FIELD, truth)
    one, louder = measured([image]), measured([image * 1e5])
    assert [p.area for p in one.table] == [p.area for p in louder.table]
    assert one.mean_interval == louder.mean_interval


def test_one_whole_particle_has_no_interval() -> None:
    particles = measured([body_map((40, 60), [(20, 15, 10.0)])])
    assert particles.mean_diameter == particles.median_diameter == pytest.approx(10, rel=0.03)
    assert all(math.isnan(x) for x in particles.mean_interval)
    assert any("no confidence interval" in note for note in particles.notes)


def test_uncalibrated_scans_are_in_px_and_say_so() -> None:
    on = scan_axes((40, 60), unit="px")
    particles = measured([body_map((40, 60), [(20, 15, 10.0)])], on=on)
    assert particles.unit == "px"
    assert any("not calibrated" in note for note in particles.notes)


@pytest.mark.parametrize(
    "on", [(Axis("x", 60, unit="nm"),), (Axis("y", 6, unit="nm"), Axis("x", 10, unit="px"))]
)
def test_line_scans_and_mixed_units_are_refused(on) -> None:
    maps = np.ones((1, *(axis.size for axis in on)))
    with pytest.raises(InputError, match="scan axes"):
        measured(maps, on=on)


@pytest.mark.parametrize(
    "wrong",
    [
        {"fwhm": -1.0}, {"fwhm": math.nan}, {"fwhm": "wide"}, {"least_area": -1.0}, {"least_contrast": 0.0},
        {"least_contrast": 1.0}, {"body": "cube"}, {"edges": "all"}, {"thickness": 0.0},
    ],
)  # fmt: skip
def test_wrong_parameters_are_refused(wrong) -> None:
    with pytest.raises(InputError):
        Measure(**wrong)
