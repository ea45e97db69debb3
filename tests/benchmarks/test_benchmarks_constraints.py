"""Tables of constraints: phantoms whose beam flickers, columns of the truth itself, one row that is really fitted."""

from __future__ import annotations

from types import SimpleNamespace

import constraints
import numpy as np
import pytest

from unmixel.core import registry


def test_every_row_binds_what_it_names() -> None:
    at = constraints.scene("small", 1e4, 1)
    for which, rows in constraints.TABLES.items():
        assert len({row.name for row in rows}) == len(rows)
        named = [[one.name for one in row.constraints(at)] for row in rows]
        assert which not in named[0], "a table begins without its constraint"
        assert any(which in names for names in named)
        assert {name for names in named for name in names} <= set(registry.names("constraints"))


def test_a_flickering_beam_brings_less_and_stays_poisson() -> None:
    steady, weak = (constraints.scene("small", 1e4, 1, flicker) for flicker in (0.0, 0.6))
    before, after = (np.asarray(at.scan.data).sum(axis=(2, 3), dtype=float) for at in (steady, weak))
    deviations = (after - before * weak.current) / np.sqrt(before * weak.current * (1 - weak.current))
    assert weak.current.min() < 0.45 < 0.95 < weak.current.max()
    assert abs(deviations.mean()) < 0.15
    assert deviations.std() == pytest.approx(1, abs=0.1)


def test_the_truth_itself_is_judged_right() -> None:
    at = constraints.scene("small", 1e4, 1, 0.6)
    factors = SimpleNamespace(maps=at.truth.maps * at.current, patterns=at.truth.patterns)
    assert constraints.judged(at, factors)["map"] < 0.98
    seen = constraints.judged(at, factors, at.current)
    assert seen["cosine"] == pytest.approx(1)
    assert seen["map"] == pytest.approx(1)
    assert seen["found"] == 100
    assert seen["truth"] == pytest.approx(0, abs=1e-6)
    assert seen["dips"] < 0.1


def test_a_table_is_measured_and_printed(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setitem(constraints.TABLES, "friedel", constraints.TABLES["friedel"][:2])
    records = constraints.table("friedel", [1e4], [1])
    assert [one["fit"] for one in records] == ["resolution, sparse, spot_shape", "+ friedel"]
    assert records[1]["truth"] < records[0]["truth"]
    assert capsys.readouterr().out.count("| 10,000 |") == 2
