"""Crop: coordinates stay, weights follow, ranges as Python slices or as coordinates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import Scan
from unmixel.prepare.crop import Crop

DATA = np.arange(13 * 5 * 7 * 6).reshape(13, 5, 7, 6)
SCAN = Scan(
    DATA,
    (Axis("y", 13, 2.0, 10.0, "nm"), Axis("x", 5, 2.0, 0.0, "nm")),
    (Axis("v", 7, 0.1, -0.3, "1/angstrom"), Axis("u", 6, -0.1, 0.3, "1/angstrom")),
    pixel_weights=np.arange(42.0).reshape(7, 6),
    position_weights=np.arange(65.0).reshape(13, 5),
    extras={"mean_pattern": np.ones((7, 6)), "beam": np.ones((3, 3))},
)

edges = st.none() | st.integers(-15, 15)


@given(y=st.tuples(edges, edges), u=st.tuples(edges, edges))
def test_crop_is_slicing_and_keeps_coordinates(y, u):
    wanted = DATA[slice(*y), :, :, slice(*u)]
    step = Crop(scan=[y, None], pattern=[None, u])
    if not wanted.size:
        with pytest.raises(InputError, match="which holds none"):
            step.apply(SCAN)
        return
    cropped = step.apply(SCAN)
    np.testing.assert_array_equal(cropped.data, wanted)
    np.testing.assert_allclose(cropped.scan_axes[0].values, SCAN.scan_axes[0].values[slice(*y)], atol=1e-12)
    np.testing.assert_allclose(
        cropped.pattern_axes[1].values, SCAN.pattern_axes[1].values[slice(*u)], atol=1e-12
    )
    np.testing.assert_array_equal(cropped.pixel_weights, SCAN.pixel_weights[:, slice(*u)])
    np.testing.assert_array_equal(cropped.position_weights, SCAN.position_weights[slice(*y)])
    assert set(cropped.extras) == {"beam"}


def test_crop_by_coordinates_includes_both_ends():
    cropped = Crop(scan=[[14.0, 20.0], None], pattern=[[-0.1, None], [-0.2, 0.2]], unit="axis").apply(SCAN)
    np.testing.assert_allclose(cropped.scan_axes[0].values, [14, 16, 18, 20])
    np.testing.assert_allclose(cropped.pattern_axes[0].values, [-0.1, 0, 0.1, 0.2, 0.3], atol=1e-12)
    np.testing.assert_allclose(cropped.pattern_axes[1].values, [0.2, 0.1, 0.0, -0.1, -0.2], atol=1e-12)
    np.testing.assert_array_equal(cropped.data, DATA[2:6, :, 2:, 1:6])


def test_crop_says_what_it_kept():
    record = Crop(scan=[[1, 4], None]).apply(SCAN).history[-1]
    assert record.effect == "kept y 1 to 3 of 13."
    assert record.values == {"scan": [[1, 4], [0, 5]], "pattern": [[0, 7], [0, 6]]}
    assert Crop().apply(SCAN).history[-1].effect == "nothing to crop."


def test_crop_of_spectra():
    spectra = Scan.from_array(np.ones((4, 20)), pattern_step=(10.0, "eV"))
    cropped = Crop(pattern=[[50.0, 100.0]], unit="axis").apply(spectra)
    assert cropped.pattern_axes[0].values.tolist() == [50, 60, 70, 80, 90, 100]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pattern": [[1, 2]]}, "expected 2 ranges"),
        ({"pattern": [[1, 2, 3], None]}, "start, stop"),
        ({"scan": [5, None]}, "start, stop"),
        ({"unit": "nm"}, "px or axis"),
        ({"pattern": [[3, 3], None]}, "holds none"),
        ({"pattern": [[7.0, 8.0], None], "unit": "axis"}, "holds none"),
    ],
)
def test_crop_refuses(settings, message):
    with pytest.raises(InputError, match=message):
        Crop(**settings).apply(SCAN)
