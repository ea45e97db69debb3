from __future__ import annotations

from pathlib import Path

import pytest

from unmixel.io.demo_keys import describe
from unmixel.io.glass import GlassSpec
from unmixel.io.planted import PlantedSpec, SpectrumSpec
from unmixel.testing import metrics

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "phantoms.md"


@pytest.mark.parametrize("spec", [GlassSpec, PlantedSpec, SpectrumSpec])
def test_the_page_lists_every_key_as_it_is(spec: type) -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    for name, default, unit, limits, meaning in describe(spec):
        assert f"| `{name}` | {default} | {unit} | {limits} | {meaning} |" in lines


def test_the_page_explains_every_metric() -> None:
    page = PAGE.read_text(encoding="utf-8")
    verbs = [name for name in metrics.__all__ if name.islower()]
    assert [name for name in verbs if f"`{name}`" not in page] == []
