"""What we add to single formats agrees with RosettaSciIO's own lists, and mends what it should."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from unmixel.io.vendors import VENDORS, Vendor


def rosetta_lists() -> dict[str, dict]:
    from rsciio import IO_PLUGINS

    return {spec["name"]: spec for spec in IO_PLUGINS}


@pytest.mark.parametrize("name", VENDORS)
def test_modules_and_suffixes_are_rosettasciios(name: str) -> None:
    spec, vendor = rosetta_lists()[name], VENDORS[name]
    assert spec["api"] == vendor.module
    assert set(vendor.suffixes) <= {suffix.lower() for suffix in spec["file_extensions"]}


def test_no_suffix_belongs_to_two() -> None:
    suffixes = [suffix for vendor in VENDORS.values() for suffix in vendor.suffixes]
    assert len(suffixes) == len(set(suffixes))


@pytest.mark.parametrize("name", [name for name, vendor in VENDORS.items() if vendor.raw])
def test_raw_formats_take_chunks(name: str) -> None:
    """Else large files of the format would be cut up by the library, slowly."""
    reader = import_module(VENDORS[name].module).file_reader
    assert "chunks" in inspect.signature(reader).parameters


def test_a_format_that_nothing_is_known_of_is_left_alone() -> None:
    plain = Vendor("X", "rsciio.x")
    entry = {"axes": [], "metadata": {}}
    assert plain.options("a.x") == {}
    assert plain.corrected(entry) is entry
    assert plain.notes("a.x") == ()
    assert plain.check("a.x") is None


def mrc(axes: list[dict], described: dict[str, str] | None = None) -> dict:
    original = {} if described is None else {"de_metadata": described}
    return VENDORS["MRC"].corrected({"axes": axes, "metadata": {}, "original_metadata": original})


def test_mrc_step_of_minus_one_means_none() -> None:
    (axis,) = mrc([{"name": "x", "scale": -1.0, "units": "nm"}])["axes"]
    assert (axis["scale"], axis["units"]) == (1.0, "")
    (axis,) = mrc([{"name": "x", "scale": 0.2, "units": "nm"}])["axes"]
    assert (axis["scale"], axis["units"]) == (0.2, "nm")


def test_direct_electron_steps_come_from_the_description() -> None:
    described = {
        "Specimen Pixel Size X (nanometers)": "0.1",
        "Specimen Pixel Size Y (nanometers)": "-1",
        "Diffraction Pixel Size X": "oops",
        "Instrument Accelerating Voltage (V)": "300000",
        "Scan - Dwell Time (microseconds)": "1000",
        "Instrument Project Camera Length (centimeters)": "-1",
    }
    axes = [{"name": n, "scale": 1.0, "units": u} for n, u in (("y", "nm"), ("x", "nm"), ("kx", "nm^-1"))]
    entry = mrc(axes, described)
    assert [(a["scale"], a["units"]) for a in entry["axes"]] == [(1.0, ""), (0.1, "nm"), (1.0, "")]
    assert entry["metadata"]["Acquisition_instrument"]["TEM"] == {"beam_energy": 300.0, "dwell_time": 0.001}


def test_direct_electron_repeats_are_put_last() -> None:
    axes = [{"name": n} for n in ("time", "y", "x", "ky", "kx")]
    entry = mrc(axes, {"Scan - Type": "XY File", "Scan - Points": "30"})
    assert [axis["name"] for axis in entry["axes"]] == ["y", "x", "time", "ky", "kx"]
    assert any("several times" in note for note in entry["notes"])
    assert any("30 frames" in note for note in entry["notes"])


@pytest.mark.parametrize(
    ("name", "file", "content", "why"),
    [
        ("Blockfile", "s.blo", b"NOTBLO", "IMGBLO"),
        ("PantaRhei", "s.prz", b"PK\x03\x04half", "no complete zip"),
        ("MRC", "s.mrc", b"x" * 1000, "truncated"),
    ],
)
def test_damaged_files_are_caught_before_the_library_sees_them(
    tmp_path: Path, name: str, file: str, content: bytes, why: str
) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ValueError, match=why):
        VENDORS[name].check(str(tmp_path / file))


def test_a_bruker_container_must_be_as_long_as_it_says(tmp_path: Path) -> None:
    head = bytearray(0x14C)
    head[:8] = b"AAMVHFSS"
    head[0x128:0x12C] = np.uint32(4096).tobytes()
    head[0x148:0x14C] = np.uint32(3).tobytes()
    path = tmp_path / "s.bcf"
    path.write_bytes(bytes(head).ljust(3 * 4096 + 0x118, b"\x00"))
    VENDORS["Bruker"].check(str(path))
    path.write_bytes(bytes(head).ljust(3 * 4096 + 0x117, b"\x00"))
    with pytest.raises(ValueError, match="truncated: 12567 bytes instead of 12568"):
        VENDORS["Bruker"].check(str(path))
