"""Patterns drawn anew: places count, intensities hardly; rotations by least squares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpret_phantoms import beam_mask, few, middle, pattern_axes, spots

from unmixel.interpret.correlate import all_pairs, spectra
from unmixel.interpret.drawing import drawn, places_of, refined
from unmixel.interpret.polar import polar_grid

SHAPE = (64, 64)
USED = beam_mask(SHAPE)


def places(patterns, used=USED, steps=(1.0, 1.0)):
    return places_of(np.asarray(patterns), used, middle(used.shape), steps=steps)


def alike(found, axes=None):
    grid = polar_grid(axes or pattern_axes(found.used.shape), found.used, center=found.center)
    return all_pairs(spectra(grid.anomaly(drawn(found, grid)), grid.used, grid.radii)).similarity


def tilted(image, degrees, width=8.0):
    """Return a pattern of which tilt leaves a strip: Gaussian across a line through the centre."""
    v, u = np.indices(SHAPE) - 31.5
    across = u * np.sin(np.radians(degrees)) + v * np.cos(np.radians(degrees))
    return image * np.exp(-((across / width) ** 2) / 2)


def test_tilt_costs_less_than_another_lattice() -> None:
    one, other = spots(0, 20.0), spots(1, 20.0)
    found = alike(places([one, tilted(spots(0, 50.0), 10.0), other]))
    assert found[0, 1] > 0.6 > found[0, 2]


@few
@given(st.floats(0, 360), st.sampled_from([0, 1, 2]))
def test_turned_copies_are_alike(angle, kind) -> None:
    assert alike(places([spots(kind, 3.0), spots(kind, angle)]))[0, 1] > 0.9


def test_places_under_a_mask_and_at_the_rim_are_left_out() -> None:
    used = USED.copy()
    used[:, 40:44] = False
    found = places([spots(0, 10.0)], used)
    v, u = np.round(found.spots[0].place).astype(int).T
    assert found.used[v, u].all()
    assert not (found.used & ~used).any()
    assert not found.used[[0, -1]].any()
    assert not found.used[:, [0, -1, 39, 44]].any()
    assert len(found.spots[0])


def test_pixels_that_are_not_square() -> None:
    shape, steps = (40, 80), (2.0, 1.0)
    images = [spots(2, angle, shape=shape, steps=steps) for angle in (10.0, 55.0)]
    used = np.ones(shape, bool)
    used[15:25, 33:47] = False
    found = places(images, used, steps)
    assert np.linalg.norm(found.of(0), axis=1).max() < 50
    axes = pattern_axes(shape, scales=steps)
    assert alike(found, axes)[0, 1] > 0.8


def test_nothing_is_drawn_of_nothing() -> None:
    found = places([np.zeros(SHAPE)])
    grid = polar_grid(pattern_axes(SHAPE), found.used, center=found.center)
    assert not drawn(found, grid).any()


@few
@given(st.floats(-170, 170), st.floats(-2, 2))
def test_rotation_is_refined(angle, wrong) -> None:
    rng = np.random.default_rng(0)
    images = [rng.poisson(200 * spots(2, turn) + 1) for turn in (5.0, 5.0 + angle)]
    assert refined(places(images), (0, 1), angle + wrong) == pytest.approx(angle, abs=0.3)


def test_mirrored_rotation_is_refined() -> None:
    images = [spots(2, 0.0), spots(2, 40.0, mirror=True)]
    assert refined(places(images), (0, 1), 41.0, mirrored=True) == pytest.approx(40.0, abs=0.1)


def test_without_common_spots_the_rotation_stays() -> None:
    found = places([spots(0, 0.0), np.zeros(SHAPE)])
    assert refined(found, (0, 1), 12.0) == 12.0
