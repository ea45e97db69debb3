"""Whatever stands in metadata comes back equal, through real JSON text."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.io.faithful import Faithful, same


def through(value: Any) -> Any:
    keep = Faithful()
    text = json.dumps(keep.encode(value), allow_nan=False)
    return Faithful(keep.arrays).decode(json.loads(text))


LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.complex_numbers()
    | st.dates() | st.times() | st.datetimes() | st.timedeltas()
    | st.sampled_from([np.float32(0.1), np.int8(-3), np.uint64(2**64 - 1), np.bool_(True), np.str_("x")])
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers() | st.just("~float"), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_everything_comes_back_equal(value: Any) -> None:
    back = through(value)
    assert same(back, value)
    assert type(back) is type(value)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(3000, dtype=">u2").reshape(50, 60),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array([b"a", b"bc"]),
        np.array(["a", "é"]),
        np.array([1, "a", None, (1, 2)], dtype=object),
        np.array([(1, 2.0)], dtype=[("a", "<i2"), ("b", ">f8")]),
        np.array(["2026-01-02"], "datetime64[D]"),
        np.array(7.0),
        np.zeros((0, 3)),
        np.array([1 + 2j]),
        np.full(1000, np.nan),
    ],
    ids=str,
)
def test_arrays_come_back_with_type_shape_and_bits(array: np.ndarray) -> None:
    back = through({"a": array})["a"]
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    if array.dtype.hasobject:
        assert back.tolist() == array.tolist()
    else:
        assert back.tobytes() == array.tobytes()


def test_bits_of_nan_in_arrays_and_scalars() -> None:
    odd = np.array([0x7FC00123, 0xFFC00000], np.uint32).view(np.float32)
    assert through(odd).tobytes() == odd.tobytes()
    assert through(odd[0]).tobytes() == odd[0].tobytes()
    assert not same(odd[0], np.float32("nan"))


def test_large_arrays_of_numbers_stand_beside_the_json() -> None:
    keep = Faithful()
    said = keep.encode({"flat": np.ones((100, 100), np.float32), "small": np.ones(3)})
    assert said["flat"] == {"~array": [0, "<f4"]}
    assert len(keep.arrays) == 1
    assert "~npy" in said["small"]


def test_arrays_that_were_not_read_yet_are_read() -> None:
    import dask.array as da

    assert np.array_equal(through({"a": da.arange(5)})["a"], np.arange(5))


def test_what_is_plain_stays_legible() -> None:
    plain = {"a": [1, 2.5, "x", None, True], "b": {"c": "d"}}
    assert Faithful().encode(plain) == plain


def test_types_without_a_word_become_text_and_are_named() -> None:
    keep = Faithful()
    said = keep.encode({"a": PurePosixPath("b/c")})
    assert keep.lost == ["PurePosixPath"]
    assert keep.decode(said) == {"a": "b/c"}


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, 1.0), (1, True), ((1,), [1]), (b"a", "a"), (0.0, -0.0), (np.float32(1), 1.0), ({"a": 1}, {})],
)
def test_same_sees_types(one: Any, other: Any) -> None:
    assert not same(one, other)
    assert same({"x": one}, {"x": one})


def test_dates_keep_their_zone() -> None:
    for moment in (datetime(2026, 1, 2, tzinfo=UTC), date(2026, 1, 2), time(3, 4), timedelta(-1, 5)):
        assert through(moment) == moment
