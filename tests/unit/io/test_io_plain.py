"""Axes of arrays without a description: what is assumed is said, and the user can say otherwise."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.io.plain import described_axes, plain_axes


def split(shape, scan_shape=None, energy=None) -> tuple[int, bool]:
    axes, notes = plain_axes(shape, scan_shape, energy)
    assert tuple(axis.size for axis in axes) == tuple(shape)
    roles = [axis.role for axis in axes]
    assert roles == sorted(roles, key=lambda role: role == "pattern")
    return roles.count("pattern"), bool(notes)


@pytest.mark.parametrize(
    ("shape", "scan_shape", "n_pattern", "guessed"),
    [
        ((2048,), None, 1, False),
        ((31, 26), None, 2, False),
        ((377, 806), (13, 29), 1, False),
        ((13, 29, 40), None, 1, True),
        ((377, 64, 64), None, 2, True),
        ((64, 64, 64), None, 1, True),
        ((377, 31, 26), (13, 29), 2, False),
        ((13, 29, 40), (13, 29), 1, False),
        ((13, 29, 31, 26), None, 2, False),
        ((2, 13, 29, 31, 26), None, 2, False),
    ],
)
def test_number_of_pattern_axes(shape, scan_shape, n_pattern: int, guessed: bool) -> None:
    assert split(shape, scan_shape) == (n_pattern, guessed)


@settings(deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_there_is_always_a_pattern(shape: list[int]) -> None:
    assert 1 <= split(tuple(shape))[0] <= 2


def test_energies_make_the_last_axis_energy() -> None:
    axes, notes = plain_axes((4, 5, 100), None, np.linspace(300, 399, 100))
    assert (axes[-1].unit, axes[-1].scale, axes[-1].offset) == ("eV", 1.0, 300.0)
    assert notes == ()


def test_energies_that_are_not_uniform_are_told() -> None:
    axes, notes = plain_axes((4, 5, 100), None, np.geomspace(300, 900, 100))
    assert axes[-1].unit == ""
    assert "not uniform" in notes[0]


def test_a_description_is_taken() -> None:
    text = json.dumps(
        [{"name": "y", "scale": 3, "unit": "nm"}, {"name": "energy", "scale": 10, "offset": -5, "unit": "eV"}]
    )
    y, energy = described_axes(text, (4, 50))
    assert (y.role, y.scale, y.unit) == ("scan", 3.0, "nm")
    assert (energy.role, energy.offset) == ("pattern", -5.0)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "[1, 2]", '[{"name": "y"}]', '[{"scale": "wide"}, {}]', "not json"]
)
def test_a_wrong_description_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="a JSON list of 2 objects"):
        described_axes(text, (4, 50))
