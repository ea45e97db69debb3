"""No request may name a file: what a browser asks for concerns what is opened, and nothing else on the disk."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from unmixel.core.errors import InputError
from unmixel.pipeline.entries import is_array_file
from unmixel.pipeline.yamlfile import value_of

UNITS = ("1/angstrom", "1/nm", "1/Å")
"""Texts with a slash that are no paths."""

READING = ("read.scan_shape", "read.drop_flyback", "read.voltage_kV", "read.convergence_mrad")
"""Keys of the section ``read`` that may be changed here: the others choose what is opened."""

_PLAIN = re.compile(r"[\w\s.,+:%()<>=^-]*")
_FILE = re.compile(
    r"\.(npy|npz|nxs|h5|hdf5|cif|ya?ml|json|zarr|zspy|hspy|tiff?|png|txt|csv)\b", re.IGNORECASE
)


def without_paths(value: Any) -> Any:
    """Return a value of a recipe, refusing it where it holds text that could name a file.

    Raises
    ------
    InputError

    Examples
    --------
    >>> without_paths({"unit": "1/nm", "radius": 3})
    {'unit': '1/nm', 'radius': 3}
    """
    for text in _texts(value):
        if text not in UNITS and (not _PLAIN.fullmatch(text) or _FILE.search(text) or is_array_file(text)):
            raise InputError(
                "value",
                expected="numbers and words: the viewer reads no files but those that it was opened with",
                got=repr(text[:80]),
                hint="write a recipe and use 'unmixel run' for what needs files",
            )
    return value


def checked_overrides(overrides: Iterable[str], known: Collection[str]) -> list[str]:
    """Return ``key=value`` texts, refusing those that could name a file.

    Parameters
    ----------
    overrides : iterable of str
    known : collection of str
        Names of structures that may be candidates.

    Raises
    ------
    InputError
    """
    found = []
    for text in overrides:
        key, _, value = text.partition("=")
        key = key.strip()
        if key.split(".")[0] == "read" and key not in READING:
            raise InputError(
                "read", expected=" or ".join(READING), got=repr(key[:80]), hint="open another file"
            )
        meant = value_of(value)
        without_paths(meant)
        if key.startswith("interpret.identify"):
            _check_candidates(key, meant, known)
        found.append(text)
    return found


def _check_candidates(key: str, meant: Any, known: Collection[str]) -> None:
    """Refuse candidates that are not opened structures or built-in cells: their names are looked for on the disk."""
    if key != "interpret.identify.candidates" and (isinstance(meant, Mapping) or key == "interpret.identify"):
        meant = meant.get("candidates", ()) if isinstance(meant, Mapping) else ()
    elif key != "interpret.identify.candidates":
        return
    wrong = [one for one in _texts(meant) if one not in known]
    if wrong:
        raise InputError(
            "candidates",
            expected="built-in cells, or structures that the viewer was opened with (--cif)",
            got=", ".join(wrong)[:80],
            hint="",
        )


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _texts(key)
            yield from _texts(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _texts(one)
