"""The figure of a calibration draws what it knows and says what it does not."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.core.errors import InputError
from unmixel.dataset.calibration import Calibration
from unmixel.interpret.calibrate import calibrate
from unmixel.physics.crystal import Crystal
from unmixel.report.calibration import figure_calibration
from unmixel.report.canvas import png
from unmixel.testing.cameras import Camera

ALUMINIUM = Crystal.face_centred("Al", 4.05)
START = Calibration.from_steps((47.5, 47.5), (0.026, 0.026))


def test_rings_are_drawn_where_the_fit_has_them_and_residuals_are_all_there() -> None:
    images = Camera(center=(48.6, 46.8), ratio=1.03).patterns(
        ALUMINIUM, [(0, 0, 1), (0, 1, 1)], electrons=2e5
    )
    fit = calibrate(images, ALUMINIUM, start=START)
    figure = figure_calibration(fit, images[1], number=1)
    picture = figure.axes[0]
    rings = [line for line in picture.lines if len(line.get_xdata()) == 361]
    expected = np.unique(fit.spots.expected[fit.spots.used])
    assert len(rings) == len(expected)
    for line, g in zip(rings, expected, strict=True):
        place = np.column_stack([line.get_ydata(), line.get_xdata()])
        np.testing.assert_allclose(np.linalg.norm(fit.calibration.g(place), axis=1), g)
    marked = sum(len(line.get_xdata()) for line in picture.lines if line.get_marker() in "ox")
    assert marked == np.sum(fit.spots.pattern == 1)
    told = " ".join(text.get_text() for text in figure.texts)
    assert f"{fit.scale:.6f}" in told
    assert fit.words.split(",")[0] in told
    assert png(figure)[:4] == b"\x89PNG"


def test_a_fit_that_knows_nothing_is_drawn_too() -> None:
    blank = np.zeros((40, 40))
    fit = calibrate(blank, ALUMINIUM, start=Calibration.from_steps((20.0, 20.0), (0.02, 0.02)))
    figure = figure_calibration(fit, blank)
    assert "∞" in " ".join(text.get_text() for text in figure.texts)
    assert png(figure)
    with pytest.raises(InputError, match="two axes"):
        figure_calibration(fit, np.zeros(5))
