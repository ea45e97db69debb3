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
    contours,
    inner_ratio,
    likely_body,
    true_diameter,
)


@few
@given(st.floats(1.5, 25), st.floats(0.3, 4), st.sampled_from(BODIES))
def test_back_and_forth(diameter, fwhm, body) -> None:
    apparent, _ = contours(diameter, fwhm=fwhm, body=body)
    found, resolved = true_diameter(apparent, fwhm=fwhm, body=body)
    if diameter > 0.8 * fwhm:
        assert resolved
        assert found == pytest.approx(diameter, rel=0.03)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("fwhm", [1.0, 3.0])
def test_contours_agree_with_a_drawn_body(body, fwhm) -> None:
    fine = 12
    image = body_map(
        (24 * fine, 24 * fine), [(12 * fine, 12 * fine, 9 * fine)], fwhm=fwhm * fine, kind=body, fine=1
    )
    plateau = np.median(image[image >= 0.7 * image.max()])
    drawn = [2 * np.sqrt((image >= level * plateau).sum() / np.pi) / fine for level in (0.5, 0.8)]
    assert contours(9.0, fwhm=fwhm, body=body) == pytest.approx(drawn, rel=0.01)


def test_limits() -> None:
    assert contours(20.0, fwhm=0.2)[0] == pytest.approx(20.0, rel=1e-3)
    unresolved = contours(0.01, fwhm=2.0)[0]
    assert unresolved == pytest.approx(contours(0.01, fwhm=2.0, body="sphere")[0], rel=0.01)
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


@pytest.mark.parametrize("body", BODIES)
def test_bodies_are_told_apart_by_their_edges(body) -> None:
    rng = np.random.default_rng(0)
    pairs = [contours(d, fwhm=1.9, body=body) for d in rng.normal(8, 1.5, 20)]
    seen, inner = np.array(pairs).T
    inner = inner * rng.normal(1, 0.03, 20)
    found, reason = likely_body(seen, inner, fwhm=1.9)
    assert found == body
    assert "judged" in reason
    assert inner_ratio(8.0, fwhm=1.9, body="sphere") < inner_ratio(8.0, fwhm=1.9, body="disk")


def test_undecided_bodies_are_even_and_said_so() -> None:
    seen = np.full(12, 8.0)
    assert likely_body(seen, 0.7 * seen, fwhm=None) == (
        "disk",
        "even thickness is assumed: without the probe's width soft edges tell nothing",
    )
    assert "fewer" in likely_body(seen[:2], 0.7 * seen[:2], fwhm=2.0)[1]
    ragged = likely_body(seen, 0.5 * seen, fwhm=2.0)
    assert ragged[0] == "disk"
    assert "do not decide" in ragged[1]
