"""Results made for suites of laws are like those of runs: record and recipe are what the models say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unmixel.io.store import read_bundle, write_bundle
from unmixel.pipeline.recipe import Recipe
from unmixel.pipeline.schema import Record
from unmixel.testing.exporters import EXAMPLES
from unmixel.testing.results import example_result


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_a_result_like_any_other(name: str, tmp_path: Path) -> None:
    example: dict[str, Any] = EXAMPLES[name]
    result = example_result(**example)
    Record.model_validate(dict(result.record))
    Recipe.from_dict(dict(result.recipe))
    used = result.factors.used_pixels
    np.testing.assert_allclose(result.patterns[:, used].sum(axis=1), 1, rtol=1e-5)
    assert (np.diff(result.factors.strengths) <= 0).all()
    write_bundle(tmp_path / "result.nxs", result)
    again = read_bundle(tmp_path / "result.nxs")
    np.testing.assert_array_equal(again.maps, result.maps)
    for part in ("groups", "particles", "phases", "orientations", "grains"):
        assert (getattr(again, part) is None) == (getattr(result, part) is None)


def test_the_whole_one_has_all_parts_and_the_bare_one_none() -> None:
    whole, bare = example_result(), example_result(whole=False)
    parts = ("groups", "particles", "phases", "orientations", "grains")
    assert all(getattr(whole, part) is not None for part in parts)
    assert all(getattr(bare, part) is None for part in parts)
