"""Every registered refinement keeps the laws, on every engine."""

from __future__ import annotations

import importlib.util

import pytest

from unmixel.core import registry
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.testing.refinements import RefinementLaws

ENGINES = ["numpy", *(["torch"] if importlib.util.find_spec("torch") else [])]


@pytest.mark.parametrize("law", RefinementLaws.names())
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", registry.names("refinements"))
def test_refinement_keeps_the_law(name: str, engine: str, law: str) -> None:
    made = NumpyEngine() if engine == "numpy" else registry.load("engines", engine)("cpu")
    RefinementLaws(registry.load("refinements", name)(), made).check(law)


def test_laws_catch_a_liar() -> None:
    class Lies:
        name = "lies"

        def refine(self, draft):
            return draft.of(list(-draft.z_maps), list(draft.z_patterns)), {"before": 9, "after": 9}

    laws = RefinementLaws(Lies())
    for law in ("feasible", "is_a_frozen_plug_in", "spares_the_leading_components", "tells_what_it_did"):
        with pytest.raises(AssertionError):
            laws.check(law)
