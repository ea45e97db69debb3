"""Arithmetic of pairs, the table and the JSON file, on records that are made up."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import pairs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pairs import Pair, disturbance, load, machine, row, rows, save, table

POSITIVE = st.floats(1e-3, 1e3)


def record(wall_s: float = 1.0, peak_mb: float = 100.0, error: float = 0.1, **more: Any) -> dict[str, Any]:
    return {"wall_s": wall_s, "peak_mb": peak_mb, "error": error, **more}


def pair(
    theirs: dict[str, Any], ours: dict[str, Any], *, size: str = "small", peer: str = "p", run: int = 0
) -> Pair:
    return Pair(size, peer, run, theirs, ours)


def test_ratios_are_taken_pair_by_pair() -> None:
    # a machine that was busy for one pair slows both of its fits; the ratio of the medians would say 20 / 4
    seconds = [(10.0, 1.0), (20.0, 4.0), (200.0, 20.0)]
    found = row([pair(record(theirs), record(ours)) for theirs, ours in seconds])
    assert (found.runs, found.peer_s, found.our_s, found.faster) == (3, 20.0, 4.0, 10.0)


@given(st.lists(st.tuples(POSITIVE, POSITIVE), min_size=1, max_size=7), POSITIVE)
def test_a_slower_clock_changes_no_ratio(seconds: list[tuple[float, float]], scale: float) -> None:
    def faster(factor: float) -> float | None:
        return row([pair(record(a * factor), record(b * factor)) for a, b in seconds]).faster

    assert faster(scale) == pytest.approx(faster(1.0))


@given(st.lists(st.tuples(POSITIVE, POSITIVE), min_size=1, max_size=7))
def test_median_ratio_lies_among_the_ratios(seconds: list[tuple[float, float]]) -> None:
    found = row([pair(record(a), record(b)) for a, b in seconds])
    ratios = [a / b for a, b in seconds]
    assert found.faster is not None
    assert min(ratios) <= found.faster <= max(ratios)


@pytest.mark.parametrize(("share", "reached"), [(0.9, True), (1.0, True), (1.00005, True), (1.0002, False)])
def test_time_counts_only_where_the_error_of_the_peer_is_reached(share: float, reached: bool) -> None:
    found = row([pair(record(error=0.05), record(0.5, error=0.05 * share))])
    assert found.faster == (2.0 if reached else None)
    assert ("missed " in table([found])) is not reached


def test_one_pair_that_missed_is_enough_for_no_ratio() -> None:
    good, bad = pair(record(), record()), pair(record(error=0.1), record(error=0.2))
    assert row([good, good, bad]).faster is None


def test_memory_has_no_ratio_where_ours_is_nothing() -> None:
    assert row([pair(record(peak_mb=50), record(peak_mb=10))]).leaner == 5.0
    assert row([pair(record(peak_mb=50), record(peak_mb=0.02))]).leaner is None


def test_rows_keep_the_order_of_measuring() -> None:
    order = [("medium", "b"), ("small", "a"), ("medium", "b"), ("small", "b")]
    found = rows([pair(record(), record(), size=size, peer=peer) for size, peer in order])
    assert [(one.size, one.peer, one.runs) for one in found] == [
        ("medium", "b", 2),
        ("small", "a", 1),
        ("small", "b", 1),
    ]


def test_table_shows_every_number() -> None:
    text = table(
        rows([pair(record(112.0, 2787.9, 0.02454), record(7.0, 206.9, 0.02452), peer="scikit-learn")])
    )
    line = next(one for one in text.splitlines() if "scikit-learn" in one)
    for shown in ("small", "112.00", "7.00", "16.00 x", "2787.9", "206.9", "13.5 x", "0.02454", "0.02452"):
        assert shown in line
    assert "upper bound" in text.splitlines()[-1]


def test_file_gives_back_the_pairs_and_their_table(tmp_path: Path) -> None:
    ours = record(0.5, versions={"numpy": "2.0"}, blas=[{"internal_api": "openblas", "num_threads": 2}])
    made = [pair(record(2.0), ours, run=0), pair(record(3.0), ours, run=1)]
    file = tmp_path / "new" / "out.json"
    save(file, made, absent={"hyperspy": "not installed"})
    assert load(file) == made
    kept = json.loads(file.read_text())
    assert kept["rows"] == [pytest.approx(vars(one)) for one in rows(made)]
    assert kept["absent"] == {"hyperspy": "not installed"}
    assert kept["machine"]["versions"]["numpy"] == "2.0"
    assert kept["machine"]["blas"] == ours["blas"]


def test_disturbed_fits_are_told() -> None:
    quiet, unknown = pair(record(others=0.01), record(others=0.1)), pair(record(others=None), record())
    assert disturbance([quiet, unknown]) == ""
    said = disturbance([quiet, pair(record(others=0.0), record(others=1.34))])
    assert "1 of 4 fits (at most 1.3)" in said


def test_machine_is_described_without_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = machine()
    assert found["threads_asked"]["OMP_NUM_THREADS"] == "3"
    assert 1 <= found["usable_cores"] <= found["cores"]
    assert found["memory_mb"] > 100
    assert platform.node() not in json.dumps(found["system"] + found["processor"])
    assert set(found) >= {"versions", "blas", "date"}


def test_the_parent_of_measured_children_stays_small() -> None:
    # a child's peak memory begins at what its parent held: neither numpy nor unmixel may be loaded up there
    import subprocess
    import sys

    code = "import factorise, regression, sys; print({'numpy', 'unmixel', 'sklearn'} & set(sys.modules))"
    folder = Path(pairs.__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
