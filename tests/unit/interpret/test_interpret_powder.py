"""Rings of candidates against radii of spots: truth, near-equal lattices, chance, several patterns at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.interpret.phases import identify
from unmixel.interpret.powder import RingIdentifier, ring_radii
from unmixel.physics.cells import built_in
from unmixel.physics.halo import Halo
from unmixel.testing.crystals import SIZE, STEP, View, groups_of

CELLS = built_in()
EVERY = tuple(CELLS[name] for name in ("MgO", "Cu", "Si", "Zr", "TiO2", "Au", "Ag"))


def drawn(name: str, n: int, *, seed: int, scale: float = 1.0, reach: float = 1.25) -> np.ndarray:
    rings = ring_radii(CELLS[name], reach)
    rng = np.random.default_rng(seed)
    picked = rng.choice(rings.radius, size=n, p=rings.weight / rings.weight.sum())
    return scale * (picked + rng.normal(0, 0.004, n))


@pytest.mark.parametrize("name", ["MgO", "Cu", "Si", "Zr", "TiO2"])
def test_spots_on_rings_name_the_phase(name: str) -> None:
    right = [
        RingIdentifier(EVERY).matches(drawn(name, 25, seed=seed, scale=1.01), reach=1.25, inner=0.2)[0]
        for seed in range(8)
    ]
    assert sum(match.phase == name for match in right) >= 7
    best = next(match for match in right if match.phase == name)
    assert best.evidence > 3
    assert best.scale == pytest.approx(1.01, abs=0.01)
    assert 0 < best.score <= 1


def test_silver_and_gold_are_as_likely() -> None:
    found = RingIdentifier(EVERY).matches(drawn("Au", 30, seed=1), reach=1.25)
    assert {match.phase for match in found[:2]} == {"Au", "Ag"}
    assert abs(found[0].probability - found[1].probability) < 0.3


def test_radii_by_chance_are_no_evidence() -> None:
    """Bayes factors against chance exceed 20 in at most a twentieth of all cases of chance."""
    rng = np.random.default_rng(0)
    tops = []
    for _ in range(150):
        radius = np.sqrt(rng.uniform(0.2**2, 1.25**2, 12))
        tops.append(RingIdentifier(EVERY[:1]).matches(radius, reach=1.25, inner=0.2)[0].evidence)
    assert np.mean(np.array(tops) > np.log(20)) <= 0.05
    assert np.median(tops) < 0


def test_patterns_together_say_more_than_each() -> None:
    parts = [drawn("MgO", 4, seed=seed) for seed in range(5)]
    identifier = RingIdentifier(EVERY)
    alone = [identifier.matches(part, reach=1.25, inner=0.2) for part in parts]
    found = identifier.matches(*parts, reach=1.25, inner=0.2)
    assert found[0].phase == "MgO"
    assert found[0].evidence > max(matches[0].evidence for matches in alone)
    assert found[0].ring.shape == (20,)


def test_one_pattern_is_the_same_alone_or_in_a_list() -> None:
    radius = drawn("Cu", 9, seed=3)
    first, again = (RingIdentifier(EVERY).matches(radius, reach=1.2) for _ in range(2))
    assert [m.evidence for m in first] == [m.evidence for m in again]


@settings(max_examples=25, deadline=None)
@given(radius=st.lists(st.floats(0.01, 3.0), max_size=12), tolerance=st.sampled_from([0.0, 0.02, 0.2]))
def test_any_radii(radius: list[float], tolerance: float) -> None:
    identifier = RingIdentifier(EVERY[:2], scale_tolerance=tolerance)
    found = identifier.matches(np.array(radius), reach=1.25, inner=0.1)
    assert len(found) == 2
    assert sum(match.probability for match in found) <= 1 + 1e-12
    for match in found:
        assert np.isfinite(match.evidence)
        assert 0 <= match.score <= 1
        assert match.ring.shape == (len(radius),)
        assert match.ring.max(initial=-1) < len(match.radius)


def test_bad_settings_are_refused() -> None:
    for bad in ({"place_error": 0.0}, {"scale_tolerance": 0.5}, {"scale": -1.0}):
        with pytest.raises(InputError, match="RingIdentifier"):
            RingIdentifier(EVERY, **bad)


def test_several_crystals_in_one_pattern_are_named_by_rings() -> None:
    """Three cubes at once: no single crystal explains it, the radii do."""
    views = [((0, 0, 1), 10.0), ((0, 1, 1), 77.0), ((1, 1, 2), 41.0)]
    clean = [View(rotation_deg=turn, diffuse=0.3).pattern(CELLS["MgO"], axis) for axis, turn in views]
    pattern = np.random.default_rng(0).poisson(40_000 * np.mean(clean, axis=0)).astype(float)
    answer = identify(groups_of([pattern]), EVERY).answers[0]
    assert (answer.phase, answer.by) == ("MgO", "rings"), answer.reason
    assert answer.crystal is None
    assert answer.rings[0].probability > 0.5
    assert "no single crystal" in answer.reason


def test_groups_that_agree_hold_the_others_to_their_scale() -> None:
    axes = [((0, 0, 1), "CuZr"), ((0, 1, 1), "ZrO2"), ((0, 1, 0), "Zr"), ((0, 0, 1), "ZrO2")]
    patterns = [
        View(rotation_deg=20.0 * i, electrons=40_000, scale=1.012, seed=i).pattern(CELLS[name], axis)
        for i, (axis, name) in enumerate(axes)
    ]
    # copper as it would look if the detector's scale were 0.985: no candidate fits at 1.012
    patterns.append(View(electrons=40_000, scale=0.985).pattern(CELLS["Cu"], (0, 1, 1)))
    phases = identify(
        groups_of(patterns), [CELLS[name] for name in ("CuZr", "ZrO2", "Zr", "Cu")], scale_tolerance=0.02
    )
    assert [answer.phase for answer in phases][:4] == ["CuZr", "ZrO2", "Zr", "ZrO2"]
    assert "agree that spatial frequencies are 1.01" in phases.notes[0]


def test_places_and_frequencies_are_each_others_inverse() -> None:
    phases = identify(groups_of([View(electrons=40_000).pattern(CELLS["Cu"], (0, 1, 1))]), ["Cu", "Al"])
    answer = phases.answers[0]
    places = phases.calibration.place(answer.g)
    np.testing.assert_allclose(phases.calibration.g(places), answer.g, atol=1e-12)
    match = answer.matches[0]
    found = match.spot[match.matched]
    off = np.linalg.norm(match.g[match.matched] - answer.g[found], axis=1)
    assert np.sqrt(np.mean(off**2)) == pytest.approx(match.residual, rel=1e-6)


def test_a_glass_has_the_numbers_of_its_halo() -> None:
    y, x = (np.indices((SIZE, SIZE)) - (SIZE - 1) / 2) * STEP
    halo = Halo(0.40).intensity(np.hypot(y, x))
    counts = np.random.default_rng(0).poisson(40_000 * halo / halo.sum())
    phases = identify(groups_of([counts], [False]), EVERY)
    answer = phases.answers[0]
    assert (answer.phase, answer.by) == ("amorphous", "halo")
    ring = answer.strongest_ring
    assert ring is not None
    assert ring.position == pytest.approx(0.40, rel=0.01)
    assert ring.fwhm == pytest.approx(2.355 * 0.08 * 0.40, rel=0.15)
    assert f"{ring.position:.4f}" in answer.reason
    assert phases.table()[0]["ring_1_per_angstrom"] == pytest.approx(ring.position, abs=1e-5)


@pytest.mark.parametrize("name", ["MgO", "Cu", "Au"])
def test_sharp_rings_are_those_of_a_powder(name: str) -> None:
    y, x = (np.indices((SIZE, SIZE)) - (SIZE - 1) / 2) * STEP
    radius, rings = np.hypot(y, x), ring_radii(CELLS[name], 1.25)
    lines = sum(
        w / r * np.exp(-0.5 * ((radius - r) / 0.012) ** 2)
        for r, w in zip(rings.radius, rings.weight, strict=True)
    )
    background = np.exp(-radius / 0.5)
    mean = lines / lines.sum() + background / background.sum()
    counts = np.random.default_rng(1).poisson(3e5 * mean / 2)
    answer = identify(groups_of([counts], [False]), EVERY).answers[0]
    assert answer.by == "rings", answer.reason
    assert answer.phase in ({"Au", "Ag"} if name == "Au" else {name})
    assert len(answer.halo) >= 3
