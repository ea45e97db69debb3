"""Virtual detectors add up, follow units, and read any file once and in small pieces."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import Instrument, Scan
from unmixel.engines import blocks
from unmixel.io.open import open as open_scan
from unmixel.physics.wavelength import wavelength
from unmixel.prepare.center import Center
from unmixel.prepare.detectors import Annulus, Detector, Disk, center_of_mass, virtual_image
from unmixel.prepare.geometry import Geometry
from unmixel.prepare.masks import MaskBeam

SHAPE = (5, 7, 31, 26)
CENTER = (14.3, 11.8)


def counts(seed: int = 0, level: float = 3.0):
    return np.random.default_rng(seed).poisson(level, SHAPE).astype(np.uint16)


def calibrated(data, unit="1/angstrom", scale=0.02, voltage=300.0):
    return Scan.from_array(data, pattern_step=(scale, unit), instrument=Instrument(voltage_kV=voltage))


def test_adjacent_detectors_add_up_to_the_whole() -> None:
    data = counts()
    scan = Scan.from_array(data)
    images = virtual_image(
        scan, [Disk(4.3, "px"), Annulus(4.3, 9.1, "px"), Annulus(9.1, 100, "px")], center=CENTER
    )
    assert images.shape == (3, 5, 7)
    np.testing.assert_allclose(images.sum(axis=0), data.sum(axis=(2, 3)), rtol=1e-12)
    one = virtual_image(scan, Annulus(4.3, 9.1, "px"), center=CENTER)
    np.testing.assert_allclose(one, images[1], rtol=1e-12)


def test_a_detector_of_whole_pixels_sums_them_exactly() -> None:
    data = counts()
    image = virtual_image(Scan.from_array(data), Disk(100, "px"), center=CENTER)
    np.testing.assert_array_equal(image, data.sum(axis=(2, 3), dtype=float))


@settings(max_examples=15, deadline=None)
@given(
    voltage=st.floats(30, 1000),
    inner=st.floats(0.01, 0.1),
    more=st.floats(0.05, 0.2),
    oblong=st.floats(0.5, 2),
)
def test_units_say_the_same(voltage: float, inner: float, more: float, oblong: float) -> None:
    axes = (
        Axis("v", 31, scale=0.02 * oblong, unit="1/angstrom"),
        Axis("u", 26, scale=-0.02, unit="1/angstrom"),
    )
    plain = Scan.from_array(counts())
    scan = Scan(plain.data, plain.scan_axes, axes, instrument=Instrument(voltage_kV=voltage))
    outer, mrad = inner + more, wavelength(voltage) * 1e3
    side = 0.02 * min(1.0, oblong)
    same = [
        Annulus(inner, outer, "1/angstrom"),
        Annulus(10 * inner, 10 * outer, "1/nm"),
        Annulus(mrad * inner, mrad * outer, "mrad"),
        Annulus(inner / side, outer / side, "px"),
    ]
    images = virtual_image(scan, same, center=CENTER)
    np.testing.assert_allclose(images, np.broadcast_to(images[0], images.shape), rtol=1e-6, atol=1e-6)


def test_mrad_axes_serve_detectors_in_reciprocal_units() -> None:
    scan = calibrated(counts(), "mrad", 0.5, None)
    expected = virtual_image(scan, Disk(3, "mrad"), center=CENTER)
    found = virtual_image(scan, Disk(3e-3 / wavelength(200), "1/angstrom"), center=CENTER, voltage_kV=200)
    np.testing.assert_allclose(found, expected)
    with pytest.raises(InputError, match="acceleration voltage"):
        virtual_image(scan, Disk(3, "1/nm"), center=CENTER)


def test_a_disk_away_from_the_beam_is_a_dark_field() -> None:
    data = np.zeros((1, 2, 31, 26))
    data[0, 0, 20, 16], data[0, 1, 8, 16] = 5, 5
    scan = calibrated(data)
    spot = Disk(0.05, "1/angstrom", at=((20 - CENTER[0]) * 0.02, (16 - CENTER[1]) * 0.02))
    np.testing.assert_allclose(virtual_image(scan, spot, center=CENTER), [[5, 0]])


def test_the_centre_is_that_of_the_step_or_of_the_beam(gaussian) -> None:
    beam = np.broadcast_to(100 * gaussian((31, 26), CENTER, 2.0), SHAPE)
    scan = Scan.from_array(np.array(beam))
    expected = virtual_image(scan, Disk(3, "px"), center=CENTER)
    np.testing.assert_allclose(virtual_image(scan, Disk(3, "px")), expected, rtol=1e-3)
    moved = Center(origin=(5, 5)).apply(scan)
    np.testing.assert_allclose(
        virtual_image(moved, Disk(3, "px")), virtual_image(scan, Disk(3, "px"), center=(5.0, 5.0))
    )


def test_masked_pixels_do_not_count_unless_asked_for() -> None:
    data = counts().astype(float)
    masked = MaskBeam(radius=3).apply(Center(origin=CENTER).apply(Scan.from_array(data)))
    broken = data.copy()
    broken[..., masked.pixel_weights == 0] = np.nan
    ring = Annulus(1, 6, "px")
    found = virtual_image(Scan.from_array(broken), ring, center=CENTER, used=masked.pixel_weights > 0)
    np.testing.assert_allclose(found, virtual_image(masked, ring))
    with pytest.raises(InputError, match="covers a used pixel"):
        virtual_image(masked, Disk(1, "px"))
    whole = np.ones((31, 26), bool)
    assert virtual_image(masked, Disk(1, "px"), used=whole).max() > 0


def test_center_of_mass_follows_the_beam_and_takes_off_its_mean(gaussian) -> None:
    random = np.random.default_rng(0)
    at = np.array(CENTER) + random.uniform(-2, 2, (5, 7, 2))
    data = np.array([[gaussian((31, 26), place, 1.3) for place in row] for row in at])
    scan = calibrated(1000 * data)
    found = center_of_mass(scan, center=CENTER)
    shift = 0.02 * (at - np.array(CENTER))
    np.testing.assert_allclose(found.v, shift[..., 0] - shift[..., 0].mean(), atol=2e-4)
    np.testing.assert_allclose(found.u, shift[..., 1] - shift[..., 1].mean(), atol=2e-4)
    np.testing.assert_allclose(found.mean, shift.mean(axis=(0, 1)), atol=2e-4)
    assert found.unit == "1/angstrom"
    mrad = center_of_mass(scan, center=CENTER, unit="mrad")
    np.testing.assert_allclose(mrad.u, found.u * wavelength(300) * 1e3, rtol=1e-6)


def test_center_of_mass_within_a_disk_ignores_the_rest() -> None:
    data = np.zeros((1, 2, 31, 26))
    data[0, 0, 14, 12] = data[0, 1, 14, 14] = 1
    data[0, 0, 30, 25] = 50
    found = center_of_mass(Scan.from_array(data), detector=Disk(6, "px"), center=(14, 12))
    np.testing.assert_allclose(found.u, [[-1, 1]])


def test_patterns_without_counts_have_no_centre_of_mass() -> None:
    data = counts().astype(float)
    data[0, 0] = 0
    found = center_of_mass(Scan.from_array(data), center=CENTER)
    assert np.isnan(found.v[0, 0])
    assert np.isfinite(found.v).sum() == 34


def stored(folder, kind: str, data):
    if kind == "zarr":
        import zarr

        path = folder / "s.zarr"
        zarr.create_array(str(path), shape=data.shape, chunks=(4, 5, 32, 32), dtype=data.dtype)[:] = data
    else:
        import h5py

        path = folder / "s.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("data", data=data, chunks=(4, 5, 32, 32))
    return path


@pytest.mark.parametrize("kind", ["zarr", "hdf5"])
def test_a_file_is_read_once_and_never_whole(kind, tmp_path, monkeypatch) -> None:
    data = np.random.default_rng(0).poisson(2.0, (24, 25, 32, 32)).astype(np.uint16)
    scan = open_scan(stored(tmp_path, kind, data))
    sizes = []

    def spy(source, tile, read=blocks.read):
        values = read(source, tile)
        sizes.append(values.nbytes)
        return values

    monkeypatch.setattr(blocks, "read", spy)
    detectors = [Disk(4, "px"), Annulus(4, 9, "px"), Annulus(9, 13, "px")]
    found = virtual_image(scan, detectors, center=(16, 15), memory_budget=600_000)
    assert sum(sizes) == data.nbytes
    assert max(sizes) <= 100_000
    np.testing.assert_allclose(found, virtual_image(Scan.from_array(data), detectors, center=(16, 15)))


def test_lazy_data_give_the_same() -> None:
    data = counts()
    lazy = Scan.from_array(da.from_array(data, chunks=(2, 3, 31, 13)))
    verbs = (
        lambda scan: virtual_image(scan, Disk(5, "px"), center=CENTER),
        lambda scan: center_of_mass(scan, center=CENTER).u,
    )
    for verb in verbs:
        np.testing.assert_allclose(verb(lazy), verb(Scan.from_array(data)), rtol=1e-12)


class _Half:
    """Every pixel at or below the row of the beam: a detector of another kind."""

    unit = "px"

    def shares(self, geometry: Geometry):
        return (geometry.coordinates()[0] >= 0).astype(float)


def test_other_detectors_need_only_shares() -> None:
    data = counts()
    assert isinstance(_Half(), Detector)
    found = virtual_image(Scan.from_array(data), _Half(), center=(15, 12))
    np.testing.assert_array_equal(found, data[:, :, 15:].sum(axis=(2, 3)))


@pytest.mark.parametrize("make", [lambda: Disk(0), lambda: Disk(1, at=(np.nan, 0)), lambda: Annulus(3, 3)])
def test_bad_detectors_are_refused(make) -> None:
    with pytest.raises(InputError):
        make()


@pytest.mark.parametrize(
    ("scan", "detector", "given_"),
    [
        (Scan.from_array(np.ones((2, 3, 9))), Disk(2, "px"), {}),
        (Scan.from_array(counts()), Disk(2, "mrad"), {"center": CENTER}),
        (Scan.from_array(counts()), Disk(2, "furlong"), {"center": CENTER}),
        (Scan.from_array(counts()), Disk(2, "px"), {"center": (np.nan, 1)}),
        (Scan.from_array(counts()), Disk(2, "px"), {"center": CENTER, "used": np.ones((3, 3), bool)}),
    ],
)
def test_bad_input_is_refused(scan, detector, given_) -> None:
    with pytest.raises(InputError):
        virtual_image(scan, detector, **given_)
