"""What we know of single formats beyond RosettaSciIO: names for people, options, corrections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Options = Callable[[str], dict[str, Any]]
Correction = Callable[[dict[str, Any]], dict[str, Any]]


def _no_options(path: str) -> dict[str, Any]:
    return {}


def _as_it_is(entry: dict[str, Any]) -> dict[str, Any]:
    return entry


@dataclass(frozen=True)
class Vendor:
    """One format.

    Parameters
    ----------
    form : str
        The format in words.
    raw : bool
        Whether the file is a plain run of frames that does not say how long it must be.
    options : callable
        ``options(path)`` gives further arguments for RosettaSciIO's reader.
    corrected : callable
        ``corrected(entry)`` mends what RosettaSciIO makes of the file.
    camera_length_mm : float
        What one unit of the file's camera length is, in mm.
    notes : tuple of str
        What the user should know of every file of the format.
    """

    form: str
    raw: bool = False
    options: Options = _no_options
    corrected: Correction = _as_it_is
    camera_length_mm: float = 1.0
    notes: tuple[str, ...] = ()


def _read_only(path: str) -> dict[str, Any]:
    return {"mode": "r"}


def _unstacked(path: str) -> dict[str, Any]:
    return {"stack_group": False}


def merlin_frames(path: str) -> int:
    """Return how many frames a Merlin file holds, by its first header and its size; 0 where there is no such header.

    The header is text: ``MQ1,number,header bytes,chips,width,height,U16,...``.
    """
    place = Path(path)
    with place.open("rb") as file:
        fields = file.read(384).decode("latin-1").split(",")
    try:
        header, width, height = int(fields[2]), int(fields[4]), int(fields[5])
        bits = int(fields[6].strip()[1:])
    except (IndexError, ValueError):
        return 0
    if not fields[0].startswith("MQ") or fields[6].strip()[0] != "U":
        return 0
    return place.stat().st_size // (header + width * height * bits // 8)


def _merlin(path: str) -> dict[str, Any]:
    """Return the scan shape where the header file beside it says how many frames a row has, else one long stack.

    RosettaSciIO would go through the time stamps of all frames and guess; that reads the whole file.
    """
    n_frames = merlin_frames(path)
    if n_frames < 1:
        return {}
    per_row = 0
    beside = Path(path).with_suffix(".hdr")
    if beside.is_file():
        for line in beside.read_text(encoding="latin-1").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "Frames per Trigger (Number)" and value.strip().isdigit():
                per_row = int(value)
    if per_row > 1 and n_frames % per_row == 0 and n_frames > per_row:
        return {"navigation_shape": (per_row, n_frames // per_row)}
    return {"navigation_shape": (n_frames,)}


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
        found["scan_file"] = str(positions)
    return found


_DE_STEPS = {
    "y": "Specimen Pixel Size Y (nanometers)",
    "x": "Specimen Pixel Size X (nanometers)",
    "ky": "Diffraction Pixel Size Y",
    "kx": "Diffraction Pixel Size X",
}


def _mrc_steps(entry: dict[str, Any]) -> dict[str, Any]:
    """Take steps from the DE description (-1: unknown) and drop the header's step of -1, which means none."""
    described: Mapping[str, str] = entry.get("original_metadata", {}).get("de_metadata", {})
    axes = []
    for axis in entry["axes"]:
        fixed = dict(axis)
        if described:
            try:
                step = float(described.get(_DE_STEPS.get(str(axis.get("name")), ""), -1))
            except ValueError:
                step = -1.0
            known = step > 0 and str(axis.get("name")) in _DE_STEPS
            fixed |= {"scale": step} if known else {"scale": 1.0, "offset": 0.0, "units": ""}
        elif axis.get("scale", 1.0) <= 0:
            fixed |= {"scale": 1.0, "offset": 0.0, "units": ""}
        axes.append(fixed)
    return {**entry, "axes": axes}


def _blockfile_instrument(entry: dict[str, Any]) -> dict[str, Any]:
    """Take the voltage (V) and the camera length (tenths of a mm) from the header."""
    header = entry.get("original_metadata", {}).get("blockfile_header", {})
    tem = {
        "beam_energy": float(header.get("Beam_energy", 0)) / 1e3,
        "camera_length": float(header.get("Camera_length", 0)) / 10,
    }
    return {**entry, "metadata": {**entry["metadata"], "Acquisition_instrument": {"TEM": tem}}}


VENDORS: dict[str, Vendor] = {
    "Blockfile": Vendor("NanoMEGAS blockfile", raw=True, corrected=_blockfile_instrument),
    "Bruker": Vendor("Bruker bcf"),
    "DigitalMicrograph": Vendor("Gatan DigitalMicrograph", raw=True),
    "EMD": Vendor("EMD", options=_unstacked),
    "EMPAD": Vendor("EMPAD", raw=True),
    "HSPY": Vendor("HyperSpy hspy"),
    "MRC": Vendor("MRC", raw=True, options=_direct_electron, corrected=_mrc_steps),
    "NeXus": Vendor("NeXus"),
    "PantaRhei": Vendor("CEOS Panta Rhei prz", camera_length_mm=1e3),
    "QuantumDetector": Vendor(
        "Quantum Detectors Merlin mib",
        raw=True,
        options=_merlin,
        notes=("Merlin frames are turned upside down by RosettaSciIO, so that they appear as on the screen.",),
    ),
    "Ripple": Vendor("Ripple", raw=True),
    "TIA": Vendor("FEI TIA", raw=True),
    "TVIPS": Vendor("TVIPS", raw=True),
    "ZSPY": Vendor("HyperSpy zspy", options=_read_only),
}
