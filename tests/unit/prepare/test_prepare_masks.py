"""Masks: exactly the pixels that geometry says, weights never come back, files and arrays alike."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import Scan
from unmixel.prepare.center import Center
from unmixel.prepare.images import read_image
from unmixel.prepare.masks import MaskBeam, MaskImage, MaskRim

SHAPE, CENTER = (31, 26), (14.3, 11.8)


@pytest.fixture
def scan(gaussian):
    data = np.random.default_rng(0).poisson(200 * gaussian(SHAPE, CENTER, 2.0) + 1, (3, 4, *SHAPE))
    axes = Axis("v", 31, 0.04, 0.0, "1/angstrom"), Axis("u", 26, 0.02, 0.0, "1/angstrom")
    return Scan(data, (Axis("y", 3), Axis("x", 4)), axes)


def distance(center):
    return np.hypot(*(np.indices(SHAPE) - np.reshape(center, (2, 1, 1))))


def test_beam_disk_in_px_about_the_origin_that_was_set(scan):
    masked = MaskBeam(radius=5).apply(Center(origin=[12, 10]).apply(scan))
    np.testing.assert_array_equal(masked.pixel_weights, distance((12, 10)) > 5)
    assert masked.data is scan.data
    values = masked.history[-1].values
    assert values["left_out_pixels"] == (masked.pixel_weights == 0).sum()
    assert values["used_pixels"] + values["left_out_pixels"] == 31 * 26


def test_beam_disk_in_units_follows_both_scales(scan):
    masked = MaskBeam(radius=0.1, unit="1/angstrom").apply(Center(origin=[12, 10]).apply(scan))
    v, u = np.indices(SHAPE)
    np.testing.assert_array_equal(masked.pixel_weights, np.hypot(0.04 * (v - 12), 0.02 * (u - 10)) > 0.1)


def test_beam_disk_is_measured_when_not_given(scan):
    masked = MaskBeam().apply(scan)
    values = masked.history[-1].values
    assert values["center_v_px"] == pytest.approx(CENTER[0], abs=0.1)
    # a Gaussian of sigma 2 falls to 2 % at 2.8 sigma
    assert 5 <= values["radius"] <= 7
    assert MaskBeam(factor=0.5).apply(scan).history[-1].values["radius"] == values["radius"] / 2


def test_a_hidden_beam_needs_a_radius(scan):
    hidden = MaskImage(distance(CENTER) > 6).apply(scan)
    with pytest.raises(InputError, match="give radius"):
        MaskBeam().apply(hidden)
    assert MaskBeam(radius=7).apply(hidden).history[-1].values["left_out_pixels"] > 0


@pytest.mark.parametrize(
    ("margin", "kept"),
    [
        (2, (slice(2, 29), slice(2, 24))),
        ([[3, 0], [0, 1]], (slice(3, 31), slice(0, 25))),
        (0, (slice(None),) * 2),
    ],
)
def test_rim_margins(scan, margin, kept):
    expected = np.zeros(SHAPE)
    expected[kept] = 1
    np.testing.assert_array_equal(MaskRim(margin).apply(scan).pixel_weights, expected)


def test_rim_radius(scan):
    masked = MaskRim(radius=10).apply(Center(origin=[15, 12]).apply(scan))
    np.testing.assert_array_equal(masked.pixel_weights, distance((15, 12)) <= 10)
    measured = MaskRim(1, radius=0.3, unit="1/angstrom").apply(scan)
    assert 0 < measured.pixel_weights.sum() < 29 * 24


def test_rim_of_spectra():
    spectra = Scan.from_array(np.ones((3, 20)))
    np.testing.assert_array_equal(MaskRim([[2, 5]]).apply(spectra).pixel_weights, [0, 0] + [1] * 13 + [0] * 5)
    with pytest.raises(InputError, match="spectra"):
        MaskRim(radius=3).apply(spectra)


@pytest.mark.parametrize("suffix", ["array", ".npy", ".npz"])
def test_mask_image_from_array_and_files(scan, tmp_path, suffix):
    use = np.random.default_rng(0).random(SHAPE) > 0.3
    given = use
    if suffix == ".npy":
        given = tmp_path / "use.npy"
        np.save(given, use.astype(np.float32))
    elif suffix == ".npz":
        given = str(tmp_path / "use.npz")
        np.savez(given, use=use.astype(int))
    masked = MaskImage(given).apply(scan)
    np.testing.assert_array_equal(masked.pixel_weights, use)
    assert masked.history[-1].values["sha256"] == MaskImage(use).apply(scan).history[-1].values["sha256"]


def test_masks_multiply_and_keep_other_weights(scan):
    weights = np.linspace(0.5, 2, 31 * 26).reshape(SHAPE)
    weighted = Scan(scan.data, scan.scan_axes, scan.pattern_axes, pixel_weights=weights)
    use = np.random.default_rng(0).random(SHAPE) > 0.3
    masked = MaskRim(1).apply(MaskImage(use).apply(weighted))
    expected = weights * use
    expected[[0, -1]] = expected[:, [0, -1]] = 0
    np.testing.assert_allclose(masked.pixel_weights, expected)


def test_positions_can_be_left_out(scan):
    use = np.array([[1, 0, 1, 1], [1, 1, 1, 1], [0, 0, 1, 1]])
    np.testing.assert_array_equal(MaskImage(use, of="scan").apply(scan).position_weights, use)


@pytest.mark.parametrize(
    "step",
    [
        MaskImage(np.zeros(SHAPE)),
        MaskRim(16),
        MaskBeam(radius=100),
        MaskImage(np.zeros((3, 4)), of="scan"),
    ],
)
def test_a_mask_that_leaves_nothing_is_refused(scan, step):
    with pytest.raises(InputError, match="mask less"):
        step.apply(scan)


@pytest.mark.parametrize("image", [np.full(SHAPE, 0.5), np.full(SHAPE, 2)])
def test_mask_images_are_yes_or_no(scan, image):
    with pytest.raises(InputError, match="only yes and no"):
        MaskImage(image).apply(scan)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.ones((3, 3)), "of shape"),
        (np.full(SHAPE, np.nan), "finite"),
        (np.full(SHAPE, "x"), "finite numbers"),
        ("missing.npy", "numpy file"),
    ],
)
def test_images_that_do_not_fit_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        read_image("step: image", given, SHAPE)


def test_image_files_that_cannot_serve_are_refused(tmp_path):
    (tmp_path / "text.npy").write_text("not numpy")
    np.savez(tmp_path / "two.npz", a=np.ones(2), b=np.ones(2))
    for name, message in (("text.npy", "numpy file"), ("two.npz", "one array")):
        with pytest.raises(InputError, match=message):
            read_image("step: image", tmp_path / name, (2,))


@pytest.mark.parametrize(
    "make",
    [
        lambda: MaskBeam(radius=0),
        lambda: MaskBeam(factor=-1),
        lambda: MaskRim(-1),
        lambda: MaskRim([[1, 2, 3], [0, 0]]),
        lambda: MaskRim([[1, -2], [0, 0]]),
        lambda: MaskRim(radius=-3),
        lambda: MaskImage([[1]], of="map"),
    ],
)
def test_bad_settings_are_refused(make):
    with pytest.raises(InputError, match="mask_"):
        make()


def test_the_number_of_margins_must_fit(scan):
    with pytest.raises(InputError, match="2 pairs"):
        MaskRim([[1, 2]]).apply(scan)
