"""Reading ahead: what comes next is read before anyone asks, wherever in a pass the takers are."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.engines.ahead import ReadAhead


def _read(begun: list[int], least: set[int]) -> bool:
    end = time.monotonic() + 10
    while not least <= set(begun) and time.monotonic() < end:
        time.sleep(0.001)
    return least <= set(begun)


def test_two_parts_are_read_ahead_also_after_a_jump_back() -> None:
    begun: list[int] = []
    parts = ReadAhead(lambda p: begun.append(p) or p, [1] * 12)
    assert parts.take(8, 0) == 8
    assert _read(begun, {8, 9, 10})
    assert parts.take(2, 0) == 2
    assert _read(begun, {2, 3, 4})


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(6)))
def test_runs_in_any_order_read_each_part_once(order) -> None:
    """Six runs of two parts: what is read ahead of a run that was done earlier is not read again."""
    begun: list[int] = []
    parts = ReadAhead(lambda p: begun.append(p) or p, [1] * 12)
    for run in order:
        assert [parts.take(2 * run + i, 0) for i in range(2)] == [2 * run, 2 * run + 1]
    assert sorted(begun) == list(range(12))
