"""Units: every spelling that files use comes to one of a few; conversion and back is the identity."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.core.units import canonical, convert, memory, printed

CANONICAL = ("nm", "1/angstrom", "mrad", "eV", "px", "s")


@pytest.mark.parametrize(
    ("written", "unit", "factor"),
    [
        ("nm", "nm", 1.0),
        ("µm", "nm", 1e3),
        ("μm", "nm", 1e3),
        ("Å", "nm", 0.1),
        ("A", "nm", 0.1),
        ("pm", "nm", 1e-3),
        ("m", "nm", 1e9),
        ("1/nm", "1/angstrom", 0.1),
        ("nm^-1", "1/angstrom", 0.1),
        ("1 / nm", "1/angstrom", 0.1),
        ("$A^{-1}$", "1/angstrom", 1.0),
        ("A^-1", "1/angstrom", 1.0),
        ("Å⁻¹", "1/angstrom", 1.0),
        ("rad", "mrad", 1e3),
        ("mrads", "mrad", 1.0),
        ("keV", "eV", 1e3),
        ("eV", "eV", 1.0),
        ("s", "s", 1.0),
        ("sec", "s", 1.0),
        ("ms", "s", 1e-3),
        ("", "px", 1.0),
        ("<undefined>", "px", 1.0),
        (None, "px", 1.0),
        ("furlong", "px", 1.0),
    ],
)
def test_spellings_of_files(written: str | None, unit: str, factor: float) -> None:
    assert canonical(written) == (unit, factor)


@pytest.mark.parametrize("unit", CANONICAL)
def test_canonical_units_are_their_own(unit: str) -> None:
    assert canonical(unit) == (unit, 1.0)


@settings(deadline=None)
@given(st.text(max_size=12))
def test_any_text_comes_to_a_canonical_unit(text: str) -> None:
    assert canonical(text)[0] in CANONICAL


@settings(deadline=None)
@given(
    st.sampled_from(
        [("nm", "angstrom"), ("1/nm", "1/angstrom"), ("keV", "eV"), ("mrad", "rad"), ("mm", "nm")]
    ),
    st.floats(1e-3, 1e3),
)
def test_there_and_back(units: tuple[str, str], value: float) -> None:
    one, other = units
    assert convert(convert(value, one, other), other, one) == pytest.approx(value, rel=1e-9)


@settings(deadline=None)
@given(st.sampled_from(["1/nm", "keV", "um", "angstrom", "pm"]), st.floats(0.1, 10))
def test_canonical_factor_agrees_with_conversion(written: str, value: float) -> None:
    unit, factor = canonical(written)
    assert convert(value, written, unit) == pytest.approx(value * factor, rel=1e-9)


@pytest.mark.parametrize(("unit", "to"), [("nm", "eV"), ("furlong per fortnight squared?", "nm")])
def test_units_of_another_kind_are_refused(unit: str, to: str) -> None:
    with pytest.raises(InputError, match="unit: expected"):
        convert(1.0, unit, to)


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (914_457_600, "914 MB"), (3.2e15, "3.2e+03 TB")],
)
def test_memory_in_words(n_bytes: float, text: str) -> None:
    assert memory(n_bytes) == text


def test_printed_units() -> None:
    assert printed("1/angstrom") == "Å⁻¹"
    assert printed("nm") == "nm"
