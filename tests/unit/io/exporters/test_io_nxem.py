"""NXem: numbers, units and axes are those of the result; what is not known is not there; plots lead to the maps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from parcels import ABOUT, CASES, SIMULATED, make_result, parcel_of

from unmixel.core.errors import InputError, MissingExtraError
from unmixel.dataset.about import About, Microscope, Sample
from unmixel.io.exporters.contract import Exporter
from unmixel.io.exporters.nxem import NOT_KNOWN, NxemExporter


@pytest.fixture
def written(tmp_path):
    """Return a function that writes a result and opens the file."""
    opened = []

    def write(result, about=ABOUT):
        target = tmp_path / f"{len(opened)}.nxs"
        NxemExporter().write(parcel_of(result, tmp_path / "parcel", about), target)
        opened.append(h5py.File(target))
        return opened[-1]

    yield write
    for file in opened:
        file.close()


def word(node) -> str:
    return node.asstr()[()]


def test_it_is_an_exporter() -> None:
    assert isinstance(NxemExporter(), Exporter)


@pytest.mark.parametrize("case", CASES)
def test_maps_and_patterns_are_those_of_the_result_on_its_axes(written, case) -> None:
    result = CASES[case]
    found = written(result)["entry/roi1/factorisation"]
    factors = result.factors
    for name, values, axes in (
        ("maps", factors.maps, factors.scan_axes),
        ("patterns", factors.patterns, factors.pattern_axes),
    ):
        data = found[name]
        assert data.attrs["NX_class"] == "NXdata"
        assert data.attrs["signal"] == name
        np.testing.assert_array_equal(data[name], values)
        assert list(data.attrs["axes"]) == ["component", *(axis.name for axis in axes)]
        for place, axis in enumerate(axes, start=1):
            np.testing.assert_array_equal(data[axis.name], axis.values)
            assert data[axis.name].attrs["units"] == axis.unit
            assert data.attrs[f"{axis.name}_indices"] == place
        assert "units" not in data["component"].attrs
    assert found["maps/maps"].attrs["units"] == "counts"
    np.testing.assert_array_equal(found["maps/maps_errors"], factors.uncertainty.maps)
    np.testing.assert_array_equal(found["strengths/strengths"], factors.strengths)
    np.testing.assert_array_equal(found["convergence/convergence"], factors.convergence.objective)
    np.testing.assert_array_equal(found["used/used"], factors.used_pixels)


@pytest.mark.parametrize("case", CASES)
def test_defaults_lead_from_the_root_to_the_maps(written, case) -> None:
    group = written(CASES[case])
    path = []
    while "default" in group.attrs:
        path.append(group.attrs["default"])
        group = group[path[-1]]
    assert path == ["entry", "roi1", "factorisation", "maps"]
    assert group.attrs["NX_class"] == "NXdata"


def test_groups_particles_and_orientations_where_there_are_any(written) -> None:
    result = CASES["everything"]
    roi = written(result)["entry/roi1"]
    order = {name: int(roi[name]["sequence_index"][()]) for name in roi}
    assert sorted(order, key=order.get) == [
        "scan", "factorisation", "grouping", "phases", "particles", "orientations",
    ]  # fmt: skip
    assert list(roi["phases/table/phase"].asstr()) == ["amorphous", "unknown"]
    np.testing.assert_array_equal(roi["grouping/maps/maps"], result.groups.maps)
    np.testing.assert_array_equal(roi["grouping/labels/labels"], result.groups.labels)
    assert roi["grouping/rotation/rotation"].attrs["units"] == "deg"
    np.testing.assert_array_equal(roi["particles/labels/labels"], result.particles.labels)
    statistics = roi["particles/statistics"]
    assert statistics["mean_diameter"][()] == result.particles.mean_diameter
    assert statistics["mean_diameter"].attrs["units"] == "nm"
    assert statistics["number_density"].attrs["units"] == "1/nm^2"
    assert "volume_fraction" not in statistics
    assert roi["particles/table/diameter_nm"][0] == pytest.approx(3.385)
    np.testing.assert_array_equal(roi["orientations/matrices/matrices"], result.orientations.matrices)
    assert roi["orientations/table/a_angstrom"][0] == 3.26
    assert list(written(CASES["without groups"])["entry/roi1"]) == ["factorisation", "scan"]


def test_images_of_the_scan_go_by_shape_then_name_and_kernels_stay_out(written) -> None:
    for case in ("patterns", "same shape"):
        result = CASES[case]
        found = written(result)["entry/roi1/scan"]
        assert [name for name in found if found[name].attrs.get("NX_class") == "NXdata"] == [
            "mean_map",
            "mean_pattern",
        ]
        assert list(found["mean_pattern"].attrs["axes"]) == ["v", "u"]
        assert list(found["mean_map"].attrs["axes"]) == ["y", "x"]
        assert found.attrs["default"] == "mean_map"


def test_the_instrument_in_units_of_its_fields(written) -> None:
    found = written(CASES["patterns"])["entry/measurement"]
    event = found["event1/instrument"]
    assert event["ebeam_column/electron_source/voltage"][()] == pytest.approx(300e3)
    assert event["ebeam_column/electron_source/voltage"].attrs["units"] == "V"
    assert event["ebeam_column/scan_controller/dwell_time"][()] == 0.001
    assert event["optics/camera_length"][()] == 210.0
    assert event["optics/camera_length"].attrs["units"] == "mm"
    assert event["optics/semi_convergence_angle"].attrs["units"] == "mrad"
    assert "probe_current" not in event["optics"]
    assert word(found["instrument/name"]) == "A microscope"
    assert word(found["instrument/fabrication/vendor"]) == NOT_KNOWN
    assert word(found["instrument/detector1/name"]) == "A camera"


def test_vendor_and_model_are_taken_from_the_user(written) -> None:
    about = replace(ABOUT, microscope=Microscope("A Maker", "M-1"))
    found = written(CASES["patterns"], about)["entry/measurement/instrument/fabrication"]
    assert word(found["vendor"]) == "A Maker"
    assert word(found["model"]) == "M-1"


def test_sample_authors_and_papers(written) -> None:
    entry = written(CASES["patterns"])["entry"]
    sample = entry["sample"]
    assert not sample["is_simulation"][()]
    assert word(sample["atom_types"]) == "Zr,Cu,Al"
    assert word(sample["preparation_date"]) == "2024-05-01T14:00:00+09:00"
    assert word(entry["start_time"]) == "2024-05-02T09:30:00+09:00"
    assert word(entry["user1/name"]) == "Ada Example"
    assert word(entry["user1/identifier_orcid"]) == "https://orcid.org/0000-0002-1825-0097"
    assert word(entry["cite1/doi"]) == "10.1038/44565"
    assert word(entry["cite2/doi"]) == "10.1038/s41598-025-23541-7"  # the one between has no DOI
    assert "cite3" not in entry


def test_simulated_data_say_so_and_have_no_instrument(written) -> None:
    about = About(sample=Sample(elements=("Zr", "Cu")))
    entry = written(CASES["simulated"], about)["entry"]
    assert entry["sample/is_simulation"][()]
    assert "measurement" not in entry
    assert word(entry["simulation/config/address"]) == "demo:glass?scan=7x6"
    assert word(entry["simulation/program1/program"]) == "unmixel"
    assert word(entry["start_time"]) == word(entry["sample/preparation_date"]) == SIMULATED["started"]
    assert "note1" not in entry


def test_the_input_is_named_without_its_folders(written) -> None:
    file = written(CASES["patterns"])
    note = file["entry/note1"]
    assert word(note["file_name"]) == "scan.mib"
    assert word(note["checksum"]) == "7f" * 32
    assert word(note["algorithm"]) == "SHA-256 of the whole file"
    assert b"someone" not in Path(file.filename).read_bytes()


def test_little_is_written_of_a_bare_result(written) -> None:
    entry = written(CASES["bare"])["entry"]
    assert not {"measurement", "note1", "profiling", "recipe"} & set(entry)
    assert list(entry["roi1"]) == ["factorisation"]


@pytest.mark.parametrize(
    ("about", "lacking"),
    [
        (About(), ["measured", "prepared", "elements"]),
        (replace(ABOUT, measured=""), ["measured"]),
        (replace(ABOUT, measured="2024-05-02"), ["measured"]),  # a day alone is too little for NXem
        (replace(ABOUT, sample=replace(ABOUT.sample, elements=())), ["elements"]),
    ],
    ids=["nothing", "no beginning", "a day", "no elements"],
)
def test_what_nxem_demands_is_asked_for_and_never_invented(tmp_path, about, lacking) -> None:
    parcel = parcel_of(make_result(), tmp_path / "parcel", about)
    target = tmp_path / "out.nxs"
    with pytest.raises(InputError, match="--about") as caught:
        NxemExporter().write(parcel, target)
    got = str(caught.value).split("nothing said of")[1]
    for name in ("measured", "prepared", "elements"):
        assert (f"{name}'" in got) == (name in lacking)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parcel"]


def test_an_axis_of_any_name_is_written(written) -> None:
    result = make_result(grouped=False)
    odd = (replace(result.factors.scan_axes[0], name="time / s"), result.factors.scan_axes[1])
    data = written(replace(result, factors=replace(result.factors, scan_axes=odd)))[
        "entry/roi1/factorisation/maps"
    ]
    assert list(data.attrs["axes"]) == ["component", "time___s", "x"]
    assert data["time___s"].attrs["long_name"] == "time / s (nm)"


def test_the_same_parcel_gives_the_same_file(tmp_path) -> None:
    parcel = parcel_of(CASES["everything"], tmp_path / "parcel")
    for name in ("a.nxs", "b.nxs"):
        NxemExporter().write(parcel, tmp_path / name)
    assert (tmp_path / "a.nxs").read_bytes() == (tmp_path / "b.nxs").read_bytes()


@pytest.mark.parametrize("package", ["pynxtools", "silx"])
def test_a_judge_that_is_missing_is_named(tmp_path, monkeypatch, package) -> None:
    target = tmp_path / "out.nxs"
    NxemExporter().write(parcel_of(make_result(), tmp_path / "parcel"), target)
    for name in ("pynxtools.dataconverter.validate_file", "silx.io", "silx"):
        if name.startswith(package):
            monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(MissingExtraError, match=r"unmixel\[fair\]"):
        NxemExporter().check(target)
