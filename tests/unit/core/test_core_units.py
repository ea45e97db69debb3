"""Units: every spelling that files use comes to one of a few; conversion and back is the identity."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.core.units import canonical, convert, memory, printed, quantity

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


@pytest.mark.parametrize(
    ("text", "units", "value"),
    [
        ("7nm", ("nm",), 7.0), (" 70 Å ", ("nm",), 7.0), ("0.2/nm", ("1/angstrom", "mrad"), 0.02),
        (".4 mrad", ("1/angstrom", "mrad"), 0.4), ("2us", ("s",), 2e-6), ("1.5e2kV", ("kV",), 150.0),
    ],
)  # fmt: skip
def test_a_number_with_its_unit_is_understood(text: str, units: tuple[str, ...], value: float) -> None:
    found, unit = quantity(text, "it", *units)
    assert found == pytest.approx(value)
    assert unit in units


@pytest.mark.parametrize(
    "text", ["", "7", "nm", "7 furlong", "7 mrad", "1e999nm", "7 nm nm", "nan nm", "--7nm"]
)
def test_what_is_no_length_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match=r"--size: expected a number with its unit, nm .* e\.g\. 1nm"):
        quantity(text, "--size", "nm")


@given(st.text(max_size=12))
@settings(max_examples=50, deadline=None)
def test_any_text_is_a_quantity_or_refused(text: str) -> None:
    try:
        value, unit = quantity(text, "it", "nm", "s")
    except InputError:
        return
    assert unit in ("nm", "s")
    assert abs(value) < float("inf")
