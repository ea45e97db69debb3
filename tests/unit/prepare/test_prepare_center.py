"""Center: the zero of the axes is the beam; data are the same object."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import Scan
from unmixel.prepare.binning import Bin
from unmixel.prepare.center import Center
from unmixel.prepare.crop import Crop
from unmixel.prepare.masks import MaskBeam
from unmixel.prepare.origin import known_origin


def scan_with_beam(gaussian, center=(14.3, 11.8), **fields):
    counts = np.random.default_rng(0).poisson(200 * gaussian((31, 26), center, 2.0) + 1, (3, 4, 31, 26))
    axes = Axis("v", 31, 0.03, -1.0, "1/angstrom"), Axis("u", 26, -0.05, 2.0, "1/angstrom")
    return Scan(counts, (Axis("y", 3), Axis("x", 4)), axes, **fields)


def test_coordinates_are_zero_at_the_beam(gaussian):
    scan = scan_with_beam(gaussian)
    centred = Center().apply(scan)
    assert centred.data is scan.data
    for axis, place in zip(centred.pattern_axes, (14.3, 11.8), strict=True):
        assert np.interp(place, np.arange(axis.size), axis.values) == pytest.approx(
            0, abs=0.05 * abs(axis.scale)
        )
    assert [axis.scale for axis in centred.pattern_axes] == [0.03, -0.05]
    values = centred.history[-1].values
    assert values["center_v_px"] == pytest.approx(14.3, abs=0.05)
    assert values["center_u_px"] == pytest.approx(11.8, abs=0.05)
    assert values["radius_px"] == pytest.approx(2.36, abs=0.2)
    assert values["method"] == "beam"
    assert values["symmetry_disagrees_by_px"] < 0.2
    assert "standard error" in centred.history[-1].effect


def test_a_known_origin_is_taken_as_it_is(gaussian):
    centred = Center(origin=[14, 12.5]).apply(scan_with_beam(gaussian))
    assert known_origin(centred) == pytest.approx((14.0, 12.5))
    assert "as given" in centred.history[-1].effect


def test_the_origin_survives_crop_and_bin(gaussian):
    centred = Center().apply(scan_with_beam(gaussian))
    v, u = known_origin(centred)
    changed = Bin(pattern=2).apply(Crop(pattern=[[3, 31], [2, 26]]).apply(centred))
    assert known_origin(changed) == pytest.approx(((v - 3 - 0.5) / 2, (u - 2 - 0.5) / 2))


def test_a_masked_beam_is_found_by_symmetry(gaussian):
    masked = MaskBeam(radius=4).apply(scan_with_beam(gaussian))
    masked = Scan(
        np.random.default_rng(0).poisson(200 * gaussian((31, 26), (14.3, 11.8), 5.0) + 1, (3, 4, 31, 26)),
        masked.scan_axes,
        masked.pattern_axes,
        pixel_weights=masked.pixel_weights,
    )
    record = Center().apply(masked).history[-1]
    assert record.values["method"] == "symmetry"
    assert "not used" in record.effect
    assert record.values["center_v_px"] == pytest.approx(14.3, abs=0.3)
    assert record.values["center_u_px"] == pytest.approx(11.8, abs=0.3)
    assert record.values["uncertainty_px"] is None


@pytest.mark.parametrize("settings", [{"origin": [1.0]}, {"origin": [1.0, np.nan]}, {"method": "guess"}])
def test_bad_settings_are_refused(settings):
    with pytest.raises(InputError, match="center: "):
        Center(**settings)


def test_a_flat_scan_is_refused():
    with pytest.raises(InputError, match="flat"):
        Center().apply(Scan.from_array(np.ones((2, 2, 9, 8))))
