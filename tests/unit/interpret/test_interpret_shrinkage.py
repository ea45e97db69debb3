"""What the penalty on maps takes off them, and that sizes are right once it is put back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from interpret_phantoms import body_map, make_factors, make_groups

from unmixel.dataset.results import Uncertainty
from unmixel.interpret.measure import Measure
from unmixel.interpret.shrinkage import MOST, shrinkage

SPARSE = {"name": "sparse", "weight": 2.0, "side": "maps"}
PROBE = {"name": "resolution", "fwhm": 1.0, "unit": "nm", "side": "maps"}


def factors(maps, *, error, constraints=(SPARSE,), loss="frobenius"):
    made = make_factors(np.ones((len(maps), 8, 8)), maps=maps)
    errors = Uncertainty(np.full(made.maps.shape, error), np.ones(made.patterns.shape), 1.0, "made up")
    return replace(made, uncertainty=errors, settings={"constraints": constraints, "loss": loss})


def disks(height=100.0):
    return height * np.array([body_map((24, 30), [(12, 14, 9.0)])])


def test_a_soft_threshold_is_two_standard_errors_of_a_position_alone() -> None:
    assert shrinkage(factors(disks(), error=4.0)) == pytest.approx([8.0])
    # under a probe the errors of neighbours average out: the norm of its kernel is 0.8
    assert shrinkage(factors(disks(), error=4.0, constraints=(PROBE, SPARSE))) == pytest.approx(
        [6.37], abs=0.01
    )


def test_it_is_a_part_of_the_map_only() -> None:
    assert shrinkage(factors(disks(), error=1e6)) == pytest.approx([MOST * 100])
    assert shrinkage(factors(disks(), error=np.inf)) == pytest.approx([0.0])


@pytest.mark.parametrize(
    "change",
    [
        {"constraints": ()},
        {"loss": "kl"},
        {"loss": {"name": "kl"}},
        {"constraints": ({**SPARSE, "side": "patterns"},)},
    ],
)
def test_without_a_penalty_of_that_kind_nothing_is_lost(change) -> None:
    assert shrinkage(factors(disks(), error=4.0, **change)) == pytest.approx([0.0])


def test_without_standard_errors_nothing_is_known() -> None:
    assert shrinkage(replace(factors(disks(), error=4.0), uncertainty=None)) == pytest.approx([0.0])


def test_spheres_are_as_wide_as_before_the_threshold() -> None:
    lost = 15.0
    off = np.random.default_rng(0).uniform(-1, 1, (3, 3, 2))
    places = [(12 + 20 * i + off[i, j, 0], 15 + 25 * j + off[i, j, 1]) for i in range(3) for j in range(3)]
    whole = 100 * body_map((64, 80), [(y, x, 8.0) for y, x in places], fwhm=1.0, kind="sphere")
    maps = np.maximum(whole - lost, 0)[None]
    made = factors(maps, error=lost / 2 / 0.796, constraints=(PROBE, SPARSE))
    groups = make_groups(made, [0])
    found = Measure(body="sphere").measure(made, groups, seed=0)
    naive = Measure(body="sphere").measure(replace(made, uncertainty=None), groups, seed=0)
    assert found.mean_diameter == pytest.approx(8.0, rel=0.02)
    assert naive.mean_diameter < 7.8
    assert np.mean([p.fit_diameter for p in found.table]) == pytest.approx(8.0, rel=0.02)
