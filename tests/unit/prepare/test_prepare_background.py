"""Background: exact differences, clipping counted, the warning about Poisson always there."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from unmixel.core.errors import InputError
from unmixel.dataset.scan import Scan
from unmixel.prepare.background import Background


def counts(dtype=np.uint16):
    return np.random.default_rng(0).poisson(5.0, (4, 5, 7, 6)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("level", [3, np.arange(42).reshape(7, 6) % 5])
def test_whole_numbers_stay_whole(dtype, level):
    data = counts(dtype)
    for given in (data, da.from_array(data, chunks=3)):
        scan = Background(level).apply(Scan.from_array(given))
        assert scan.data.dtype == dtype
        np.testing.assert_array_equal(np.asarray(scan.data), np.maximum(data.astype(int) - level, 0))


@pytest.mark.parametrize(("dtype", "wanted"), [(np.uint8, np.float32), (np.float64, np.float64)])
def test_fractions_make_floats(dtype, wanted):
    scan = Background(2.5).apply(Scan.from_array(counts(dtype)))
    assert scan.data.dtype == wanted
    np.testing.assert_array_equal(scan.data, np.maximum(counts().astype(float) - 2.5, 0))


def test_clipped_values_are_counted_and_the_noise_is_told():
    scan = Background(4).apply(Scan.from_array(counts(), extras={"mean_pattern": np.ones((7, 6))}))
    record = scan.history[-1]
    assert record.values["clipped_share"] == pytest.approx((counts() < 4).mean(), abs=1e-6)
    assert "no plain counts" in record.effect
    assert "mean_pattern" not in scan.extras


def test_the_minimum_clips_nothing():
    data = counts()
    scan = Background("minimum").apply(Scan.from_array(data))
    assert scan.history[-1].values["clipped_share"] == 0
    np.testing.assert_array_equal(scan.data, data - data.min((0, 1)))


def test_an_image_file(tmp_path):
    dark = np.random.default_rng(1).random((7, 6))
    np.save(tmp_path / "dark.npy", dark)
    scan = Background(str(tmp_path / "dark.npy")).apply(Scan.from_array(counts()))
    np.testing.assert_allclose(scan.data, np.maximum(counts() - dark, 0), rtol=1e-6)
    assert len(scan.history[-1].values["sha256"]) == 64


def test_spectra_and_true_false_data():
    spectra = Background(1).apply(Scan.from_array(np.array([[1, 3, 5]])))
    assert spectra.data.tolist() == [[0, 2, 4]]
    flags = Background(np.array([1, 0])).apply(Scan.from_array(np.array([[True, True]])))
    assert flags.data.dtype == np.uint8
    assert flags.data.tolist() == [[0, 1]]


def test_zero_changes_nothing():
    data = counts()
    scan = Background(0).apply(Scan.from_array(data))
    assert scan.data is data
    assert scan.history[-1].effect.startswith("nothing to do")


@pytest.mark.parametrize("level", [-1, np.nan, None, True, 1000, np.ones((3, 3)), "missing.npy"])
def test_levels_that_cannot_serve_are_refused(level):
    with pytest.raises(InputError, match="background: level"):
        Background(level).apply(Scan.from_array(counts()))
