"""What the bundle says of trust: optional, documented, exact."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

import unmixel
from unmixel.dataset.results import error_share
from unmixel.io.store import read_bundle, write_bundle
from unmixel.io.tables import components_table

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "bundle.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> unmixel.Result:
    """A run with everything that can be told of trust."""
    rng = np.random.default_rng(0)
    mean = rng.gamma(0.5, 40.0, (1, 1, 30)) * np.ones((9, 10, 1))
    mean[4:7, 3:6] += rng.gamma(0.5, 60.0, 30)
    scan = unmixel.Scan.from_array(rng.poisson(mean))
    recipe = {
        "extends": "none",
        "factorize": {"components": 1, "uncertainty": "stability"},
        "interpret": {"group": None},
    }
    return unmixel.run(scan, recipe, out=tmp_path_factory.mktemp("trust") / "r.run")


def test_a_run_tells_it_all_and_a_bundle_keeps_it(result: unmixel.Result, tmp_path: Path) -> None:
    assert result.factors.leftovers is not None
    assert result.factors.leftovers.n_peaks == 1
    assert 4 <= result.factors.leftovers.places[0, 0] <= 6
    assert result.factors.uncertainty is not None
    assert result.factors.uncertainty.stability is not None
    write_bundle(tmp_path / "r.nxs", result)
    again = read_bundle(tmp_path / "r.nxs").factors
    for name in ("uncertainty", "leftovers"):
        first, second = getattr(result.factors, name), getattr(again, name)
        for key, value in vars(first).items():
            np.testing.assert_array_equal(getattr(second, key), value, err_msg=key)


def test_every_path_is_documented(result: unmixel.Result) -> None:
    assert result.folder is not None
    with h5py.File(result.folder / "result.nxs") as file:
        for group in ("uncertainty", "leftovers"):
            found: list[str] = []
            file["entry"][group].visititems(
                lambda _, node, found=found: (
                    found.append(node.name)
                    if isinstance(node, h5py.Dataset) and "axis_name" not in node.attrs
                    else None
                )
            )
            told = [name for name in found if name.rsplit("/", 1)[1] not in ("component", "peak")]
            assert len(told) >= 4
            assert [name for name in told if f"`{name}`" not in PAGE] == []


def test_the_table_has_the_share_of_the_error(result: unmixel.Result) -> None:
    factors = result.factors
    header, rows = components_table(result)
    row = dict(zip(header, rows[0], strict=True))
    assert factors.uncertainty is not None
    assert row["map_error_share"] == pytest.approx(1 / np.sqrt(factors.maps.mean()), rel=0.2)
    assert row["pattern_error_share"] == error_share(factors.uncertainty.patterns[0], factors.patterns[0])
    assert 0 <= row["stability"] <= 1
    without = replace(result, factors=replace(factors, uncertainty=None))
    assert components_table(without)[1][0][header.index("stability")] == ""


def test_shares_of_what_is_not_known() -> None:
    assert np.isnan(error_share(np.array([np.nan, 1.0]), np.array([3.0, 0.0])))
    assert error_share(np.array([np.inf, 1.0]), np.array([3.0, 1.0])) == np.inf
