"""The unfolded view: shapes fold back, weights come flat, data stay where they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.dataset.matrix import Grid, Matrix
from unmixel.dataset.record import StepRecord
from unmixel.dataset.scan import Scan


def test_a_scan_seen_as_a_matrix() -> None:
    pixels = np.random.default_rng(0).random((31, 26))
    scan = Scan.from_array(
        np.zeros((13, 29, 31, 26)),
        scan_step=(2.0, "nm"),
        pattern_step=(0.1, "1/angstrom"),
        pixel_weights=pixels,
    )
    matrix = Matrix.from_scan(scan)
    assert (matrix.n_positions, matrix.n_pixels) == (13 * 29, 31 * 26)
    assert matrix.data is scan.data
    assert np.array_equal(matrix.pixel_weights, pixels.reshape(-1))
    assert np.array_equal(matrix.position_weights, np.ones(13 * 29))
    assert matrix.scan_grid == Grid((13, 29), (2.0, 2.0), "nm", zero=(0.0, 0.0))
    assert matrix.pattern_grid.unit == "1/angstrom"


def test_a_grid_takes_the_length_of_a_step_whatever_its_sign() -> None:
    assert Grid.of((Axis("y", 3, scale=-2.0, unit="nm"),)).steps == (2.0,)
    assert Grid.of(()) == Grid((), ())
    assert Grid.of(()).size == 1


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6))
def test_a_plain_array_folds_back(rows: int, columns: int, pixels: int) -> None:
    matrix = Matrix.from_array(np.zeros((rows * columns, pixels)), scan_shape=(rows, columns))
    assert matrix.scan_grid.shape == (rows, columns)
    assert matrix.pattern_grid.shape == (pixels,)


@pytest.mark.parametrize("shapes", [{"scan_shape": (2, 4)}, {"pattern_shape": (5, 2)}])
def test_shapes_that_do_not_multiply_are_refused(shapes: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(InputError, match="6 positions and 4 pixels"):
        Matrix.from_array(np.zeros((6, 4)), **shapes)


def test_the_gain_is_what_the_weights_recorded() -> None:
    scan = Scan.from_array(np.zeros((3, 4, 5)))
    assert scan.gain == Matrix.from_scan(scan).gain == 1
    scan = scan.after(StepRecord("bin", values={"gain": 9.0}))
    scan = scan.after(StepRecord("poisson_weights", values={"gain": 2.5})).after(StepRecord("crop"))
    assert scan.gain == Matrix.from_scan(scan).gain == 2.5


@pytest.mark.parametrize("gain", [0.0, -1.0, np.nan, np.inf])
def test_a_gain_that_cannot_be_is_refused(gain: float) -> None:
    with pytest.raises(InputError, match="gain"):
        Matrix.from_array(np.zeros((6, 4)), gain=gain)
