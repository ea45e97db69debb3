"""What we know of single formats beyond RosettaSciIO: names for people, options, corrections."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unmixel.io import merlin

Options = Callable[[str], dict[str, Any]]
Notes = Callable[[str], tuple[str, ...]]
Check = Callable[[str], None]
Correction = Callable[[dict[str, Any]], dict[str, Any]]


def _no_options(path: str) -> dict[str, Any]:
    return {}


def _no_notes(path: str) -> tuple[str, ...]:
    return ()


def _no_check(path: str) -> None:
    return None


def _as_it_is(entry: dict[str, Any]) -> dict[str, Any]:
    return entry


@dataclass(frozen=True)
class Vendor:
    """One format.

    Parameters
    ----------
    form : str
        The format in words.
    module : str
        Of RosettaSciIO.
    suffixes : tuple of str
        Lower case, without the dot.
    raw : bool
        Whether the file is a plain run of frames that does not say how long it must be.
    options : callable
        ``options(path)`` gives further arguments for RosettaSciIO's reader.
    check : callable
        ``check(path)`` raises ValueError for a damaged file that RosettaSciIO must not be given.
    corrected : callable
        ``corrected(entry)`` mends what RosettaSciIO makes of the file.
    camera_length_mm : float
        What one unit of the file's camera length is, in mm.
    notes : callable
        ``notes(path)`` tells what the user should know of the file.
    """

    form: str
    module: str
    suffixes: tuple[str, ...] = ()
    raw: bool = False
    options: Options = _no_options
    check: Check = _no_check
    corrected: Correction = _as_it_is
    camera_length_mm: float = 1.0
    notes: Notes = _no_notes


def _read_only(path: str) -> dict[str, Any]:
    return {"mode": "r"}


def _unstacked(path: str) -> dict[str, Any]:
    return {"stack_group": False}


def _direct_electron(path: str) -> dict[str, Any]:
    """Return the description and the scan positions that DE software writes beside ``NAME_movie.mrc``."""
    place = Path(path)
    if not place.stem.endswith("_movie"):
        return {}
    stem = place.stem.removesuffix("_movie")
    info, positions = place.with_name(f"{stem}_info.txt"), place.with_name(f"{stem}_scan_coordinates.csv")
    found: dict[str, Any] = {}
    if info.is_file():
        found["metadata_file"] = str(info)
    if info.is_file() and positions.is_file():
        found |= {"scan_file": str(positions), "chunks": "auto"}  # by positions it takes no other chunks
    return found


_DE_STEPS = {
    "y": "Specimen Pixel Size Y (nanometers)",
    "x": "Specimen Pixel Size X (nanometers)",
    "ky": "Diffraction Pixel Size Y",
    "kx": "Diffraction Pixel Size X",
}
_DE_INSTRUMENT = {
    "beam_energy": ("Instrument Accelerating Voltage (V)", 1e-3),
    "camera_length": ("Instrument Project Camera Length (centimeters)", 10.0),
    "dwell_time": ("Scan - Dwell Time (microseconds)", 1e-6),
}
_UNCALIBRATED = {"scale": 1.0, "offset": 0.0, "units": ""}


def _de_number(described: Mapping[str, str], key: str) -> float:
    """Return a number of the DE description; -1 where it is not known."""
    try:
        return float(described.get(key, -1))
    except ValueError:
        return -1.0


def _mrc(entry: dict[str, Any]) -> dict[str, Any]:
    """Take steps and instrument from the DE description; drop the header's step of -1, which means none."""
    described: Mapping[str, str] = entry.get("original_metadata", {}).get("de_metadata", {})
    axes = [dict(axis) for axis in entry["axes"]]
    if not described:
        steps = [axis | _UNCALIBRATED if axis.get("scale", 1.0) <= 0 else axis for axis in axes]
        return {**entry, "axes": steps}
    notes: tuple[str, ...] = ()
    if len(axes) == 5 and axes[0].get("name") == "time":
        # RosettaSciIO puts repeats last in the data and first in the axes
        axes = [*axes[1:3], axes[0], *axes[3:]]
        notes = ("Positions were visited several times: the third scan axis counts the visits.",)
    for axis in axes:
        step = _de_number(described, _DE_STEPS.get(str(axis.get("name")), ""))
        axis.update({"scale": step} if step > 0 else _UNCALIBRATED)
    if described.get("Scan - Type", "Raster") != "Raster":
        visited = described.get("Scan - Points", "some")
        notes += (
            f"The scan is no raster: {visited} frames were put to their places; places never visited hold 0.",
        )
    numbers = {name: _de_number(described, key) * factor for name, (key, factor) in _DE_INSTRUMENT.items()}
    metadata = {**entry["metadata"]}
    told = metadata.get("Acquisition_instrument", {}).get("TEM", {})
    metadata["Acquisition_instrument"] = {"TEM": {**told, **{k: v for k, v in numbers.items() if v > 0}}}
    return {**entry, "axes": axes, "metadata": metadata, "notes": notes}


def _blockfile_instrument(entry: dict[str, Any]) -> dict[str, Any]:
    """Take the voltage (V) and the camera length (tenths of a mm) from the header."""
    header = entry.get("original_metadata", {}).get("blockfile_header", {})
    tem = {
        "beam_energy": float(header.get("Beam_energy", 0)) / 1e3,
        "camera_length": float(header.get("Camera_length", 0)) / 10,
    }
    return {**entry, "metadata": {**entry["metadata"], "Acquisition_instrument": {"TEM": tem}}}


def _bruker_whole(path: str) -> None:
    """Check that a bcf container is as long as its header says; reading it would crash the process else."""
    with Path(path).open("rb") as file:
        head = file.read(0x14C)
    if not head.startswith(b"AAMVHFSS") or len(head) < 0x14C:
        return
    (chunk_bytes,), (n_chunks,) = struct.unpack_from("<I", head, 0x128), struct.unpack_from("<I", head, 0x148)
    expected, size = n_chunks * chunk_bytes + 0x118, Path(path).stat().st_size
    if size < expected:
        raise ValueError(f"truncated: {size} bytes instead of {expected}")


def _blockfile_whole(path: str) -> None:
    """Check the mark at the start; RosettaSciIO would reserve memory for whatever numbers follow."""
    with Path(path).open("rb") as file:
        if file.read(6) != b"IMGBLO":
            raise ValueError("no blockfile: it does not begin with IMGBLO")


def _prz_whole(path: str) -> None:
    """Check that the archive is complete; NumPy would leave the file open otherwise."""
    if not zipfile.is_zipfile(path):
        raise ValueError("no complete zip archive")


def _mrc_whole(path: str) -> None:
    """Check that there is a whole header."""
    if Path(path).stat().st_size < 1024:
        raise ValueError("truncated: shorter than its header of 1024 bytes")


VENDORS: dict[str, Vendor] = {
    "Blockfile": Vendor(
        "NanoMEGAS blockfile",
        "rsciio.blockfile",
        ("blo",),
        raw=True,
        check=_blockfile_whole,
        corrected=_blockfile_instrument,
    ),
    "Bruker": Vendor("Bruker bcf", "rsciio.bruker", ("bcf", "spx"), check=_bruker_whole),
    "DigitalMicrograph": Vendor(
        "Gatan DigitalMicrograph", "rsciio.digitalmicrograph", ("dm3", "dm4"), raw=True
    ),
    "EMD": Vendor("EMD", "rsciio.emd", ("emd", "de5"), options=_unstacked),
    "HSPY": Vendor("HyperSpy hspy", "rsciio.hspy", ("hspy", "hdf5")),
    "MRC": Vendor(
        "MRC",
        "rsciio.mrc",
        ("mrc", "ali"),
        raw=True,
        options=_direct_electron,
        check=_mrc_whole,
        corrected=_mrc,
    ),
    "NeXus": Vendor("NeXus", "rsciio.nexus", ("nxs",)),
    "PantaRhei": Vendor(
        "CEOS Panta Rhei prz", "rsciio.pantarhei", ("prz",), check=_prz_whole, camera_length_mm=1e3
    ),
    "QuantumDetector": Vendor(
        "Quantum Detectors Merlin mib",
        "rsciio.quantumdetector",
        ("mib",),
        raw=True,
        options=merlin.options,
        notes=merlin.notes,
    ),
    "Ripple": Vendor("Ripple", "rsciio.ripple", ("rpl",), raw=True),
    "ZSPY": Vendor("HyperSpy zspy", "rsciio.zspy", ("zspy",), options=_read_only),
}
"""By RosettaSciIO's name of the format; suffixes are looked up here first, which spares reading its lists."""
