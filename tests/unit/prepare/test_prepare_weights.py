"""Poisson weights: the weighted noise is 1 for counts of any brightness and any gain."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from unmixel.core.errors import InputError
from unmixel.dataset.scan import Scan
from unmixel.prepare.masks import MaskImage
from unmixel.prepare.statistics import pattern_statistics
from unmixel.prepare.weights import PoissonWeights, light_of, measured_gain

RATES = np.geomspace(0.3, 300, 143).reshape(13, 11)


def counts(scan=(13, 29), gain=1, rates=RATES, seed=0):
    return np.random.default_rng(seed).poisson(rates, (*scan, *rates.shape)) * gain


@pytest.mark.parametrize("gain", [1, 5])
def test_chi_square_is_one_per_value(gain):
    data = counts(gain=gain)
    scan = PoissonWeights().apply(Scan.from_array(data))
    chi_square = ((data - gain * RATES) ** 2 * scan.pixel_weights).mean((0, 1))
    np.testing.assert_allclose(chi_square, 1, atol=0.35)
    assert chi_square.mean() == pytest.approx(1, abs=0.05)
    values = scan.history[-1].values
    assert values["gain"] == (1.0 if gain == 1 else pytest.approx(5, rel=0.1))
    assert values["measured_gain"] == pytest.approx(gain, rel=0.1)
    assert ("are counts" if gain == 1 else "no single counts") in scan.history[-1].effect


def test_weights_are_one_over_mean_counts():
    data = counts()
    scan = PoissonWeights(gain=2.0, floor=0).apply(Scan.from_array(data))
    np.testing.assert_allclose(scan.pixel_weights, 1 / (2 * data.mean((0, 1))))


def test_the_floor_keeps_dark_pixels_from_ruling():
    rates = np.array([[0.01, 100.0, 100.0]])
    data = counts(rates=rates)
    scan = PoissonWeights(gain=1, floor=0.1).apply(Scan.from_array(data, n_pattern_axes=2))
    average = data.mean()
    np.testing.assert_allclose(scan.pixel_weights[0, 0], 1 / (0.1 * average))
    assert scan.history[-1].values["floored_pixels"] == 1


def test_pixels_without_counts_are_left_out():
    data = counts()
    data[..., 3, 4] = 0
    scan = PoissonWeights().apply(Scan.from_array(data))
    assert scan.pixel_weights[3, 4] == 0
    assert (scan.pixel_weights > 0).sum() == 142
    assert scan.history[-1].values["left_out_pixels"] == 1


def test_masks_before_it_stay_and_weights_multiply():
    use = np.ones((13, 11), bool)
    use[2:4] = False
    scan = PoissonWeights().apply(MaskImage(use).apply(Scan.from_array(counts())))
    np.testing.assert_array_equal(scan.pixel_weights > 0, use)
    doubled = Scan.from_array(counts(), pixel_weights=np.full((13, 11), 2.0))
    plain = PoissonWeights().apply(Scan.from_array(counts()))
    np.testing.assert_allclose(PoissonWeights().apply(doubled).pixel_weights, 2 * plain.pixel_weights)


def test_positions_too():
    thickness = np.linspace(0.2, 3.0, 29)
    data = np.random.default_rng(0).poisson(RATES * thickness[:, None, None], (13, 29, 13, 11))
    use = np.ones((13, 11), bool)
    use[-1] = False
    masked = MaskImage(use).apply(Scan.from_array(data))
    scan = PoissonWeights(gain=1, positions=True).apply(masked)
    light = light_of(masked, use)
    np.testing.assert_allclose(light, data[:, :, use].sum(-1))
    np.testing.assert_allclose(scan.position_weights, light.mean() / light)
    residual = (data - RATES * thickness[:, None, None]) ** 2
    weighted = residual * scan.pixel_weights * scan.position_weights[:, :, None, None]
    assert weighted[:, :, use].mean() == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(weighted[:, :, use].mean((0, 2)), 1, atol=0.15)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("scan", [(9,), (40,), (3, 17), (2, 3, 10)])
def test_gain_of_scans_of_any_dimension(scan, lazy):
    data = counts(scan, gain=3, rates=np.full((31, 26), 4.0))
    given = Scan.from_array(da.from_array(data, chunks=5) if lazy else data, n_pattern_axes=2)
    assert measured_gain(given, pattern_statistics(given)).value == pytest.approx(3, rel=0.15)


def test_the_gain_is_blind_to_slow_changes_and_to_saturated_pixels():
    ramp = np.linspace(10, 200, 60)[None, :, None, None] * np.ones((8, 1, 9, 8))
    data = np.random.default_rng(0).poisson(ramp)
    data[..., :2] = 999
    scan = Scan.from_array(data)
    assert measured_gain(scan, pattern_statistics(scan)).value == pytest.approx(1, abs=0.1)


def test_gain_of_too_short_a_scan_is_taken_as_one():
    scan = Scan.from_array(counts((50, 3)))
    assert measured_gain(scan, pattern_statistics(scan)) is None
    record = PoissonWeights().apply(scan).history[-1]
    assert record.values["gain"] == 1
    assert "assumed" in record.effect
    single = Scan.from_array(counts(()), n_pattern_axes=2)
    assert PoissonWeights().apply(single).history[-1].values["measured_gain"] is None


def test_positions_left_out_do_not_disturb_the_gain():
    data = counts()
    weights = np.ones((13, 29))
    weights[:, ::6] = 0
    data[:, ::6] = 10_000
    scan = Scan.from_array(data, position_weights=weights)
    assert measured_gain(scan, pattern_statistics(scan)).value == pytest.approx(1, abs=0.1)


def test_twice_is_refused():
    scan = PoissonWeights().apply(Scan.from_array(counts()))
    with pytest.raises(InputError, match="twice"):
        PoissonWeights().apply(scan)


def test_no_counts_are_refused():
    with pytest.raises(InputError, match="counts above 0"):
        PoissonWeights().apply(Scan.from_array(np.zeros((9, 9, 4))))


@pytest.mark.parametrize("bad", [{"gain": 0}, {"gain": -1}, {"floor": 2}, {"floor": -0.1}])
def test_bad_settings_are_refused(bad):
    with pytest.raises(InputError, match="poisson_weights: "):
        PoissonWeights(**bad)


def warned(data, **given):
    """Return the warnings of the step, as one text."""
    return " ".join(PoissonWeights(**given).apply(Scan.from_array(data)).history[-1].values["warnings"])


def test_counts_are_not_warned_of():
    assert warned(counts()) == ""
    assert warned(counts().astype(np.float32)) == ""
    # electrons that a camera multiplies are counts of another unit, said once
    assert warned(counts(gain=5)).count(".") < warned(counts(gain=5)).count("larger than that of counts") + 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: 7 * x, "larger than that of counts (variance / mean is 7"),
        (lambda x: 0.37 * x, "not whole numbers"),
        (lambda x: 0.37 * x, "smaller than that of counts (variance / mean is 0.3"),
        (lambda x: np.where(x < 12, 0, x), "no value between 0 and 12"),
        (lambda x: np.minimum(x, 150), "saturated at 150"),
        (lambda x: x - 2, "negative"),
        (lambda x: x + np.random.default_rng(1).normal(0, 6, x.shape).round(), "No one gain is right"),
    ],
)
def test_what_is_not_counts_is_warned_of(change, words):
    data = counts(rates=np.geomspace(3, 300, 143).reshape(13, 11))
    assert words in warned(change(data))


def test_averages_of_neighbours_are_warned_of():
    data = counts((13, 60)).astype(np.float64)
    mean = (data[:, ::2] + data[:, 1::2]) / 2
    assert "averaged" in warned(mean)


def test_a_masked_saturated_pixel_is_not_warned_of():
    data = counts()
    data[..., 2, 3] = 2_000
    use = np.ones((13, 11), bool)
    assert "saturated" in warned(data)
    use[2, 3] = False
    scan = PoissonWeights().apply(MaskImage(use).apply(Scan.from_array(data)))
    assert scan.history[-1].values["warnings"] == []
