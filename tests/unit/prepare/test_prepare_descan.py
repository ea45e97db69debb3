"""Descan: a planted plane is found in spite of strong Bragg spots; counts are moved, not changed."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.dataset.scan import Scan
from unmixel.prepare.beam_path import Search, fit_plane, frame_origins
from unmixel.prepare.center import Center
from unmixel.prepare.descan import Descan, moved, moved_weights

SCAN, PATTERN, MIDDLE = (13, 29), (47, 38), np.array([22.4, 18.7])


def wandering(disk, slopes, *, dose=600.0, bragg=0, radius=2.6, scan=SCAN, seed=0):
    """Counts with a beam that wanders by `slopes`, and a stronger spot in the first `bragg` columns."""
    index = np.indices(scan).reshape(len(scan), -1).T
    places = MIDDLE + (index - (np.array(scan) - 1) / 2) @ np.asarray(slopes)
    rng = np.random.default_rng(seed)
    frames = np.empty((len(index), *PATTERN), np.uint16)
    for i, (place, at) in enumerate(zip(places, index, strict=True)):
        light = disk(PATTERN, place, radius)
        if at[-1] < bragg:
            light = 0.4 * light + 0.9 * disk(PATTERN, place + np.array([7.0, 3.0]), radius)
        frames[i] = rng.poisson(dose * light / light.sum() + 0.05)
    return frames.reshape(*scan, *PATTERN), places


def sharpness(pattern):
    window = pattern[10:36, 6:32] - 0.05
    return (window**2).sum() / window.sum() ** 2


@pytest.mark.parametrize("slopes", [((0.3, -0.2), (0.05, 0.15)), ((-0.5, 0.1), (0.1, -0.2))])
def test_a_planted_plane_is_found_and_taken_out(disk, slopes):
    data, _ = wandering(disk, slopes, bragg=9)
    before = data.copy()
    scan = Descan().apply(Scan.from_array(data))
    values = scan.history[-1].values
    np.testing.assert_allclose(values["slopes_px_per_step"], slopes, atol=0.012)
    np.testing.assert_allclose(values["middle_px"], MIDDLE, atol=0.1)
    assert values["n_outliers"] >= 100
    assert values["rms_after_px"] < 0.5 < values["rms_before_px"]
    # whole-pixel moves leave half a pixel of smear at most: the mean beam is nearly as sharp as a single one
    before_and_after = [sharpness(frames[:, 9:].mean((0, 1))) for frames in (data, scan.data)]
    assert before_and_after[0] < 0.85 * before_and_after[1]
    assert before_and_after[1] > 0.75 * sharpness(disk(PATTERN, MIDDLE, 2.6) + 0.05)
    np.testing.assert_array_equal(data, before)
    np.testing.assert_allclose(
        [Center().apply(scan).history[-1].values[f"center_{axis}_px"] for axis in "vu"], MIDDLE, atol=0.3
    )


def test_counts_are_moved_and_not_changed(disk):
    slopes = ((0.3, -0.2), (0.05, 0.15))
    data, _ = wandering(disk, slopes)
    scan = Descan(how="nearest").apply(Scan.from_array(data))
    assert scan.data.dtype == data.dtype
    values = scan.history[-1].values
    index = np.indices(SCAN).reshape(2, -1).T - (np.array(SCAN) - 1) / 2
    shifts = np.rint(-index @ np.array(values["slopes_px_per_step"])).astype(int).reshape(*SCAN, 2)
    used = scan.pixel_weights > 0
    for at in np.ndindex(*SCAN):
        expected = np.roll(data[at], tuple(shifts[at]), axis=(0, 1))
        np.testing.assert_array_equal(scan.data[at][used], expected[used])
    assert values["left_out_pixels"] == (~used).sum() > 0


@pytest.mark.parametrize(
    ("gain", "dtype", "told"),
    [(1, "uint16", "counts"), (3, "int32", "of 3 counts"), (0.25, "float32", "0.25")],
)
def test_electrons_are_moved_by_fractions(disk, gain, dtype, told):
    """The beam stands in one place in every frame, and not within half a pixel of it."""
    slopes = ((0.3, -0.2), (0.05, 0.15))
    electrons, _ = wandering(disk, slopes, dose=4000)
    data = (gain * electrons).astype(dtype)
    scan = Descan().apply(Scan.from_array(data))
    assert scan.data.dtype == data.dtype
    values, effect = scan.history[-1].values, scan.history[-1].effect
    assert told in effect
    assert values["rms_after_px"] == pytest.approx(values["rms_about_plane_px"], abs=1e-3)
    v, u = np.indices(PATTERN)

    def off(frames):
        light = np.asarray(frames, float)[..., 12:34, 8:30]
        at = [(light * a[12:34, 8:30]).sum((2, 3)) / light.sum((2, 3)) for a in (v, u)]
        return np.sqrt(np.mean((np.array(at) - MIDDLE[:, None, None]) ** 2))

    assert off(scan.data) < 0.06
    assert off(Descan(how="nearest").apply(Scan.from_array(data)).data) > 0.2


def test_where_nothing_says_what_an_electron_is_frames_are_moved_by_whole_pixels(disk):
    data, _ = wandering(disk, ((0.0, 0.0), (0.1, 0.4)), scan=(60, 6))
    effect = Descan().apply(Scan.from_array(data.astype(np.float32))).history[-1].effect
    assert "whole pixels" in effect


def test_nothing_to_do_leaves_the_data_alone(disk):
    data, _ = wandering(disk, ((0.005, 0.0), (0.0, 0.005)))
    scan = Scan.from_array(data)
    after = Descan().apply(scan)
    assert after.data is data
    assert after.pixel_weights is None
    assert after.history[-1].effect.startswith("nothing to do")
    assert after.history[-1].values["left_out_pixels"] == 0
    assert "nothing to do" not in Descan(least_px=0.1).apply(scan).history[-1].effect


def test_noise_alone_is_no_plane(gaussian):
    data = np.random.default_rng(0).poisson(0.4 * gaussian(PATTERN, MIDDLE, 2.5) + 0.02, (*SCAN, *PATTERN))
    assert "uncertain" in Descan(least_px=0.0).apply(Scan.from_array(data)).history[-1].effect


def test_a_line_scan_and_lazy_data(disk):
    data, _ = wandering(disk, ((0.11, -0.07),), scan=(60,))
    eager = Descan().apply(Scan.from_array(data, n_pattern_axes=2))
    np.testing.assert_allclose(eager.history[-1].values["slopes_px_per_step"], [(0.11, -0.07)], atol=0.01)
    late = Descan().apply(Scan.from_array(da.from_array(data, chunks=(7, 20, -1)), n_pattern_axes=2))
    np.testing.assert_array_equal(np.asarray(late.data), eager.data)
    np.testing.assert_array_equal(late.pixel_weights, eager.pixel_weights)


def test_empty_frames_and_left_out_positions_do_not_count(disk):
    data, _ = wandering(disk, ((0.3, -0.2), (0.05, 0.15)))
    data[:, ::4] = 0
    weights = np.ones(SCAN)
    weights[:, 1::4] = 0
    data[:, 1::4, 5:9, 5:9] = 999
    values = Descan().apply(Scan.from_array(data, position_weights=weights)).history[-1].values
    np.testing.assert_allclose(values["slopes_px_per_step"], ((0.3, -0.2), (0.05, 0.15)), atol=0.01)
    assert values["n_found"] <= weights.sum()


def test_bilinear_moves_by_fractions(disk):
    slopes = ((0.3, -0.2), (0.05, 0.15))
    data, _ = wandering(disk, slopes, dose=4000)
    scan = Descan(how="bilinear").apply(Scan.from_array(data))
    assert scan.data.dtype == np.float32
    values = scan.history[-1].values
    assert values["rms_after_px"] == pytest.approx(values["rms_about_plane_px"], abs=1e-3)
    inside = scan.pixel_weights > 0
    inner = np.zeros_like(inside)
    inner[14:32, 10:28] = True
    assert inner[inside].sum() > 200
    totals = scan.data[..., 14:32, 10:28].sum((2, 3))
    assert np.abs(totals / 4000 - 1).max() < 0.1


def test_left_out_pixels_move_with_the_frames(disk):
    data, _ = wandering(disk, ((0.0, 0.0), (0.0, 0.1)))
    weights = np.ones(PATTERN)
    weights[40, 30] = 0
    scan = Descan().apply(Scan.from_array(data, pixel_weights=weights))
    shifts = {round(-0.1 * (x - 14)) for x in range(29)}
    for shift in shifts:
        assert scan.pixel_weights[40, 30 + shift] == 0
    assert (scan.pixel_weights[40, 10:25] > 0).all()


@settings(deadline=None, max_examples=30)
@given(shift=st.tuples(st.integers(-9, 9), st.integers(-9, 9)), seed=st.integers(0, 9))
def test_moving_there_and_back_keeps_what_stayed_inside(shift, seed):
    frames = np.random.default_rng(seed).integers(1, 9, (2, 6, 5))
    there = np.array([shift, (0, 0)])
    gone = moved(frames, there)
    np.testing.assert_array_equal(gone[1], frames[1])
    back = moved(gone, -there)
    stayed = (
        moved_weights(None, (6, 5), there[:1])
        if abs(shift[0]) < 6 and abs(shift[1]) < 5
        else np.zeros((6, 5))
    )
    assert (gone[0] > 0).sum() == (stayed > 0).sum()
    np.testing.assert_array_equal(back[0][back[0] > 0], frames[0][back[0] > 0])


def test_moved_weights_are_means_where_every_frame_sees():
    weights = np.array([[1.0, 3.0, 5.0, 0.0]])
    shifts = np.array([[0, 0], [0, 0], [0, 0], [0, 1]])
    np.testing.assert_allclose(moved_weights(weights, (1, 4), shifts), [[0, 2.5, 4.5, 0]])


@pytest.mark.parametrize("dose", [100, 3000])
def test_origins_of_frames(disk, dose):
    data, places = wandering(disk, ((0.3, -0.2), (0.05, 0.15)), dose=dose)
    found = frame_origins(data.reshape(-1, *PATTERN), Search(tuple(MIDDLE), 2.6, 12.0))
    assert np.sqrt(np.mean((found - places) ** 2)) < 3 / np.sqrt(dose) + 0.02


def test_plane_with_nearly_half_wrong_origins():
    rng = np.random.default_rng(0)
    index = np.indices(SCAN).reshape(2, -1).T - (np.array(SCAN) - 1) / 2
    slopes = np.array([[0.2, -0.1], [0.03, 0.3]])
    origins = MIDDLE + index @ slopes + rng.normal(0, 0.05, (377, 2))
    origins[index[:, 1] > 2] += [6.0, -4.0]
    origins[5] = np.nan
    plane = fit_plane(origins, SCAN)
    np.testing.assert_allclose(plane.slopes, slopes, atol=0.005)
    np.testing.assert_allclose(plane.middle, MIDDLE, atol=0.03)
    np.testing.assert_allclose(plane.span, np.ptp(index @ slopes, axis=0), atol=0.1)
    assert not plane.inliers[5]


def test_too_few_beams_and_single_positions(gaussian):
    assert fit_plane(np.full((20, 2), np.nan), (4, 5)) is None
    assert fit_plane(np.zeros((1, 2)), (1, 1)) is None
    one = Scan.from_array(np.ones((1, 1, 9, 8)))
    assert "one pattern only" in Descan().apply(one).history[-1].effect
    few = np.zeros((3, 4, 21, 18))
    few[0, :3] = 50 * gaussian((21, 18), (10.0, 8.0), 2.0)
    assert "in 3 patterns only" in Descan().apply(Scan.from_array(few)).history[-1].effect


def test_scans_without_any_beam_and_bad_settings_are_refused():
    with pytest.raises(InputError, match="flat"):
        Descan().apply(Scan.from_array(np.ones((3, 4, 9, 8))))
    for bad in ({"how": "cubic"}, {"search_px": 0}, {"least_px": -1}):
        with pytest.raises(InputError, match="descan: "):
            Descan(**bad)
