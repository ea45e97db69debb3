"""From the axes of files to ours: order, names, units, and notes on what could not be used."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.engines.lazy import is_lazy, wrap
from unmixel.io.build import FileAxis, Found, built, roles

Y = FileAxis(4, "y", 2.0, 1.0, "nm", "scan")
X = FileAxis(5, "x", 2.0, 0.0, "nm", "scan")
V = FileAxis(6, "ky", 0.5, -3.0, "1/nm", "pattern")
U = FileAxis(7, "kx", 0.5, -3.5, "1/nm", "pattern")
E = FileAxis(8, "Energy loss", 0.1, 0.3, "keV", "unknown")


def scan_of(*axes: FileAxis, diffraction: bool = False, data=None):
    shape = tuple(axis.size for axis in axes)
    values = np.arange(np.prod(shape)).reshape(shape) if data is None else data
    return built(Found(values, axes, "a.x", "X", "test 1", diffraction=diffraction))


def test_units_become_canonical_scale_and_offset_alike() -> None:
    scan = scan_of(Y, X, V, U)
    v = scan.pattern_axes[0]
    assert (v.name, v.unit) == ("v", "1/angstrom")
    assert (v.scale, v.offset) == pytest.approx((0.05, -0.3))
    assert [axis.name for axis in scan.scan_axes] == ["y", "x"]


@settings(deadline=None)
@given(st.permutations([Y, X, V, U]))
def test_whatever_the_order_the_scan_comes_first(axes: list[FileAxis]) -> None:
    scan = scan_of(*axes)
    assert [axis.size for axis in scan.pattern_axes] == [a.size for a in axes if a.role == "pattern"]
    assert [axis.size for axis in scan.scan_axes] == [a.size for a in axes if a.role == "scan"]
    original = np.arange(4 * 5 * 6 * 7).reshape([axis.size for axis in axes])
    order = [i for i, a in enumerate(axes) if a.role == "scan"]
    order += [i for i, a in enumerate(axes) if a.role == "pattern"]
    assert np.array_equal(scan.data, original.transpose(order))
    turned = any("another order" in note for note in scan.source.notes)
    assert turned == (order != [0, 1, 2, 3])


@pytest.mark.parametrize("place", [0, 1, 2])
def test_energy_is_the_pattern_wherever_it_stands(place: int) -> None:
    axes = [Y, X]
    axes.insert(place, E)
    scan = scan_of(*axes)
    assert scan.pattern_axes[0].name == "energy"
    assert scan.pattern_axes[0].scale == pytest.approx(100.0)
    assert scan.pattern_axes[0].offset == pytest.approx(300.0)
    assert scan.scan_shape == (4, 5)


def test_lazy_data_stay_lazy_when_turned() -> None:
    data = wrap(np.zeros((8, 4, 5)), (8, 2, 5))
    assert is_lazy(scan_of(E, Y, X, data=data).data)


def test_big_endian_data_come_in_the_machines_order() -> None:
    scan = scan_of(Y, X, V, U, data=np.ones((4, 5, 6, 7), ">u2"))
    assert scan.data.dtype == np.uint16
    assert scan.data.dtype.isnative


@pytest.mark.parametrize("wrong", [0.0, np.nan, np.inf])
def test_an_impossible_step_is_counted_in_px(wrong: float) -> None:
    scan = scan_of(FileAxis(4, "y", wrong, 0.0, "nm", "scan"), X, V, U)
    assert (scan.scan_axes[0].unit, scan.scan_axes[0].scale) == ("px", 1.0)
    assert any("cannot be" in note for note in scan.source.notes)


def test_an_unknown_unit_is_counted_in_px_and_told() -> None:
    scan = scan_of(Y, X, FileAxis(6, "ky", 0.1, 2.0, "furlong", "pattern"), U)
    assert (scan.pattern_axes[0].unit, scan.pattern_axes[0].offset) == ("px", 0.0)
    assert any("0.1 furlong" in note for note in scan.source.notes)


def test_a_plain_axis_needs_no_note() -> None:
    assert scan_of(FileAxis(4), FileAxis(5), FileAxis(6), FileAxis(7)).source.notes == ()


def test_a_length_on_the_detector_is_not_guessed_at() -> None:
    scan = scan_of(Y, X, FileAxis(6, "dy", 0.016, 0.0, "cm", "pattern"), U)
    assert scan.pattern_axes[0].unit == "px"
    assert any("camera length" in note for note in scan.source.notes)


def test_an_image_may_have_lengths() -> None:
    v, u = FileAxis(6, "Y", 2.0, 0.0, "nm", "pattern"), FileAxis(7, "X", 2.0, 0.0, "nm", "pattern")
    assert scan_of(v, u).pattern_axes[0].unit == "nm"
    assert scan_of(FileAxis(3, "Time", 0.5, 0.0, "s", "scan"), v, u).pattern_axes[0].unit == "nm"
    assert scan_of(v, u, diffraction=True).pattern_axes[0].unit == "px"


def test_time_keeps_its_name_and_further_axes_are_numbered() -> None:
    time = FileAxis(2, "time", 0.5, 0.0, "s", "scan")
    assert [a.name for a in scan_of(time, Y, X, V, U).scan_axes] == ["time", "y", "x"]
    depth = FileAxis(3, "depth", 1.0, 0.0, "nm", "scan")
    assert [a.name for a in scan_of(depth, Y, X, V, U).scan_axes] == ["s0", "y", "x"]
    assert [a.name for a in scan_of(X, V, U).scan_axes] == ["x"]


def test_exchanged_names_are_told() -> None:
    assert any("first scan axis 'x'" in note for note in scan_of(X, Y, V, U).source.notes)
    assert not any("first scan axis" in note for note in scan_of(Y, X, V, U).source.notes)


@pytest.mark.parametrize(
    ("axes", "begin"),
    [
        ((Y, X, V, U), "the axes of the file: 4 x 5"),
        ((V, U), "the file holds a single pattern"),
        ((FileAxis(12), V, U), "not known: the file holds a plain stack of 12 frames"),
        ((X, V, U), "the axes of the file: 5"),
        ((FileAxis(12), E), "the axes of the file: 12"),
    ],
)
def test_how_the_shape_became_known(axes: tuple[FileAxis, ...], begin: str) -> None:
    assert scan_of(*axes).source.scan_shape_from.startswith(begin)


@pytest.mark.parametrize("which", list(itertools.product(["scan", "pattern", "unknown"], repeat=3)))
def test_any_roles_leave_one_or_two_pattern_axes(which: tuple[str, ...]) -> None:
    axes = [FileAxis(n, role=role) for n, role in zip((3, 4, 5), which, strict=True)]  # type: ignore[arg-type]
    scan, pattern = roles(axes)
    assert sorted((*scan, *pattern)) == [0, 1, 2]
    assert 1 <= len(pattern) <= 2
