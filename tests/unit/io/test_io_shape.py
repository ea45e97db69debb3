"""Scan shapes: every possible one is listed, folding loses nothing, flyback goes and says so."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import ScanShapeError
from unmixel.dataset.axes import Axis
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import is_lazy, wrap
from unmixel.io.shape import ShapeCandidate, checked, factorings, fold, listed, parsed, without_flyback


@settings(deadline=None)
@given(st.integers(1, 5000))
def test_candidates_multiply_to_the_number_of_frames(n: int) -> None:
    for shape in factorings(n):
        assert shape.rows * shape.columns == n
        assert min(shape.rows, shape.columns - shape.flyback) >= 2


@settings(deadline=None)
@given(st.integers(2, 80), st.integers(2, 80))
def test_the_true_shape_is_always_among_them(rows: int, columns: int) -> None:
    assert ShapeCandidate(rows, columns) in factorings(rows * columns)
    assert ShapeCandidate(rows, columns + 1, flyback=True) in factorings(rows * (columns + 1))


@settings(deadline=None)
@given(st.integers(1, 5000))
def test_candidates_are_sorted_by_squareness_and_listed_once(n: int) -> None:
    found = factorings(n)
    squareness = [round(shape.squareness, 9) for shape in found]
    assert squareness == sorted(squareness)
    assert len(set(found)) == len(found)


@settings(deadline=None)
@given(st.integers(2, 70))
def test_a_square_scan_comes_first_with_and_without_flyback(side: int) -> None:
    assert factorings(side * side)[0] == ShapeCandidate(side, side)
    assert factorings(side * (side + 1))[0] == ShapeCandidate(side, side + 1, flyback=True)


def test_a_prime_number_of_frames_has_no_rows() -> None:
    assert factorings(389) == ()
    assert "prime" in listed(389)
    assert listed(1) == "a single frame"


def test_the_list_names_a_flyback_column_where_rows_are_long() -> None:
    assert listed(13 * 29).startswith("13 x 29 (or 13 x 28 with one flyback column), 29 x 13")


@pytest.mark.parametrize("text", ["13x29", "13X29", "13,29", " 13 x 29 ", "13×29"])
def test_shapes_are_read_from_text(text: str) -> None:
    assert parsed(text) == (13, 29)


@pytest.mark.parametrize("text", ["", "13x", "axb", "0x4", "-2x4", "1x2x3x4", "2.5x4"])
def test_other_text_is_no_shape(text: str) -> None:
    with pytest.raises(ScanShapeError, match="scan_shape: expected one to three whole numbers"):
        parsed(text)


@pytest.mark.parametrize("shape", [(), (0, 4), (2.5, 4), "ab", (1, 2, 3, 4), 12, (None, 3)])
def test_what_is_no_shape_is_refused(shape: object) -> None:
    with pytest.raises(ScanShapeError):
        checked(shape)  # type: ignore[arg-type]


def test_numpy_numbers_are_a_shape() -> None:
    assert checked((np.int64(3), np.uint8(4))) == (3, 4)


def stack(n: int, *, lazy: bool, step: tuple[float, str] = (1.0, "px")) -> Scan:
    data = np.arange(n * 6, dtype=np.uint16).reshape(n, 2, 3)
    axes = (Axis("x", n, scale=step[0], unit=step[1]),)
    weights = np.arange(n, dtype=float)
    return Scan(
        wrap(data, (5, 2, 3)) if lazy else data, axes, (Axis("v", 2), Axis("u", 3)), position_weights=weights
    )


@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("shape", [(13, 29), (29, 13), (377,), (1, 377), (13, 1, 29)])
def test_folding_keeps_every_frame_in_order(shape: tuple[int, ...], lazy: bool) -> None:
    scan = stack(377, lazy=lazy)
    folded = fold(scan, shape)
    assert folded.scan_shape == shape
    assert is_lazy(folded.data) == lazy
    assert np.array_equal(np.asarray(folded.data).reshape(377, 2, 3), np.asarray(scan.data))
    assert np.array_equal(folded.position_weights.reshape(-1), scan.position_weights)
    assert len({axis.name for axis in folded.scan_axes}) == len(shape)


def test_folding_keeps_the_scan_step_where_there_is_one() -> None:
    assert [a.unit for a in fold(stack(6, lazy=False, step=(2.0, "nm")), (2, 3)).scan_axes] == ["nm", "nm"]
    assert [a.scale for a in fold(stack(6, lazy=False), (2, 3)).scan_axes] == [1.0, 1.0]


def test_folding_says_who_decided() -> None:
    told = fold(stack(6, lazy=False), (2, 3)).source.scan_shape_from
    assert told == "given by the user as 2 x 3; the file itself says 6"


def test_the_shape_of_the_file_is_left_alone() -> None:
    scan = stack(6, lazy=False)
    assert fold(scan, (6,)) is scan


def test_a_shape_that_does_not_fit_lists_those_that_do() -> None:
    with pytest.raises(ScanShapeError, match=r"got 4 x 4 = 16.*13 x 29"):
        fold(stack(377, lazy=False), (4, 4))


def test_dropping_flyback_takes_the_last_column_and_says_so() -> None:
    scan = fold(stack(12, lazy=True), (3, 4))
    kept = without_flyback(scan)
    assert kept.scan_shape == (3, 3)
    assert np.array_equal(np.asarray(kept.data), np.asarray(scan.data)[:, :-1])
    assert kept.position_weights.shape == (3, 3)
    record = kept.history[-1]
    assert record.name == "drop_flyback"
    assert record.values == {"columns_before": 4, "columns_after": 3}
    assert "last of 4 columns" in record.effect


def test_the_shape_without_flyback_is_understood_too() -> None:
    scan = stack(13 * 30, lazy=False)
    assert fold(scan, (13, 29), drop_flyback=True).scan_shape == (13, 30)
    assert fold(scan, (13, 30), drop_flyback=True).scan_shape == (13, 30)
    with pytest.raises(ScanShapeError):
        fold(scan, (13, 29))


def test_a_line_has_no_flyback_column() -> None:
    with pytest.raises(ScanShapeError, match="at least two columns"):
        without_flyback(stack(6, lazy=False))


def test_squareness_is_a_distance() -> None:
    assert ShapeCandidate(4, 4).squareness == 0
    assert ShapeCandidate(4, 8).squareness == pytest.approx(math.log(2))
    assert ShapeCandidate(8, 4).squareness == pytest.approx(math.log(2))
