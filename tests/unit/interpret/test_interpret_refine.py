"""Refined places do not feel other spots, rings or masks."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.interpret.peaks import find_spots
from unmixel.interpret.refine import refine_spots

V, U = np.mgrid[:80, :80]
CENTER = (39.5, 39.5)
PLACES = np.array([[20.3, 31.6], [23.2, 39.9], [55.7, 61.2], [60.9, 54.3]])  # two pairs, 9 px apart


def scene(sigma=1.5):
    image = 2.0 + 6 * np.exp(-np.hypot(V - CENTER[0], U - CENTER[1]) / 15)
    for (v, u), height in zip(PLACES, (80, 50, 60, 200), strict=True):
        image = image + height * np.exp(-((V - v) ** 2 + (U - u) ** 2) / (2 * sigma**2))
    return image


def off(spots):
    distance = np.linalg.norm(spots.place[:, None] - PLACES[None], axis=2)
    own = np.argmin(distance, axis=0)
    return spots.place[own] - PLACES, spots.place_error[own]


def test_neighbours_do_not_pull() -> None:
    image, used = scene(), np.ones(V.shape, bool)
    found = find_spots(image, CENTER, sigma=1.5, inner=6, share=0.02)
    better = refine_spots(image, found, CENTER, sigma=1.5, used=used)
    assert np.abs(off(better)[0]).max() < 0.03
    assert np.abs(off(better)[0]).max() < 0.5 * np.abs(off(found)[0]).max()


def test_errors_are_what_places_scatter() -> None:
    used, pulls = np.ones(V.shape, bool), []
    for seed in range(25):
        image = np.random.default_rng(seed).poisson(scene()).astype(float)
        found = find_spots(image, CENTER, sigma=1.5, inner=6)
        moved, error = off(refine_spots(image, found, CENTER, sigma=1.5, used=used))
        pulls.append(moved / error[:, None])
    assert 0.7 < np.sqrt(np.mean(np.square(pulls))) < 1.3


def test_masked_pixels_do_not_take_part() -> None:
    image, used = scene(), np.ones(V.shape, bool)
    used[:, 30] = False
    found = find_spots(np.where(used, image, 1e6), CENTER, sigma=1.5, used=used, inner=6)
    better = refine_spots(np.where(used, image, 1e6), found, CENTER, sigma=1.5, used=used)
    assert np.abs(off(better)[0]).max() < 0.05


@pytest.mark.parametrize("image", [np.zeros((20, 20)), np.full((20, 20), np.nan)])
def test_nothing_to_refine(image) -> None:
    used = np.ones(image.shape, bool)
    none = find_spots(image, (10, 10), sigma=1.5)
    assert len(refine_spots(image, none, (10, 10), sigma=1.5, used=used)) == 0
