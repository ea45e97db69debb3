"""Constraints that take what they need from the prepared scan: its centre and its totals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unmixel.core.errors import InputError
from unmixel.dataset.scan import Scan
from unmixel.pipeline.run import run


@pytest.mark.usefixtures("no_page")
def test_centre_and_totals_come_from_the_prepared_scan(scan: Scan, quick: Any, tmp_path: Path) -> None:
    quick["prepare"] = [{"center": {"origin": [10.0, 8.5]}}]
    quick["factorize"]["constraints"] = [
        {"friedel": {}},
        {"isotropic": {"components": [1]}},
        {"total_intensity": {"total": "measured"}},
        {"no_dips": {"weight": 0.1}},
    ]
    quick["interpret"] = {"group": None}
    first = run(scan, quick, out=tmp_path / "a")
    second = run(scan, tmp_path / "a" / "recipe.yaml", out=tmp_path / "b")
    np.testing.assert_array_equal(first.patterns, second.patterns)
    # rows 0 to 20 about 10, columns 0 to 17 about 8.5: every pixel has its mirror image
    turned = first.patterns[:, ::-1, ::-1]
    np.testing.assert_allclose(first.patterns, turned, rtol=1e-5, atol=1e-9)
    settings = first.factors.settings["constraints"]
    total = next(one for one in settings if one["name"] == "total_intensity")["total"]
    assert total["sum"] == pytest.approx(float(scan.data.sum()))


@pytest.mark.usefixtures("no_page")
def test_a_centre_that_nobody_measured_is_asked_for(scan: Scan, quick: Any, tmp_path: Path) -> None:
    quick["factorize"]["constraints"] = [{"friedel": {}}]
    with pytest.raises(InputError, match="put the step center before it"):
        run(scan, quick, out=tmp_path / "a")
