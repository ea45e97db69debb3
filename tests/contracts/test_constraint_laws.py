"""Every registered constraint keeps the laws, with every engine, on maps, patterns and spectra."""

from __future__ import annotations

import pytest

from unmixel.core import registry
from unmixel.dataset.matrix import Grid
from unmixel.testing.constraints import ConstraintLaws

GRIDS = {"image": Grid((13, 29), (1.0, 1.0)), "line": Grid((31,), (2.0,))}


def engine(name: str):
    if name == "torch":
        pytest.importorskip("torch", reason="torch is an extra: pip install 'unmixel[torch]'")
        return registry.load("engines", name)("cpu")
    return registry.load("engines", name)()


@pytest.mark.parametrize("law", ConstraintLaws.names())
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", registry.names("constraints"))
@pytest.mark.parametrize("engine_name", ["numpy", "torch"])
def test_constraint_keeps_the_law(engine_name: str, name: str, grid: str, law: str) -> None:
    kind = registry.load("constraints", name)
    ConstraintLaws(kind.example(GRIDS[grid]), GRIDS[grid], engine(engine_name)).check(law)


def test_a_broken_constraint_is_caught() -> None:
    """The suite itself can fail: a soft threshold that grows values, a wrong adjoint."""
    from dataclasses import dataclass

    from unmixel.factorize.constraints.resolution import Resolution
    from unmixel.factorize.constraints.sparse import BoundSparse, Sparse

    @dataclass(frozen=True)
    class Wrong(Sparse):
        def bind(self, context):
            good = super().bind(context)

            class Grows(BoundSparse):
                def prox(self, z, step):
                    return z * 1.5

            return Grows(good.xp, good.weights)

    with pytest.raises(AssertionError):
        ConstraintLaws(Wrong(1.0), GRIDS["image"]).check("proximal")

    @dataclass(frozen=True)
    class Lopsided(Resolution):
        def bind(self, context):
            operator = super().bind(context)
            operator.adjoint = lambda f: 2 * f
            return operator

    with pytest.raises(AssertionError):
        ConstraintLaws(Lopsided(3.0), GRIDS["image"]).check("linear")
