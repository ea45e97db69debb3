"""Plain parameters, records and distances."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import Scan
from unmixel.prepare.contract import (
    at_least,
    one_of,
    parameters,
    pixel_distance,
    plain,
    recorded,
    used_pixels,
    weights_times,
    without,
)
from unmixel.prepare.crop import Crop
from unmixel.prepare.masks import MaskImage


def test_plain_is_what_json_holds():
    value = {
        1: np.float32(0.5),
        "path": Path("a") / "b.npy",
        "nested": [(np.int64(3), None), {"yes": np.bool_(True)}],
        "array": np.array([[1, 2]], np.uint8),
        "nothing": float("nan"),
        "endless": np.inf,
    }
    assert plain(value) == {
        "1": 0.5,
        "path": str(Path("a") / "b.npy"),
        "nested": [[3, None], {"yes": True}],
        "array": [[1, 2]],
        "nothing": None,
        "endless": None,
    }
    json.dumps(plain(value), allow_nan=False)


def test_long_arrays_are_named_by_their_hash():
    one, other = np.zeros((80, 90), bool), np.zeros((80, 90), bool)
    other[3, 4] = True
    assert plain(one)["shape"] == [80, 90]
    assert plain(one) == plain(one.copy())
    assert plain(one)["sha256"] != plain(other)["sha256"]


def test_record_holds_parameters_and_values():
    record = recorded(Crop(pattern=[[1, 2], None]), "kept something.", n=np.int32(3))
    assert record.name == "crop"
    assert record.parameters == {"scan": None, "pattern": [[1, 2], None], "unit": "px"}
    assert record.values == {"n": 3}
    assert parameters(MaskImage("stop.npy")) == {"image": "stop.npy", "of": "pattern"}


def test_distance_in_px_and_in_units():
    axes = (Axis("v", 4, 0.5, 0.0, "1/angstrom"), Axis("u", 3, 0.25, 0.0, "1/angstrom"))
    assert pixel_distance(axes, (0.0, 0.0))[3, 0] == 3.0
    np.testing.assert_allclose(
        pixel_distance(axes, (1.0, 2.0), "1/angstrom")[3], [1.118034, 1.030776, 1.0], rtol=1e-6
    )
    np.testing.assert_allclose(
        pixel_distance(axes, (1.0, 2.0), "1/nm"), 10 * pixel_distance(axes, (1.0, 2.0), "1/angstrom")
    )
    with pytest.raises(InputError, match="unit"):
        pixel_distance((Axis("v", 4), Axis("u", 3)), (0.0, 0.0), "1/angstrom")
    with pytest.raises(InputError, match="unit"):
        pixel_distance(axes, (0.0, 0.0), "mrad")


def test_weights():
    scan = Scan.from_array(np.ones((2, 3, 4)))
    assert used_pixels(scan).all()
    np.testing.assert_array_equal(weights_times(None, np.array([True, False])), [1.0, 0.0])
    np.testing.assert_array_equal(weights_times(np.array([2.0, 3.0]), np.array([1, 0])), [2.0, 0.0])


def test_extras_that_a_step_makes_stale():
    scan = Scan.from_array(np.ones((2, 3, 4)), extras={"beam": np.ones(3), "mean_map": np.ones(2)})
    assert set(without(scan, "beam", "mean_pattern")) == {"mean_map"}


@pytest.mark.parametrize("value", [-1, np.nan, np.inf, "3", True])
def test_at_least_refuses(value):
    with pytest.raises(InputError, match="number >= 0"):
        at_least("step: size", value, 0, hint="write 1")


def test_at_least_and_one_of_accept():
    at_least("step: size", None, 0, hint="")
    at_least("step: size", 0, 0, hint="")
    one_of("step: how", "a", ("a", "b"))
    with pytest.raises(InputError, match="a or b"):
        one_of("step: how", "c", ("a", "b"))
