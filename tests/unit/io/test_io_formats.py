"""Every real file of the shared collection opens as expected or gives the clear error. The table is the test."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

import unmixel
from unmixel.core.errors import ReadError
from unmixel.engines.lazy import is_lazy
from unmixel.io.card import data_card
from unmixel.io.messages import heard

DATA = Path(__file__).parents[3] / ".." / "shared" / "data"
FORMATS = DATA / "formats"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not FORMATS.is_dir(), reason="the shared vendor files are not beside the repository"),
]

NM, K, MRAD, EV, PX, S = "nm", "1/angstrom", "mrad", "eV", "px", "s"

# file: (scan shape, pattern shape, dtype, units of scan and pattern, beginning of the format)
OPENS: dict[str, tuple] = {
    "arina/test_00_data_000001.h5": ((16,), (192, 192), "uint32", (PX, PX), "HDF5"),
    "arina/test_00_master.h5": ((4, 4), (192, 192), "uint32", (NM, PX), "DECTRIS"),
    "blockfile/test1.blo": ((3, 2), (144, 144), "uint8", (NM, PX), "NanoMEGAS blockfile"),
    "blockfile/test2.blo": ((2, 3), (5, 5), "uint8", (NM, PX), "NanoMEGAS blockfile"),
    "bruker/P45_the_default_job.bcf": ((75, 100), (2048,), "uint8", (NM, EV), "Bruker"),
    "bruker/test_TEM.bcf": ((64, 64), (2048,), "uint8", (NM, EV), "Bruker"),
    "digitalmicrograph/EELS_SI.dm4": ((2, 2), (2048,), "float32", (NM, EV), "Gatan"),
    "digitalmicrograph/test_diffraction_pattern.dm3": ((), (87, 87), "int32", (None, K), "Gatan"),
    "emd/Si100_4D.emd": ((11, 11), (8, 8), "float32", (NM, K), "EMD"),
    "emd/example_signal.emd": ((3, 3), (3,), "int32", (PX, PX), "EMD"),
    "emd/fei_example_tem_stack.emd": ((2,), (3, 3), "int16", (S, NM), "EMD"),
    "emd/py4DSTEM_size2x3x4x5.h5": ((2, 3), (4, 5), "float32", (NM, K), "EMD 1.0"),
    "hspy/example1_v1.0.hdf5": ((), (21,), "float64", (None, EV), "HyperSpy"),
    "hspy/example1_v1.1.hdf5": ((), (21,), "float64", (None, EV), "HyperSpy"),
    "hspy/example1_v1.2.hdf5": ((), (21,), "float64", (None, EV), "HyperSpy"),
    "hspy/example2_v2.2.hspy": ((), (10, 10), "int64", (None, PX), "HyperSpy"),
    "hspy/example2_v3.1.hspy": ((), (16, 16), "int32", (None, K), "HyperSpy"),
    "hspy/hspy_ext_missing.hspy": ((), (1,), "int64", (None, PX), "HyperSpy"),
    "hspy/none_metadata.hdf5": ((), (1,), "int64", (None, PX), "HyperSpy"),
    "hspy/test_marker_bad_marker_type.hdf5": ((), (10, 10), "float64", (None, PX), "HyperSpy"),
    "hspy/test_marker_point_y2_data_deleted.hdf5": ((), (10, 10), "float64", (None, PX), "HyperSpy"),
    "hspy/with_lists_etc.hdf5": ((), (10,), "int64", (None, PX), "HyperSpy"),
    "mrc/20241021_00405_final.mrc": ((), (4, 8), "float32", (None, PX), "MRC"),
    "mrc/20241021_00405_movie.mrc": ((4, 8), (4, 8), "uint16", (NM, K), "MRC"),
    "mrc/Custom_movie.mrc": ((5, 5, 2), (16, 16), "uint16", (PX, PX), "MRC"),
    "mrc/ROI_Random_Scan_movie.mrc": ((29, 12), (16, 16), "uint16", (PX, PX), "MRC"),
    "nexus/nexus_dls_example.nxs": ((10, 10), (15,), "float64", (PX, PX), "NeXus"),
    "nexus/nexus_dls_example_no_axes.nxs": ((10, 10), (15,), "float64", (PX, PX), "NeXus"),
    "nexus/nexus_test_datakey.nxs": ((4, 5), (6,), "float64", (PX, PX), "NeXus"),
    "nexus/nxdata_tagged_as_string.nxs": ((), (2, 3), "int64", (None, PX), "NeXus"),
    "nexus/saved_multi_signal.nxs": ((15, 1), (40, 40), "float64", (PX, PX), "NeXus"),
    "nexus/simple_signal.nxs": ((15, 1), (40, 40), "float64", (PX, PX), "NeXus"),
    "pantarhei/panta_rhei_sample.prz": ((), (16, 16), "uint16", (None, NM), "CEOS Panta Rhei"),
    "pantarhei/panta_rhei_sample_legacy.prz": ((), (16, 16), "uint16", (None, PX), "CEOS Panta Rhei"),
    "topspin/topspin_test_A.app5": ((2, 5), (14, 12), "float32", (NM, MRAD), "NanoMEGAS TopSpin"),
    "topspin/topspin_test_B.app5": ((3, 7), (31, 26), "float32", (NM, MRAD), "NanoMEGAS TopSpin"),
    "topspin/topspin_test_C.app5": ((3, 5), (14, 12), "float32", (NM, MRAD), "NanoMEGAS TopSpin"),
    "zspy/signal1d_10x10-NestedDirectoryStore.zspy": ((10,), (10,), "int64", (PX, PX), "HyperSpy zspy"),
    "../mgo_sped/mgo_nanoparticles.zspy": ((105, 105), (144, 144), "float32", (NM, K), "HyperSpy zspy"),
    "../edx_geology/71GPa_experimental_data.hspy": ((201, 201), (2048,), "uint8", (NM, EV), "HyperSpy hspy"),
    "../edx_geology/71GPa_subsolidus.hspy": ((201, 201), (1918,), "uint8", (NM, EV), "HyperSpy hspy"),
    "../edx_geology/88_ES-LP_G8_selection2_cropped2.hspy": (
        (80, 80),
        (1917,),
        "uint8",
        (NM, EV),
        "HyperSpy hspy",
    ),
    "../eels_mn3o4/SI_data.npz": ((24, 22), (138,), "float64", (PX, EV), "NumPy npz"),
    "../eels_mn3o4/mn3o4_f2.mat": ((24, 22), (138,), "float64", (PX, PX), "MATLAB"),
    "../orient4d_grains/scan_32.npz": ((32, 32), (64, 64), "uint16", (PX, PX), "NumPy npz"),
}

REFUSED = {
    "arina/test_00.h5": "open test_00_master.h5 beside it",
    "bruker/Nope.bcf": r"tried: Bruker bcf\).*not SFS container",
    "digitalmicrograph/test-8.dm4": "colour images",
    "emd/velox_emd_version11.zip": "unpack it and open one of its files: Test SI 16x16 215 kx.emd",
    "hspy/test_rgba16.hdf5": "colour images",
    "mrc/20241021_00405_info.txt": "open 20241021_00405_movie.mrc beside it",
    "mrc/Custom_info.txt": "open Custom_movie.mrc beside it",
    "mrc/Custom_scan_coordinates.csv": "open Custom_movie.mrc beside it",
    "mrc/ROI_Random_Scan_info.txt": "open ROI_Random_Scan_movie.mrc beside it",
    "mrc/ROI_Random_Scan_scan_coordinates.csv": "open ROI_Random_Scan_movie.mrc beside it",
    "npz/test_rgba16.npz": "colour images",
    "quantumdetector/Merlin_Single_Quad.zip": "unpack it and open one of its files: .*mib",
    "quantumdetector/Merlin_navigation4x2_ROI.zip": "unpack it and open one of its files: .*mib",
    "quantumdetector/Merlin_navigation4x2_signalNx256_ROI.zip": "unpack it and open one of its files: .*mib",
}

MIB = {
    "Merlin_navigation4x2_ROI/001_4x2_6bit.mib": ((8,), (256, 256), "uint8"),
    "Merlin_navigation4x2_ROI/002_4x2_6bit_roi128.mib": ((8,), (128, 256), "uint8"),
    "Merlin_navigation4x2_signalNx256_ROI/002_merlin_test_roi_sig256x128_nav4x2_hot_pixel_52x_39y.mib": (
        (2, 4),
        (128, 256),
        "uint16",
    ),
    "Merlin_navigation4x2_signalNx256_ROI/003_merlin_test_roi_sig256x64_nav4x2_hot_pixel_52x_39y.mib": (
        (2, 4),
        (64, 256),
        "uint16",
    ),
    **{
        f"Merlin_Single_Quad/{chips}_{n}_Frame_CounterDepth_{depth}_Rows_256.mib": (
            (9,) if n == 9 else (),
            (512, 512) if chips == "Quad" else (256, 256),
            {1: "uint8", 6: "uint8", 12: "uint16", 24: "uint32"}[depth],
        )
        for chips in ("Quad", "Single")
        for n in (1, 9)
        for depth in (1, 6, 12, 24)
    },
}


def test_the_table_is_complete() -> None:
    files = {str(p.relative_to(FORMATS)) for p in FORMATS.rglob("*") if p.is_file() and ".zspy" not in str(p)}
    files |= {str(p.relative_to(FORMATS)) for p in FORMATS.rglob("*.zspy")}
    assert files == {name for name in (*OPENS, *REFUSED) if not name.startswith("..")}


@pytest.mark.parametrize("name", OPENS)
def test_opens(name: str, recwarn: pytest.WarningsRecorder, capfd: pytest.CaptureFixture[str]) -> None:
    scan_shape, pattern_shape, dtype, (scan_unit, pattern_unit), form = OPENS[name]
    path = FORMATS / name
    scan = unmixel.open(path)
    assert (scan.scan_shape, scan.pattern_shape, str(scan.data.dtype)) == (scan_shape, pattern_shape, dtype)
    assert {axis.unit for axis in scan.scan_axes if axis.unit != "s" or scan_unit == "s"} <= {scan_unit}
    assert {axis.unit for axis in scan.pattern_axes} == {pattern_unit}
    assert is_lazy(scan.data) or name.endswith(".mat")
    assert scan.source.format.startswith(form)
    assert scan.source.path == str(path)
    last = np.asarray(scan.data[(-1,) * len(scan.scan_axes)])
    assert last.shape == pattern_shape
    card = data_card(scan)
    json.dumps(card.to_dict(), allow_nan=False)
    assert {"Format", "Shape", "Memory", "Counts", "Values", "Saturated", "Voltage"} <= {
        r.label for r in card.rows
    }
    assert len(recwarn) == 0
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused_with_advice(name: str) -> None:
    with pytest.raises(ReadError, match=REFUSED[name]) as caught:
        unmixel.open(FORMATS / name)
    assert Path(name).name in str(caught.value)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    for archive in (*FORMATS.glob("quantumdetector/*.zip"), *FORMATS.glob("emd/*.zip")):
        zipfile.ZipFile(archive).extractall(folder / archive.stem)
    return folder


@pytest.mark.parametrize("name", MIB)
def test_merlin_files_open_once_unpacked(name: str, unpacked: Path) -> None:
    scan = unmixel.open(unpacked / name)
    assert (scan.scan_shape, scan.pattern_shape, str(scan.data.dtype)) == MIB[name]
    assert scan.instrument.dwell_s in (0.001, 0.1)


def test_merlin_counter_bits_are_refused(unpacked: Path) -> None:
    raw = sorted(unpacked.rglob("*RAW.mib"))
    assert len(raw) == 4
    for path in raw:
        with pytest.raises(ReadError, match="a variant that cannot be read"):
            unmixel.open(path)


def test_merlin_rows_are_hinted_at(unpacked: Path) -> None:
    scan = unmixel.open(unpacked / "Merlin_navigation4x2_ROI" / "001_4x2_6bit.mib")
    assert any("scan_shape=(2, 4) is likely" in note for note in scan.source.notes)


def test_hot_pixel_of_the_merlin_test_is_where_its_name_says(unpacked: Path) -> None:
    """The file's name gives the pixel as stored; rows and columns are not exchanged, rows are upside down."""
    folder = unpacked / "Merlin_navigation4x2_signalNx256_ROI"
    for path in sorted(folder.glob("*.mib")):
        frame = np.asarray(unmixel.open(path).data[0, 0])
        v, u = np.unravel_index(int(np.argmax(frame)), frame.shape)
        assert (u, v) == (52, frame.shape[0] - 1 - 39)


def test_velox_events_add_up_to_the_spectra_that_velox_summed(unpacked: Path) -> None:
    """The file holds the sum spectrum of each detector, counted by Velox itself: an independent truth."""
    import h5py

    path = unpacked / "velox_emd_version11" / "Test SI 16x16 215 kx.emd"
    scan = unmixel.open(path)
    assert (scan.scan_shape, scan.pattern_shape) == ((16, 16), (4096,))
    with h5py.File(path) as file:
        truth = sum(node["Data"][:, 0].astype(int) for node in file["Data/Spectrum"].values())
    assert np.array_equal(np.asarray(scan.data).sum(axis=(0, 1)), truth)
    assert scan.pattern_axes[0].scale == 10.0
    assert scan.scan_axes[0].scale == pytest.approx(3.59925, rel=1e-5)


def test_velox_reduced_data_are_refused_with_advice(unpacked: Path) -> None:
    with pytest.raises(ReadError, match="save it from Velox with its full data"):
        unmixel.open(unpacked / "velox_emd_version11" / "Test SI 16x16 ReducedData 215 kx.emd")


def test_what_the_microscope_said_of_the_mgo_scan() -> None:
    scan = unmixel.open(DATA / "mgo_sped" / "mgo_nanoparticles.zspy")
    assert [(a.scale, a.offset) for a in scan.scan_axes] == [(3.03, 0.5)] * 2
    assert [(a.scale, a.offset) for a in scan.pattern_axes] == [(0.03246, -2.33712)] * 2
    known = scan.instrument
    assert (known.voltage_kV, known.convergence_mrad) == (300.0, 0.7)
    assert (known.camera_length_mm, known.dwell_s) == (210.0, 0.01)


def test_the_card_of_the_mgo_scan_warns_of_what_is_wrong_with_it() -> None:
    card = data_card(unmixel.open(DATA / "mgo_sped" / "mgo_nanoparticles.zspy"))
    counts, lights = card.values["counts"], card.values["lights"]
    assert counts["whole"]
    assert (counts["saturated_at"], counts["threshold"]) == (1020.0, 70)
    assert 3e5 < counts["mean"] < 7e5
    assert counts["noise"] > 20
    for label in ("Saturated", "Threshold", "Noise"):
        assert lights[label] == "yellow"
    for label in ("Values", "Scan step", "Detector step", "Voltage", "Scan shape"):
        assert lights[label] == "green"


@pytest.mark.parametrize("name", ["71GPa_experimental_data", "88_ES-LP_G8_selection2_cropped2"])
def test_measured_x_ray_counts_are_poisson(name: str) -> None:
    card = data_card(unmixel.open(DATA / "edx_geology" / f"{name}.hspy"))
    assert card.values["lights"]["Noise"] == "green"
    assert card.values["counts"]["noise"] == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("letter", ["A", "B", "C"])
def test_topspin_agrees_with_rosettasciio(letter: str) -> None:
    """Values, detector calibration and scan steps; RosettaSciIO reads the same file whole."""
    from rsciio.topspin import file_reader

    path = FORMATS / "topspin" / f"topspin_test_{letter}.app5"
    (theirs,) = (e for e in file_reader(str(path), show_progressbar=False) if e["data"].ndim == 4)
    ours = unmixel.open(path)
    assert np.array_equal(np.asarray(ours.data), theirs["data"])
    for axis, their in zip((*ours.scan_axes, *ours.pattern_axes), theirs["axes"], strict=True):
        factor = 1e3 if their["units"] == "Angle" else 1.0
        assert axis.scale == pytest.approx(their["scale"] * factor, rel=1e-6)


@pytest.mark.parametrize(
    "name",
    [
        "blockfile/test1.blo",
        "digitalmicrograph/EELS_SI.dm4",
        "mrc/20241021_00405_movie.mrc",
        "mrc/ROI_Random_Scan_movie.mrc",
        "bruker/test_TEM.bcf",
        "emd/fei_example_tem_stack.emd",
    ],
)
def test_lazy_values_are_those_of_reading_whole(name: str) -> None:
    from importlib import import_module

    from unmixel.io.vendors import VENDORS

    path = FORMATS / name
    (vendor,) = (v for v in VENDORS.values() if path.suffix[1:] in v.suffixes)
    options = {k: v for k, v in vendor.options(str(path)).items() if k != "chunks"}
    with heard():  # the library leaves files open, which pytest would take amiss
        entries = import_module(vendor.module).file_reader(str(path), lazy=False, **options)
    ours = np.asarray(unmixel.open(path).data)
    theirs = max((np.asarray(e["data"]) for e in entries), key=lambda a: (a.ndim > 2, a.size))
    if name.endswith("EELS_SI.dm4"):
        theirs = theirs if theirs.shape == ours.shape else np.moveaxis(theirs, 0, -1)
    assert np.array_equal(ours, theirs)
