"""One recipe alone, in a process of its own: judged on the baseline's pixels, results kept to be looked at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unmixel.lab.alone import PIXELS, Alone, _beside
from unmixel.lab.runner import Run
from unmixel.lab.suites import Case, Suite
from unmixel.lab.trial import BASELINE, IDEA
from unmixel.lab.wall import Answer, read_answer
from unmixel.testing.results import example_result

CASE = Case("plain", "demo:glass?scan=12x12&detector=20x20&precipitates=2&spot=1.4&dose=4000")
SUITE = Suite("one", "", (CASE,), (1,), ("truth_error",))


def recipe(factor: float) -> dict[str, Any]:
    return {
        "prepare": [
            {"center": {}},
            {"measure_beam": {}},
            {"mask_beam": {"factor": factor}},
            {"poisson_weights": {}},
        ],
        "factorize": {"components": 3, "constraints": [{"nonnegative": {}}]},
    }


def test_pixels_of_the_baseline_are_judged(tmp_path: Path) -> None:
    factors = example_result().factors
    run = Run(answers=(Answer(replace(factors, used_pixels=np.zeros_like(factors.used_pixels))),))
    there = tmp_path / "plain-1.npy"
    assert _beside(run, there) is run
    np.save(there, factors.used_pixels)
    assert np.array_equal(_beside(run, there).answers[0].factors.used_pixels, factors.used_pixels)


@pytest.mark.slow
def test_nobody_gains_by_leaving_pixels_out(tmp_path: Path) -> None:
    from unmixel.pipeline.recipe import Recipe

    whole, half = (Recipe.from_dict(recipe(factor)).to_dict() for factor in (1.0, 1.6))
    alone = Alone(SUITE)
    (baseline,) = alone(whole, [("plain", 1)], BASELINE, tmp_path)
    (idea,) = alone(half, [("plain", 1)], IDEA, tmp_path)
    (again,) = alone(whole, [("plain", 1)], "search-000", tmp_path)
    assert not baseline.failed
    assert not idea.failed
    assert again.metrics == baseline.metrics  # equal seeds give equal results
    assert again.result == ""
    used = np.load(tmp_path / PIXELS / "plain-1.npy")
    left = read_answer(tmp_path / idea.result).factors.used_pixels
    assert np.count_nonzero(left) < np.count_nonzero(used)
    assert read_answer(tmp_path / baseline.result).factors.convergence.objective
    assert idea.metrics["truth_error"] > baseline.metrics["truth_error"]
