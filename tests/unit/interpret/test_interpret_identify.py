"""Phase, zone axis, rotation and scale of simulated crystals; near-equal lattices; structures that are not there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.interpret.identify import Identifier
from unmixel.interpret.phases import identify
from unmixel.physics.crystal import Crystal
from unmixel.testing.crystals import View, groups_of, zirconium_alloys

CRYSTALS = {crystal.name: crystal for crystal in zirconium_alloys()}
EVERY = tuple(CRYSTALS.values())


def answer(crystal: Crystal, axis, candidates=EVERY, **view):
    found = View(**view).spots(crystal, axis)
    return Identifier(tuple(candidates), largest=2).answer(found.g, found.intensity, reach=1.1, inner=0.15)


@pytest.mark.parametrize(
    ("name", "axis"),
    [("CuZr", (0, 0, 1)), ("CuZr", (1, 1, 1)), ("CuZr2", (1, 0, 0)), ("ZrCu2Al", (0, 1, 1)), ("ZrO2", (0, 1, 1)),
     ("Zr", (0, 1, 0)), ("Zr", (0, 0, 1)), ("Cu", (1, 1, 2))],
)  # fmt: skip
@pytest.mark.parametrize("rotation", [0.0, 37.3, -151.0])
def test_a_perfect_pattern_is_named(name: str, axis, rotation: float) -> None:
    found = answer(CRYSTALS[name], axis, rotation_deg=rotation, scale=1.01)
    assert found.phase == name, found.reason
    best = found.matches[0]
    assert best.score > 0.95
    assert best.scale == pytest.approx(1.01, abs=2e-3)
    assert best.residual < 2e-3
    assert sorted(map(abs, best.zone_axis)) == sorted(map(abs, axis))
    wanted = View(rotation_deg=rotation, scale=1.01).spots(CRYSTALS[name], axis)
    spacings = np.linalg.norm(wanted.g[best.spot[best.matched]], axis=1) / 1.01
    np.testing.assert_allclose(
        np.linalg.norm(best.hkl[best.matched] @ CRYSTALS[name].reciprocal, axis=1), spacings, rtol=5e-3
    )


def test_rotation_is_that_of_the_view() -> None:
    for turn in (12.0, 33.0):
        best = answer(CRYSTALS["ZrO2"], (0, 1, 1), rotation_deg=turn).matches[0]
        assert best.zone_axis in ((0, 1, 1), (1, 1, 0), (1, 0, 1))
        same = answer(CRYSTALS["ZrO2"], best.zone_axis, rotation_deg=turn).matches[0]
        assert min(abs((same.rotation_deg - turn + 90) % 180 - 90), 90) == pytest.approx(0, abs=0.2)


def test_what_is_not_among_the_candidates_is_unknown() -> None:
    silicon = Crystal.face_centred("Al", 4.9)
    found = answer(silicon, (0, 0, 1), [CRYSTALS["CuZr"], CRYSTALS["Cu"]])
    assert found.phase == "unknown"
    assert "nothing fits" in found.reason
    assert found.best is not None


def test_near_equal_lattices_have_an_honest_margin() -> None:
    silver, gold = Crystal.face_centred("Ag", 4.0862), Crystal.face_centred("Au", 4.0782)
    found = answer(gold, (0, 1, 1), [silver, gold])
    assert found.margin < 0.02
    far = answer(gold, (0, 1, 1), [gold, CRYSTALS["Cu"]])
    assert far.phase == "Au"
    assert far.margin > 0.3


def test_too_few_spots_say_so() -> None:
    found = Identifier(EVERY).answer(np.array([[0.0, 0.3], [0.0, -0.3]]), np.ones(2), reach=1.0)
    assert (found.phase, found.matches, found.best, found.runner_up) == ("unknown", (), None, None)
    assert "2 of the 6 spots" in found.reason
    assert np.isnan(found.margin)


def test_patterns_with_noise_are_named_and_tabled() -> None:
    views = [("CuZr", (0, 0, 1)), ("ZrO2", (0, 1, 1)), ("Zr", (0, 1, 0))]
    patterns = [
        View(rotation_deg=20.0 * i, electrons=40_000, dynamical=0.3, tilt_deg=(1.0, -0.5), seed=i).pattern(
            CRYSTALS[n], a
        )
        for i, (n, a) in enumerate(views)
    ]
    patterns.append(View(diffuse=1.0, electrons=40_000).pattern(CRYSTALS["Cu"], (0, 0, 1)))
    phases = identify(groups_of(patterns, [True, True, True, False]), EVERY, largest=2, scale_tolerance=0.01)
    assert [found.phase for found in phases] == ["CuZr", "ZrO2", "Zr", "amorphous"]
    assert len(phases) == 4
    assert phases.candidates == tuple(CRYSTALS)
    rows = phases.table()
    assert [row["group"] for row in rows] == [0, 1, 2, 3]
    assert rows[0]["runner_up"] in CRYSTALS
    assert rows[0]["margin"] > 0
    assert rows[3]["score"] is None


def test_patterns_in_mrad_and_patterns_without_unit() -> None:
    pattern = View().pattern(CRYSTALS["Cu"], (0, 1, 1))
    groups = groups_of([pattern])
    mrad = replace(
        groups,
        pattern_axes=tuple(Axis(a.name, a.size, a.scale * 19.6875, unit="mrad") for a in groups.pattern_axes),
    )
    assert identify(mrad, [CRYSTALS["Cu"]], voltage_kV=300, largest=1).answers[0].phase == "Cu"
    bare = replace(groups, pattern_axes=tuple(Axis(a.name, a.size) for a in groups.pattern_axes))
    with pytest.raises(InputError, match="1/angstrom"):
        identify(bare, [CRYSTALS["Cu"]])


@pytest.mark.parametrize(
    "given",
    [
        {"candidates": ()},
        {"candidates": (EVERY[0], EVERY[0])},
        {"tolerance": 0.0},
        {"scale_tolerance": 0.5},
        {"least": 2.0},
    ],
)
def test_bad_settings_are_refused(given: dict) -> None:
    with pytest.raises(InputError):
        Identifier(**({"candidates": EVERY} | given))
