"""Rings of a glass give back the ellipse that made them, whatever they are rings of."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.core.errors import InputError
from unmixel.interpret.determined import step
from unmixel.interpret.ellipse import fit_ellipse
from unmixel.testing.cameras import Camera

CAMERA = Camera(center=(48.3, 46.9), scale=0.0125, ratio=1.02, angle_deg=35.0)


def fitted(camera, electrons, seed=0, **more):
    image = camera.glass(electrons=electrons, seed=seed)
    return fit_ellipse(image, (47.0, 48.0), inner=15, outer=44, **more)


@pytest.mark.slow
def test_an_ellipse_of_two_percent_is_found_to_a_third_of_a_percent_and_its_error_is_right() -> None:
    pulls, ratios = [], []
    for seed in range(12):
        found = fitted(CAMERA, 1e5, seed)
        angle = (found.angle_deg - 35 + 90) % 180 - 90
        off = [*np.subtract(found.center, CAMERA.center), found.ratio - 1.02, angle]
        pulls.append(np.array(off) / [*found.center_error, found.ratio_error, found.angle_error_deg])
        ratios.append(found.ratio)
    assert np.abs(np.array(ratios) - 1.02).max() < 0.003
    rms = np.sqrt(np.mean(np.square(pulls), axis=0))
    assert np.all((rms > 0.6) & (rms < 1.5)), rms


def test_a_circle_is_called_one_and_has_no_direction() -> None:
    found = [fitted(Camera(center=(47.8, 47.2), scale=0.0125), 1e5, seed) for seed in range(12)]
    assert all(fit.ratio - 1 < 4 * fit.ratio_error for fit in found)
    assert np.median([fit.angle_error_deg for fit in found]) > 10
    assert sum("circles" in fit.words for fit in found) >= 8


@pytest.mark.parametrize("angle", [0.0, 60.0, 135.0])
def test_exact_rings_give_the_exact_ellipse(angle: float) -> None:
    camera = Camera(center=(48.3, 46.9), scale=0.0125, ratio=1.05, angle_deg=angle)
    found = fitted(camera, 0)
    assert found.ratio == pytest.approx(1.05, abs=2e-4)
    assert (found.angle_deg - angle + 90) % 180 - 90 == pytest.approx(0, abs=0.2)
    np.testing.assert_allclose(found.center, camera.center, atol=5e-3)


def test_spots_on_the_ring_and_a_masked_stripe_do_not_bend_it() -> None:
    image = CAMERA.glass(electrons=1e6)
    used = np.ones(image.shape, bool)
    used[40:44, :48] = False
    image[20:22, 60:62] *= 20
    image[40:44, :48] = 1e4
    found = fit_ellipse(image, (47.0, 48.0), inner=15, outer=44, used=used)
    assert found.ratio == pytest.approx(1.02, abs=0.003)


def test_the_calibration_it_gives_makes_rings_round() -> None:
    where = fitted(CAMERA, 0).scaled(0.0125)
    place = np.argwhere(np.abs(CAMERA.length - 0.4) < 0.003).astype(float)
    g = np.linalg.norm(where.g(place), axis=1)
    assert where.scale == pytest.approx(0.0125)
    np.testing.assert_allclose(g, np.array([CAMERA.length[tuple(p)] for p in place.astype(int)]), rtol=1e-3)


@pytest.mark.parametrize(
    ("image", "inner", "outer"),
    [(np.ones(9), 1, 20), (np.ones((40, 40)), 5, 9), (np.ones((40, 40)), 5, 18), (np.ones((8, 8)), 30, 60)],
)
def test_bad_input_is_refused(image, inner, outer) -> None:
    with pytest.raises(InputError, match="fit_ellipse"):
        fit_ellipse(image, (20, 20), inner=inner, outer=outer)


def test_directions_that_nothing_determines_are_not_moved_along() -> None:
    sum_only = np.array([[100.0, 100.0], [100.0, 100.0]])
    found = step(sum_only, np.array([50.0, 50.0]), np.ones(2))
    np.testing.assert_allclose(found.change, [0.25, 0.25])
    assert np.isinf(np.diag(found.covariance)).all()
    np.testing.assert_allclose(found.free @ [1.0, -1.0], [1.0, -1.0])
    np.testing.assert_allclose(found.free @ [1.0, 1.0], [0.0, 0.0], atol=1e-12)
