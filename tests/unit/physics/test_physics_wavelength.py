from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.physics.wavelength import mrad_to_reciprocal, reciprocal_to_mrad, wavelength


@pytest.mark.parametrize(
    ("voltage", "angstrom"),
    [(80, 0.041757), (100, 0.037014), (200, 0.025079), (300, 0.019687), (1000, 0.008719)],
)
def test_wavelength_is_the_tabulated_one(voltage: float, angstrom: float) -> None:
    assert wavelength(voltage) == pytest.approx(angstrom, rel=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.floats(1, 3000), st.floats(0.001, 200))
def test_angle_and_frequency_are_inverse(voltage: float, angle: float) -> None:
    assert reciprocal_to_mrad(mrad_to_reciprocal(angle, voltage), voltage) == pytest.approx(angle)


@pytest.mark.parametrize("voltage", [0.0, -300.0, float("nan"), float("inf")])
def test_a_voltage_that_is_none_is_refused(voltage: float) -> None:
    with pytest.raises(InputError, match="kilovolts"):
        wavelength(voltage)
