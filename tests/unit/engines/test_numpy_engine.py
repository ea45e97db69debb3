"""The reference engine: tiles of products, work that is shared out to threads."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.engines.numpy_engine import NumpyEngine

SIZES = st.integers(1, 9), st.integers(1, 4), st.integers(1, 2500)
KINDS = st.sampled_from(["uint8", "uint16", ">i4", "float32", "float64"])


@settings(max_examples=25)
@given(
    *SIZES,
    st.sampled_from(["uint8", "uint16", ">i4", "float32", "float64"]),
    st.sampled_from(["float32", "float64"]),
)
def test_products_are_those_of_whole_arrays(b: int, k: int, m: int, kind: str, dtype: str) -> None:
    rng, engine = np.random.default_rng(0), NumpyEngine()
    values = rng.integers(0, 200, (b, m)).astype(kind)
    rows, columns = rng.random((k, m)).astype(dtype), rng.random((k, b)).astype(dtype)
    operand, rtol = engine.operand(values, dtype), 1e-5 if dtype == "float32" else 1e-12
    whole = values.astype(np.float64)
    for found, wanted in (
        (engine.project(operand, rows), rows @ whole.T),
        (engine.combine(columns, operand), columns @ whole),
        (engine.sum_rows(operand, np.arange(b) % 3, 3, columns[0])[0],
         np.array([(columns[0] * (np.arange(b) % 3 == g)) @ whole for g in range(3)])),
    ):  # fmt: skip
        assert found.dtype == dtype
        np.testing.assert_allclose(found, wanted, rtol=rtol, atol=rtol)
    squares = engine.sum_rows(operand, np.arange(b) % 3, 3, columns[0])[1]
    np.testing.assert_allclose(squares, (whole**2).sum(axis=1), rtol=rtol)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_totals_hold_every_item_once_and_always_the_same(n_threads: int) -> None:
    engine, wait = NumpyEngine(n_threads), threading.Event()

    def totals(slow: int) -> list[list[int] | None]:
        def work(i: int) -> list[int]:
            if i == slow:
                wait.wait(0.05)
            return [i]

        return engine.gather(
            work, range(11), lambda total, answer: answer if total is None else total + answer
        )

    first = totals(slow=0)
    assert first == totals(slow=4)
    assert len(first) == n_threads
    assert sorted(i for total in first for i in total) == list(range(11))
    assert all(total == sorted(total) for total in first)


def test_totals_of_few_items_and_of_none() -> None:
    def add(total: int | None, answer: int) -> int:
        return answer + (total or 0)

    assert NumpyEngine(4).gather(abs, [-3], add) == [3]
    assert NumpyEngine(4).gather(abs, [], add) == []
    assert NumpyEngine(1).gather(abs, [], add) == [None]


def test_an_error_ends_the_work_and_is_told() -> None:
    done = []

    def work(i: int) -> int:
        if i == 3:
            raise ValueError("block 3")
        done.append(i)
        return i

    with pytest.raises(ValueError, match="block 3"):
        NumpyEngine(2).gather(work, range(1000), lambda total, answer: answer)
    assert len(done) < 20


def test_totals_within_a_thread_are_formed_there() -> None:
    engine = NumpyEngine(2)

    def inner(i: int) -> int:
        (total,) = engine.gather(lambda j: i * j, range(4), lambda total, answer: (total or 0) + answer)
        return total

    assert list(engine.each(inner, range(5))) == [0, 6, 12, 18, 24]
