"""The microscope as files describe it: voltage, camera length, convergence, dwell, current, in our units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from unmixel.dataset.scan import Instrument

_FACTORS = {
    "kV": 1.0, "V": 1e-3, "mR": 1.0, "mrad": 1.0, "rad": 1e3, "nA": 1e3, "pA": 1.0, "A": 1e12,
    "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "mm": 1.0, "cm": 10.0, "m": 1e3,
}  # fmt: skip
"""What one unit is in kV, mrad, pA, s or mm."""


def _walk(
    tree: Mapping[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any, Mapping[str, Any]]]:
    """Yield (path, value, mapping that holds it) of all leaves, outer ones first."""
    inner = []
    for key, value in tree.items():
        if isinstance(value, Mapping):
            inner.append((key, value))
        else:
            yield (*path, str(key)), value, tree
    for key, value in inner:
        yield from _walk(value, (*path, str(key)))


def number(value: Any) -> float | None:
    """Return a positive finite number, or None.

    Examples
    --------
    >>> number("200"), number(0), number(None)
    (200.0, None, None)
    """
    try:
        result = float(value)
    except (TypeError, ValueError):
        return None
    return result if 0 < result < float("inf") else None


def hyperspy_instrument(metadata: Mapping[str, Any], *, camera_length_mm: float = 1.0) -> Instrument:
    """Return the instrument of metadata in HyperSpy's layout (``Acquisition_instrument``).

    Units as HyperSpy documents them (kV, mrad, nA, s, camera length in mm), unless a key ``NAME_units``
    beside the value says else. pyxem's ``Diffraction.camera_length`` is in cm, its ``exposure_time`` in ms.

    Parameters
    ----------
    metadata : mapping
    camera_length_mm : float
        What one unit of ``camera_length`` is, in mm, where a format departs from HyperSpy's convention.

    Examples
    --------
    >>> hyperspy_instrument({"Acquisition_instrument": {"TEM": {"beam_energy": 300.0}}}).voltage_kV
    300.0
    """
    found: dict[str, Any] = {}

    def keep(field: str, value: Any, factor: float) -> None:
        measured = number(value)
        if measured is not None:
            found.setdefault(field, float(f"{measured * factor:.12g}"))

    acquisition = metadata.get("Acquisition_instrument", {})
    for path, value, beside in _walk(acquisition if isinstance(acquisition, Mapping) else {}):
        name, inside = path[-1], path[:-1]
        unit = str(beside.get(f"{name}_units", ""))
        pyxem = "Diffraction" in inside
        if name == "beam_energy":
            keep("voltage_kV", value, _FACTORS.get(unit, 1.0))
        elif name == "convergence_angle":
            keep("convergence_mrad", value, _FACTORS.get(unit, 1.0))
        elif name == "camera_length":
            keep("camera_length_mm", value, _FACTORS.get(unit, 10.0 if pyxem else camera_length_mm))
        elif name == "beam_current":
            keep("current_pA", value, _FACTORS.get(unit, 1e3))
        elif name == "dwell_time" or (name == "exposure_time" and pyxem):
            keep("dwell_s", value, _FACTORS.get(unit, 1e-3 if pyxem else 1.0))
        elif name == "microscope" and str(value):
            found.setdefault("microscope", str(value))
        elif name in ("detector", "detector_type") and str(value):
            found.setdefault("detector", str(value))
    return Instrument(**found)


def _plain(key: Any) -> str:
    return "".join(letter for letter in str(key).lower() if letter.isalnum())


def _looked_up(tree: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path, whatever the spaces and underscores in its keys, or None."""
    here: Any = tree
    for step in path.split("."):
        if not isinstance(here, Mapping):
            return None
        here = next((value for key, value in here.items() if _plain(key) == _plain(step)), None)
    return here


def with_mapping(
    metadata: Mapping[str, Any], original: Mapping[str, Any], mapping: Mapping[str, Any]
) -> dict[str, Any]:
    """Return `metadata` filled up from the vendor's own tags by a RosettaSciIO mapping.

    RosettaSciIO hands the mapping out (vendor path -> HyperSpy path and converter) and leaves its use to the
    caller. A tag that its converter cannot take is left out.

    Examples
    --------
    >>> with_mapping({}, {"Info": {"Voltage": 2e5}}, {"Info.Voltage": ("TEM.beam_energy", lambda v: v / 1e3)})
    {'TEM': {'beam_energy': 200.0}}
    """
    result: dict[str, Any] = _copied(metadata)
    for source, (target, convert) in mapping.items():
        value = _looked_up(original, source)
        if value is None:
            continue
        try:
            value = convert(value) if convert is not None else value
        except (TypeError, ValueError, KeyError, AttributeError, IndexError):
            continue
        if value is None or (isinstance(value, Mapping) and not value):
            continue
        here = result
        *folders, last = target.split(".")
        for folder in folders:
            inner = here.get(folder)
            here[folder] = inner if isinstance(inner, dict) else {}
            here = here[folder]
        here.setdefault(last, value)
    return result


def _copied(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copied(value) if isinstance(value, Mapping) else value for key, value in tree.items()}
