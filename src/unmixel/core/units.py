"""Units of the field: parse what files write, convert, print.

Canonical spellings, used on every axis: ``nm``, ``1/angstrom``, ``mrad``, ``eV``, ``px``, ``s``, ``kV``, ``mm``.
"""

from __future__ import annotations

import math
import re
from functools import cache
from typing import Any

from unmixel.core.errors import InputError

_SPELLINGS = {
    "": "px", "px": "px", "pixel": "px", "pixels": "px", "<undefined>": "px", "none": "px", "channel": "px",
    "nm": "nm", "nanometer": "nm", "nanometre": "nm",
    "1/a": "1/angstrom", "1/å": "1/angstrom", "a^-1": "1/angstrom", "å^-1": "1/angstrom", "a-1": "1/angstrom",
    "1/angstrom": "1/angstrom", "angstrom^-1": "1/angstrom", "$a^{-1}$": "1/angstrom", "å⁻¹": "1/angstrom",
    "a^{-1}": "1/angstrom", "å^{-1}": "1/angstrom", "1 / angstrom": "1/angstrom",
    "1/nm": "1/nm", "nm^-1": "1/nm", "nm-1": "1/nm", "1 / nm": "1/nm",
    "mrad": "mrad", "rad": "rad", "ev": "eV", "kev": "keV",
    "a": "angstrom", "å": "angstrom", "angstrom": "angstrom", "pm": "pm", "µm": "um", "μm": "um", "um": "um",
    "m": "m", "mm": "mm", "cm": "cm", "s": "s", "sec": "s", "ms": "ms", "mrads": "mrad",
    "us": "us", "µs": "us", "μs": "us", "kv": "kV",
}  # fmt: skip

_TO_CANONICAL = {
    "1/nm": ("1/angstrom", 0.1), "rad": ("mrad", 1e3), "keV": ("eV", 1e3), "angstrom": ("nm", 0.1),
    "pm": ("nm", 1e-3), "um": ("nm", 1e3), "m": ("nm", 1e9), "mm": ("nm", 1e6), "cm": ("nm", 1e7),
    "ms": ("s", 1e-3), "us": ("s", 1e-6),
}  # fmt: skip

_PRINTED = {"1/angstrom": "Å⁻¹", "1/nm": "nm⁻¹", "um": "µm", "angstrom": "Å"}


@cache
def _pint() -> Any:
    import pint

    return pint.UnitRegistry(cache_folder=None)


def canonical(unit: str | None) -> tuple[str, float]:
    """Return the canonical spelling of a unit and the factor that converts values to it.

    Parameters
    ----------
    unit : str or None
        As found in a file; None or an unknown text counts as uncalibrated (``px``).

    Examples
    --------
    >>> canonical("1/nm")
    ('1/angstrom', 0.1)
    >>> canonical("Pixels")
    ('px', 1.0)
    """
    text = str(unit or "").strip()
    spelled = _SPELLINGS.get(text.lower())
    if text in ("A", "Å"):
        spelled = "angstrom"
    if spelled is None:
        return "px", 1.0
    return _TO_CANONICAL.get(spelled, (spelled, 1.0))


def convert(value: float, unit: str, to: str) -> float:
    """Return `value` converted between two units of the same kind.

    Raises
    ------
    InputError
        When the units are unknown or measure different things.

    Examples
    --------
    >>> convert(1.0, "1/nm", "1/angstrom")
    0.1
    """
    if unit == to:
        return float(value)
    registry = _pint()
    try:
        return float(round(registry.Quantity(value, unit).to(to).magnitude, 15))
    except Exception as error:
        raise InputError(
            "unit",
            expected=f"one that converts to {to}",
            got=repr(unit),
            hint="use nm, 1/angstrom, mrad or eV",
        ) from error


_QUANTITY = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*")


def quantity(text: str, what: str, *units: str) -> tuple[float, str]:
    """Return the number and the canonical unit that a text such as ``7nm`` says.

    Parameters
    ----------
    text : str
        A number and its unit, with or without a space: ``7 nm``, ``0.2/nm``, ``0.4mrad``, ``2 us``.
    what : str
        What is given, in the user's words, for the error.
    *units : str
        Canonical units that are allowed.

    Raises
    ------
    InputError
        When there is no finite number, no unit, or one that measures something else.

    Examples
    --------
    >>> quantity("70 angstrom", "--size", "nm"), quantity("0.2/nm", "--angle-per-pixel", "1/angstrom", "mrad")
    ((7.0, 'nm'), (0.02, '1/angstrom'))
    """
    found = _QUANTITY.fullmatch(text)
    unit, factor = canonical(_spelled_whole(found[2])) if found and found[2] else ("", 1.0)
    value = float(found[1]) * factor if found else math.nan
    if unit not in units or not math.isfinite(value):
        raise InputError(
            what,
            expected=f"a number with its unit, {' or '.join(units)} (or one that converts to it)",
            got=repr(text),
            hint=f"write e.g. 1{units[0]}" if units[0][0] != "1" else f"write e.g. 0.02{units[0][1:]}",
        )
    return float(round(value, 15)), unit


def _spelled_whole(unit: str) -> str:
    """Return ``1/nm`` for the ``/nm`` that is left where a number stands before it."""
    return f"1{unit}" if unit.startswith("/") else unit


def printed(unit: str) -> str:
    """Return a unit as people read it in figures.

    Examples
    --------
    >>> printed("1/angstrom")
    'Å⁻¹'
    """
    return _PRINTED.get(unit, unit)


def memory(n_bytes: float) -> str:
    """Return a number of bytes as text with a decimal prefix.

    Examples
    --------
    >>> memory(914_457_600)
    '914 MB'
    """
    value = float(n_bytes)
    for prefix in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or prefix == "TB":
            return f"{value:.3g} {prefix}"
        value /= 1000
    raise AssertionError  # pragma: no cover
