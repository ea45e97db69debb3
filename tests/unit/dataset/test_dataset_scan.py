"""The scan: shapes hold together, weights are checked at the door, history only grows."""

from __future__ import annotations

import sys
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError, MissingExtraError
from unmixel.dataset.axes import Axis
from unmixel.dataset.record import StepRecord
from unmixel.dataset.scan import Scan

SCAN = Scan.from_array(
    np.zeros((13, 29, 31, 26), np.uint8), scan_step=(2.0, "nm"), pattern_step=(0.1, "1/angstrom")
)


def test_shapes_and_sizes_of_a_scan_that_is_square_nowhere() -> None:
    assert SCAN.scan_shape == (13, 29)
    assert SCAN.pattern_shape == (31, 26)
    assert (SCAN.n_positions, SCAN.n_pixels) == (13 * 29, 31 * 26)
    assert SCAN.n_bytes == 13 * 29 * 31 * 26
    assert not SCAN.is_spectrum
    assert [axis.name for axis in (*SCAN.scan_axes, *SCAN.pattern_axes)] == ["y", "x", "v", "u"]


@settings(deadline=None)
@given(st.lists(st.integers(1, 4), min_size=2, max_size=5), st.integers(1, 2))
def test_any_shape_gets_axes(shape: list[int], n_pattern: int) -> None:
    scan = Scan.from_array(np.zeros(shape), n_pattern_axes=n_pattern)
    assert (*scan.scan_shape, *scan.pattern_shape) == tuple(shape)
    assert len(scan.pattern_axes) == n_pattern
    assert len({axis.name for axis in (*scan.scan_axes, *scan.pattern_axes)}) == len(shape)


def test_three_axes_are_spectra_two_are_a_line_of_them() -> None:
    assert Scan.from_array(np.zeros((4, 5, 6))).is_spectrum
    assert Scan.from_array(np.zeros((4, 6))).scan_axes[0].name == "x"


def test_a_single_pattern_has_no_scan_axes() -> None:
    scan = Scan.from_array(np.zeros((7, 8)), n_pattern_axes=2)
    assert scan.scan_shape == ()
    assert scan.n_positions == 1


def test_data_and_axes_must_agree() -> None:
    with pytest.raises(InputError, match="shape of its axes"):
        Scan(np.zeros((3, 4)), (Axis("x", 3),), (Axis("energy", 5),))


def test_a_scan_without_pattern_axes_is_refused() -> None:
    with pytest.raises(InputError, match="at least one pattern axis"):
        Scan(np.zeros(3), (Axis("x", 3),), ())


@pytest.mark.parametrize("name", ["pixel_weights", "position_weights"])
@pytest.mark.parametrize("kind", ["shape", "negative", "nan"])
def test_weights_are_checked(name: str, kind: str) -> None:
    shape = SCAN.pattern_shape if name == "pixel_weights" else SCAN.scan_shape
    weights = np.ones(shape[::-1] if kind == "shape" else shape)
    if kind != "shape":
        weights[0, 0] = -1 if kind == "negative" else np.nan
    with pytest.raises(InputError, match=name):
        Scan(SCAN.data, SCAN.scan_axes, SCAN.pattern_axes, **{name: weights})


def test_weights_of_zero_are_allowed() -> None:
    weights = np.zeros(SCAN.pattern_shape)
    assert Scan(SCAN.data, SCAN.scan_axes, SCAN.pattern_axes, pixel_weights=weights).pixel_weights is weights


def test_a_scan_is_frozen_and_history_grows() -> None:
    with pytest.raises(FrozenInstanceError):
        SCAN.data = None  # type: ignore[misc]
    once = SCAN.after(StepRecord("crop", effect="Cropped."))
    twice = once.after(StepRecord("bin", effect="Binned."))
    assert [record.name for record in twice.history] == ["crop", "bin"]
    assert SCAN.history == ()
    assert twice.data is SCAN.data


def test_hyperspy_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hyperspy", None)
    monkeypatch.setitem(sys.modules, "hyperspy.api", None)
    with pytest.raises(MissingExtraError, match=r"unmixel\[hyperspy\]"):
        SCAN.to_hyperspy()


def test_to_hyperspy_hands_over_axes_and_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for HyperSpy, which cannot be installed everywhere: what it is given."""
    from types import ModuleType, SimpleNamespace

    given_to: dict[str, object] = {}

    class Signal:
        def __init__(self, data, **keywords) -> None:
            given_to.update(keywords, data=data, kind=type(self).__name__)

        def as_lazy(self):
            given_to["lazy"] = True
            return self

    class Signal1D(Signal):
        pass

    class Signal2D(Signal):
        pass

    package, api = ModuleType("hyperspy"), ModuleType("hyperspy.api")
    api.signals = SimpleNamespace(Signal1D=Signal1D, Signal2D=Signal2D)  # type: ignore[attr-defined]
    package.api = api  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "hyperspy", package)
    monkeypatch.setitem(sys.modules, "hyperspy.api", api)
    SCAN.to_hyperspy()
    assert given_to["kind"] == "Signal2D"
    assert given_to["data"] is SCAN.data
    axes = given_to["axes"]
    assert [axis["navigate"] for axis in axes] == [True, True, False, False]
    assert [axis["size"] for axis in axes] == [13, 29, 31, 26]
    assert axes[3]["units"] == "1/angstrom"
    assert "lazy" not in given_to
    from unmixel.engines.lazy import wrap

    Scan.from_array(wrap(np.zeros((3, 4, 5)), (1, 4, 5))).to_hyperspy()
    assert given_to["kind"] == "Signal1D"
    assert given_to["lazy"]
