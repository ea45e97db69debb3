"""Units of the field: parse what files write, convert, print.

Canonical spellings, used on every axis: ``nm``, ``1/angstrom``, ``mrad``, ``eV``, ``px``, ``s``, ``kV``, ``mm``.
"""

from __future__ import annotations

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
}  # fmt: skip

_TO_CANONICAL = {
    "1/nm": ("1/angstrom", 0.1), "rad": ("mrad", 1e3), "keV": ("eV", 1e3), "angstrom": ("nm", 0.1),
    "pm": ("nm", 1e-3), "um": ("nm", 1e3), "m": ("nm", 1e9), "mm": ("nm", 1e6), "cm": ("nm", 1e7),
    "ms": ("s", 1e-3),
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
