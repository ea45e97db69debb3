"""Images come back with their numbers, scale, unit and origin, by tifffile and by RosettaSciIO."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from rsciio.tiff import file_reader

from unmixel.dataset.axes import Axis
from unmixel.io.exporters.contract import Parcel
from unmixel.io.exporters.tiff import TiffExporter, write_image
from unmixel.testing.results import example_result

AXES = (Axis("y", 5, 2.0, 10.0, "nm"), Axis("x", 7, 3.0, -4.5, "nm"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    TiffExporter().write(Parcel(example_result(), "mgo", lambda: tmp_path), tmp_path / "out")
    return tmp_path / "out"


def test_every_map_and_pattern_is_there_alone_and_in_a_stack(out: Path) -> None:
    result = example_result()
    pairs = {"map": result.maps, "pattern": result.patterns, "group_map": result.groups.maps}
    for name, values in (pairs | {"group_pattern": result.groups.patterns}).items():
        stack = tifffile.imread(out / f"{name}s.tif")
        assert stack.dtype == np.float32
        np.testing.assert_array_equal(stack, values.astype(np.float32))
        for number, image in enumerate(values):
            single = tifffile.imread(out / f"{name}s" / f"{name}_{number:03d}.tif")
            np.testing.assert_array_equal(single, image.astype(np.float32))
    np.testing.assert_array_equal(tifffile.imread(out / "particle_labels.tif"), result.particles.labels)


def test_imagej_finds_slices_scale_and_origin(out: Path) -> None:
    with tifffile.TiffFile(out / "patterns.tif") as file:
        told, page = file.imagej_metadata, file.pages[0]
        assert told["Labels"] == ["pattern 0", "pattern 1", "pattern 2"]
        assert told["slices"] == 3
        assert told["unit"] == "1/nm"  # 0.25 1/angstrom a pixel
        pixels, units = page.tags["XResolution"].value
        assert units / pixels == pytest.approx(2.5)
        assert told["xorigin"] == told["yorigin"] == pytest.approx(6.0)  # -1.5 is where index 0 is


@pytest.mark.parametrize("stacked", [False, True])
def test_rosettasciio_finds_scale_offset_and_unit_of_each_axis(tmp_path: Path, stacked: bool) -> None:
    values = np.arange(70.0).reshape(2, 5, 7)
    write_image(tmp_path / "a.tif", values if stacked else values[0], AXES, unit="counts", labels=("a", "b"))
    (signal,) = file_reader(tmp_path / "a.tif")
    y, x = signal["axes"][-2:]
    assert (y["scale"], y["offset"], y["units"]) == (2.0, 10.0, "nm")
    assert (x["scale"], x["offset"], x["units"]) == (3.0, -4.5, "nm")
    assert signal["metadata"]["Signal"]["quantity"] == "counts"
    np.testing.assert_array_equal(np.squeeze(signal["data"]), values if stacked else values[0])


def test_an_axis_that_runs_backwards_is_turned_round(tmp_path: Path) -> None:
    axes = (Axis("v", 5, -2.0, 8.0, "mrad"), Axis("u", 7, 3.0, 0.0, "mrad"))
    values = np.random.default_rng(0).random((5, 7)).astype(np.float32)
    write_image(tmp_path / "a.tif", values, axes, unit="share", labels=())
    (signal,) = file_reader(tmp_path / "a.tif")
    v = signal["axes"][0]
    assert (v["scale"], v["offset"]) == (2.0, 0.0)
    np.testing.assert_array_equal(signal["data"], values[::-1])


def test_spectra_are_rows_of_one_image(tmp_path: Path) -> None:
    result = example_result(pattern=(12,))
    TiffExporter().write(Parcel(result, "eels", lambda: tmp_path), tmp_path / "out")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out" / "patterns.tif"), result.patterns)
    assert not (tmp_path / "out" / "patterns").exists()
    assert TiffExporter().check(tmp_path / "out") == ()


@settings(max_examples=15, deadline=None)
@given(
    shape=st.lists(st.integers(1, 6), min_size=2, max_size=4),
    scale=st.floats(1e-4, 1e4),
    n_axes=st.integers(0, 3),
)
def test_any_shape_and_scale_survives(
    tmp_path_factory: pytest.TempPathFactory, shape: list[int], scale: float, n_axes: int
) -> None:
    n_axes = min(n_axes, len(shape) - 1)
    axes = tuple(Axis(f"a{i}", size, scale, 0.0, "nm") for i, size in enumerate(shape[len(shape) - n_axes :]))
    values = np.random.default_rng(1).random(shape).astype(np.float32)
    path = tmp_path_factory.mktemp("any") / "a.tif"
    write_image(path, values, axes, unit="counts", labels=())
    with tifffile.TiffFile(path) as file:
        np.testing.assert_array_equal(file.asarray().ravel(), values.ravel())
        if n_axes:
            pixels, units = file.pages[0].tags["XResolution"].value
            assert units / pixels == pytest.approx(scale, rel=1e-6)


def test_a_damaged_image_is_noticed(out: Path) -> None:
    path = out / "maps.tif"
    path.write_bytes(path.read_bytes()[:60])
    findings = TiffExporter().check(out)
    assert findings
    assert all("maps.tif" in finding for finding in findings)
    tifffile.imwrite(out / "patterns.tif", np.zeros((3, 4), np.float32))
    assert "patterns.tif: has no scale" in TiffExporter().check(out)
