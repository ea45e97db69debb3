"""Exports in the hands of those that they are for: HyperSpy, emdfile, orix.

Runs where these are installed; `make test-hyperspy` sets up an environment with them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unmixel.io.exporters.contract import Parcel
from unmixel.io.exporters.csv import CsvExporter
from unmixel.io.exporters.emd import EmdExporter
from unmixel.io.exporters.hspy import HspyExporter, ZspyExporter
from unmixel.io.exporters.tiff import TiffExporter
from unmixel.pipeline import stages
from unmixel.pipeline.parcel import packed
from unmixel.testing.results import example_result

# HyperSpy, orix and what they bring warn about one another; that is not ours to mend
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def parcel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parcel:
    monkeypatch.setattr(stages, "report", lambda result, path: path.write_text("page"))
    (tmp_path / "parcel").mkdir()
    return packed(example_result(), "mgo", tmp_path / "parcel")


@pytest.fixture
def hs() -> Any:
    return pytest.importorskip("hyperspy.api", reason="HyperSpy is not installed here", exc_type=ImportError)


@pytest.fixture(params=[HspyExporter, ZspyExporter])
def signal(request: pytest.FixtureRequest, parcel: Parcel, tmp_path: Path, hs: Any) -> Any:
    exporter = request.param()
    target = tmp_path / f"mgo{exporter.suffix}"
    exporter.write(parcel, target)
    return hs.load(str(target))


def test_hyperspy_finds_loadings_and_factors_with_their_axes(signal: Any, parcel: Parcel, hs: Any) -> None:
    result = parcel.result
    maps, patterns = signal.get_decomposition_loadings(), signal.get_decomposition_factors()
    np.testing.assert_array_equal(maps.data, result.maps)
    np.testing.assert_array_equal(patterns.data, result.patterns)
    assert isinstance(signal, hs.signals.Signal2D)
    for found, expected in zip(
        (*maps.axes_manager.signal_axes[::-1], *patterns.axes_manager.signal_axes[::-1]),
        (*result.factors.scan_axes, *result.factors.pattern_axes),
        strict=True,
    ):
        assert (found.name, found.size, found.units) == (expected.name, expected.size, expected.unit)
        assert (found.scale, found.offset) == pytest.approx((expected.scale, expected.offset))


def test_hyperspy_makes_the_model(signal: Any, parcel: Parcel) -> None:
    model = signal.get_decomposition_model()
    expected = np.einsum("kyx,kvu->yxvu", parcel.result.maps, parcel.result.patterns)
    np.testing.assert_allclose(model.data, expected, rtol=1e-5)
    partial = signal.get_decomposition_model([1])
    np.testing.assert_allclose(partial.data, expected * 0 + np.einsum(
        "yx,vu->yxvu", parcel.result.maps[1], parcel.result.patterns[1]), rtol=1e-5)  # fmt: skip


def test_hyperspy_plots_the_results(signal: Any) -> None:
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    for plot in (
        signal.plot_decomposition_results,
        signal.plot_decomposition_factors,
        signal.plot_decomposition_loadings,
    ):
        plot()
        assert plt.get_fignums()
        plt.close("all")


def test_hyperspy_finds_masks_groups_and_provenance(signal: Any, parcel: Parcel) -> None:
    result = parcel.result
    np.testing.assert_array_equal(signal.learning_results.signal_mask, ~result.factors.used_pixels)
    told = signal.original_metadata.unmixel
    np.testing.assert_array_equal(told.groups.labels, result.groups.labels)
    np.testing.assert_array_equal(told.groups.patterns, result.groups.patterns)
    assert told.record.versions.unmixel == "0.1.0"
    assert signal.metadata.General.title == "mgo"


def test_the_results_go_onto_a_measured_signal(signal: Any, parcel: Parcel, hs: Any) -> None:
    measured = hs.signals.Signal2D(np.ones(signal.data.shape, np.uint16))
    measured.learning_results = signal.learning_results
    np.testing.assert_array_equal(measured.get_decomposition_loadings().data, parcel.result.maps)


def test_the_data_that_are_not_there_are_nan_and_take_no_room(
    signal: Any, parcel: Parcel, tmp_path: Path
) -> None:
    assert np.isnan(signal.data).all()
    large = Parcel(example_result(scan=(120, 100), pattern=(64, 60)), "large", parcel.fill)
    HspyExporter().write(large, tmp_path / "large.hspy")
    assert (tmp_path / "large.hspy").stat().st_size < 1e6 < np.prod((120, 100, 64, 60))


def test_hyperspy_saves_what_it_loaded(signal: Any, parcel: Parcel, tmp_path: Path, hs: Any) -> None:
    signal.save(tmp_path / "again.hspy")
    again = hs.load(tmp_path / "again.hspy")
    np.testing.assert_array_equal(again.get_decomposition_loadings().data, parcel.result.maps)


@pytest.mark.parametrize("example", [{"pattern": (12,)}, {"scan": (9,)}, {"calibrated": False}])
def test_hyperspy_takes_other_shapes(
    example: dict[str, Any], parcel: Parcel, tmp_path: Path, hs: Any
) -> None:
    result = example_result(**example)
    HspyExporter().write(Parcel(result, "other", parcel.fill), tmp_path / "other.hspy")
    signal = hs.load(tmp_path / "other.hspy")
    np.testing.assert_array_equal(signal.get_decomposition_loadings().data, result.maps)
    np.testing.assert_array_equal(signal.get_decomposition_factors().data, result.patterns)


def test_hyperspy_reads_the_images(parcel: Parcel, tmp_path: Path, hs: Any) -> None:
    TiffExporter().write(parcel, tmp_path / "tiff")
    image = hs.load(str(tmp_path / "tiff" / "patterns" / "pattern_001.tif"))
    np.testing.assert_array_equal(image.data, parcel.result.patterns[1])
    assert {(axis.scale, axis.offset, axis.units) for axis in image.axes_manager.signal_axes} == {
        (2.5, -15.0, "1/nm")
    }


def test_emdfile_reads_arrays_points_and_metadata(parcel: Parcel, tmp_path: Path) -> None:
    emdfile = pytest.importorskip("emdfile", reason="emdfile is not installed here")
    EmdExporter().write(parcel, tmp_path / "mgo.emd")
    tree, result = emdfile.read(tmp_path / "mgo.emd"), parcel.result
    patterns = tree.tree("patterns")
    np.testing.assert_array_equal(patterns.data, result.patterns)
    one = patterns["component 1"]
    np.testing.assert_array_equal(one.data, result.patterns[1])
    assert list(one.dim_names) == ["v", "u"]
    assert [str(unit) for unit in one.dim_units] == ["A^-1", "A^-1"]
    np.testing.assert_allclose(one.dims[1], result.factors.pattern_axes[1].values)
    points = tree.tree("particles")
    assert isinstance(points, emdfile.PointList)
    assert points.data["diameter"].tolist() == [p.diameter for p in result.particles.table]
    assert points.data["on_border"].tolist() == [False, True]
    np.testing.assert_array_equal(tree.metadata["components"]["strengths"], result.factors.strengths)
    assert '"status": "finished"' in tree.metadata["provenance"]["record"]
    assert tree.metadata["particles"]["unit"] == "nm"


@pytest.mark.parametrize("example", [{"pattern": (12,)}, {"scan": (9,)}, {"whole": False}])
def test_emdfile_reads_other_shapes(example: dict[str, Any], tmp_path: Path) -> None:
    emdfile = pytest.importorskip("emdfile", reason="emdfile is not installed here")
    result = example_result(**example)
    EmdExporter().write(Parcel(result, "other", lambda: tmp_path), tmp_path / "other.emd")
    np.testing.assert_array_equal(emdfile.read(tmp_path / "other.emd").tree("maps").data, result.maps)


def test_emdfile_writes_what_it_read(parcel: Parcel, tmp_path: Path) -> None:
    emdfile = pytest.importorskip("emdfile", reason="emdfile is not installed here")
    EmdExporter().write(parcel, tmp_path / "mgo.emd")
    emdfile.save(str(tmp_path / "again.emd"), emdfile.read(tmp_path / "mgo.emd"))
    again = emdfile.read(tmp_path / "again.emd")
    np.testing.assert_array_equal(again.tree("maps").data, parcel.result.maps)


def test_orix_reads_the_orientations(parcel: Parcel, tmp_path: Path) -> None:
    io = pytest.importorskip("orix.io", reason="orix is not installed here")
    CsvExporter().write(parcel, tmp_path / "csv")
    crystals, given = io.load(tmp_path / "csv" / "orientations.ang"), parcel.result.orientations
    assert crystals.shape == given.phase.shape
    assert crystals.phases[1].name == "Cu"
    np.testing.assert_array_equal(crystals.is_indexed.reshape(crystals.shape), given.known)
    assert crystals.dx * 1000 == pytest.approx(given.axes[1].scale)
    # a along x, seen in a frame whose y and z point the other way: half a turn about x
    turned = crystals[crystals.is_indexed].orientations.angle
    np.testing.assert_allclose(np.rad2deg(turned), 180, atol=0.01)
