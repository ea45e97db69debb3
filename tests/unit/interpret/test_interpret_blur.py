"""Diameters: blurred bodies seen at half height, and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpret_phantoms import body_map, few

from unmixel.interpret.blur import (
    BODIES,
    LEAST_RESOLVED,
    contour,
    true_diameter,
)


@few
@given(st.floats(1.5, 25), st.floats(0.3, 4), st.sampled_from(BODIES))
def test_back_and_forth(diameter, fwhm, body) -> None:
    apparent = contour(diameter, fwhm=fwhm, body=body)
    found, resolved = true_diameter(apparent, fwhm=fwhm, body=body)
    if diameter > 0.8 * fwhm:
        assert resolved
        assert found == pytest.approx(diameter, rel=0.03)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("fwhm", [1.0, 3.0])
def test_contour_agrees_with_a_drawn_body(body, fwhm) -> None:
    fine = 12
    image = body_map(
        (24 * fine, 24 * fine), [(12 * fine, 12 * fine, 9 * fine)], fwhm=fwhm * fine, kind=body, fine=1
    )
    plateau = np.median(image[image >= 0.7 * image.max()])
    drawn = 2 * np.sqrt((image >= plateau / 2).sum() / np.pi) / fine
    assert contour(9.0, fwhm=fwhm, body=body) == pytest.approx(drawn, rel=0.01)


def test_limits() -> None:
    assert contour(20.0, fwhm=0.2) == pytest.approx(20.0, rel=1e-3)
    unresolved = contour(0.01, fwhm=2.0)
    assert unresolved == pytest.approx(contour(0.01, fwhm=2.0, body="sphere"), rel=0.01)
    assert true_diameter(unresolved, fwhm=2.0) == (LEAST_RESOLVED * 2.0, False)
    assert true_diameter(5.0, fwhm=None) == (5.0, True)
    assert true_diameter(5.0, fwhm=0.0) == (5.0, True)
    # a sphere's contour at half of its plateau, without blur: plateau = median above 0.7 of the peak
    rim = np.sqrt(1 - (0.5 * np.sqrt(1 - (1 - 0.49) / 2)) ** 2)
    assert true_diameter(5.0, fwhm=None, body="sphere")[0] == pytest.approx(5.0 / rim, rel=0.01)


def test_diameters_rise_with_what_is_seen() -> None:
    for body in BODIES:
        found = [true_diameter(seen, fwhm=2.0, body=body)[0] for seen in np.linspace(2.0, 90, 200)]
        assert np.all(np.diff(found) >= 0)
