"""Bodies fitted to particles: diameters of drawn ones, and which body it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpret_phantoms import body_map, few

from unmixel.interpret.blur import BODIES
from unmixel.interpret.bodies import fit_body, height, likelier_body

SHAPE = (30, 34)
AT = (14.3, 16.8)


def fitted(image, body, *, fwhm=1.5, steps=(1.0, 1.0), **more):
    return fit_body(image, image > image.max() / 2, steps=steps, fwhm=fwhm, body=body, **more)


@few
@given(st.floats(4, 14), st.floats(1.0, 3.0), st.sampled_from(BODIES))
def test_diameters_of_drawn_bodies(diameter, fwhm, body) -> None:
    image = body_map(SHAPE, [(*AT, diameter)], fwhm=fwhm, kind=body)
    found = fitted(image, body, fwhm=fwhm)
    # hardly wider than the probe, the body's edge is lost in it
    assert found.diameter == pytest.approx(diameter, rel=0.03 if fwhm <= diameter / 2 else 0.05)
    assert found.misfit < 0.03


def test_the_sphere_is_1_high_at_its_centre_and_nothing_far_outside() -> None:
    for body in BODIES:
        seen = height(np.array([0.0, 7.5, 40.0]), 12.0, fwhm=0.8, body=body)
        assert seen == pytest.approx([1.0, 0.0, 0.0], abs=0.02)


def test_what_a_penalty_takes_off_is_known() -> None:
    image = np.maximum(body_map(SHAPE, [(*AT, 9.0)], fwhm=1.5, kind="sphere") - 0.15, 0)
    assert fitted(image, "sphere", lost=0.15).diameter == pytest.approx(9.0, rel=0.02)
    assert fitted(image, "sphere").diameter < 8.85


def test_pixels_that_are_not_square_and_other_particles() -> None:
    steps = (1.0, 0.5)
    image = body_map((30, 68), [(14.0, 16.0, 9.0)], fwhm=1.5, steps=steps)
    assert fitted(image, "disk", steps=steps).diameter == pytest.approx(9.0, rel=0.03)
    near = image + 2 * body_map((30, 68), [(14.0, 26.0, 9.0)], fwhm=1.5, steps=steps)
    mask, other = image > 0.5, np.zeros(image.shape, bool)
    other[:, 41:] = True
    found = fit_body(near, mask, steps=steps, fwhm=1.5, body="disk", others=other)
    assert found.diameter == pytest.approx(9.0, rel=0.04)


def test_empty_maps_have_no_fit() -> None:
    empty = np.zeros(SHAPE)
    mask = np.ones(SHAPE, bool)
    assert np.isnan(fit_body(empty, mask, steps=(1.0, 1.0), fwhm=None, body="disk").diameter)


@pytest.mark.parametrize("body", BODIES)
def test_bodies_are_told_apart_under_noise(body) -> None:
    rng = np.random.default_rng(0)
    misfits = []
    for diameter in rng.normal(6.0, 1.0, 8):
        image = rng.poisson(400 * body_map(SHAPE, [(*AT, diameter)], fwhm=1.5, kind=body)).astype(float)
        misfits.append([fitted(image, one).misfit for one in BODIES])
    found = likelier_body(np.array(misfits))
    assert found is not None
    assert found[0] == body


def test_few_or_undecided_particles_decide_nothing() -> None:
    assert likelier_body(np.array([[0.1, 0.05], [0.1, 0.05]])) is None
    assert likelier_body(np.array([[0.1, 0.05], [0.05, 0.1], [0.1, 0.05], [0.05, 0.1]])) is None
    assert likelier_body(np.full((5, 2), np.nan)) is None
