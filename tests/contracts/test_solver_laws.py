"""Every registered solver keeps the laws with every constraint, alone and together."""

from __future__ import annotations

import pytest

from unmixel.core import registry
from unmixel.dataset.matrix import Grid
from unmixel.testing.solvers import SolverLaws

SCAN, PATTERN = Grid((7, 9), (1.0, 1.0)), Grid((6, 8), (1.0, 1.0))


def example(name: str):
    kind = registry.load("constraints", name)
    side = kind.example(SCAN).side
    return kind.example(SCAN if side == "maps" else PATTERN)


SETS = {name: (name,) for name in registry.names("constraints")} | {
    "none": (),
    "physics": ("resolution", "spot_shape", "sparse"),
    "all": ("resolution", "spot_shape", "sparse", "smooth", "pinned"),
    "every": tuple(registry.names("constraints")),
}


@pytest.mark.parametrize("law", SolverLaws.names())
@pytest.mark.parametrize("constraints", SETS)
@pytest.mark.parametrize("name", registry.names("solvers"))
def test_solver_keeps_the_law(name: str, constraints: str, law: str) -> None:
    chosen = [example(constraint) for constraint in SETS[constraints]]
    SolverLaws(registry.load("solvers", name)(), chosen).check(law)


@pytest.mark.parametrize("name", registry.names("solvers"))
def test_solver_in_single_precision(name: str) -> None:
    chosen = [example(c) for c in SETS["physics"]] if name == "gradient" else []
    SolverLaws(registry.load("solvers", name)(), chosen, dtype="float32").check("never_rises")


@pytest.mark.parametrize("law", SolverLaws.names())
@pytest.mark.parametrize("name", registry.names("solvers"))
def test_solver_of_one_side_keeps_the_law(name: str, law: str) -> None:
    solver = registry.load("solvers", name)()
    if hasattr(solver, "to_the_end"):
        SolverLaws(solver.to_the_end).check(law)


def test_a_solver_that_rises_is_caught() -> None:
    class Climber:
        name = "climber"

        def check(self, problem):
            pass

        def update(self, side, z, gram, target, scale):
            return z * 1.3

    with pytest.raises(AssertionError, match="rose"):
        SolverLaws(Climber()).check("never_rises")
