"""Every registered loss and start keeps the laws."""

from __future__ import annotations

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import scipy.sparse

from unmixel import Pinned, Resolution, Smooth, Sparse, SpotShape
from unmixel.core import registry
from unmixel.factorize.losses.frobenius import Frobenius
from unmixel.testing.losses import LossLaws, half_square
from unmixel.testing.starts import StartLaws, example_start

FORMS = {
    "array": np.asarray,
    "lazy": lambda table: da.from_array(table, chunks=(7, 20)),
    "sparse": scipy.sparse.csr_matrix,
}


@pytest.mark.parametrize("law", LossLaws.names())
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", registry.names("losses"))
def test_loss_keeps_the_law(name: str, form: str, law: str) -> None:
    LossLaws(registry.load("losses", name)(), FORMS[form]).check(law)


@pytest.mark.parametrize("law", StartLaws.names())
@pytest.mark.parametrize("name", registry.names("starts"))
def test_start_keeps_the_law(name: str, law: str) -> None:
    StartLaws(example_start(registry.load("starts", name))).check(law)


CONSTRAINTS = [
    (Resolution(1.9),),
    (SpotShape(0.8),),
    (Sparse(1.0), Sparse(0.5, side="patterns")),
    (Smooth(0.3), Smooth(0.2, side="patterns")),
    (Pinned(np.ones((4, 5))),),
    (Resolution(1.9), SpotShape(0.8), Sparse(1.0), Smooth(0.2)),
]


@pytest.mark.parametrize("law", ["objective", "falls", "settles"])
@pytest.mark.parametrize("form", ["array", "sparse"])
@pytest.mark.parametrize("constraints", CONSTRAINTS, ids=lambda given: "+".join(c.name for c in given))
def test_kl_keeps_the_law_under_constraints(constraints, form: str, law: str) -> None:
    LossLaws(registry.load("losses", "kl")(), FORMS[form], constraints=constraints).check(law)


@pytest.mark.parametrize("constraints", [(), CONSTRAINTS[-1]], ids=["free", "constrained"])
@pytest.mark.parametrize("form", ["array", "sparse"])
def test_kl_keeps_the_laws_on_torch(form: str, constraints) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    engine = registry.load("engines", "torch")(device="cpu")
    laws = LossLaws(registry.load("losses", "kl")(), FORMS[form], constraints=constraints, engine=engine)
    for law in ("objective", "falls") if constraints else ("objective", "falls", "settles"):
        laws.check(law)


def test_a_wrong_formula_is_caught() -> None:
    with pytest.raises(AssertionError):
        LossLaws(registry.load("losses", "kl")(), formula=half_square).check("objective")


class Wrong(Frobenius):
    """Least squares with one fault at a time."""

    def __init__(self, fault: str) -> None:
        object.__setattr__(self, "fault", fault)

    def weigh(self, matrix, *, engine, budget):
        extra = 1.0 if self.fault == "weigh" else 0.0
        return replace(matrix, pixel_weights=matrix.pixel_weights + extra)

    def descent(self, matrix, problem, solver, *, budget):
        found = super().descent(matrix, problem, solver, budget=budget)
        sweep, settle, objective, rng = found.sweep, found.settle, found.objective, np.random.default_rng()
        if self.fault == "falls":
            found.sweep = lambda w, h, ahead=None: (w, 1.5 * h, -1.0)
        if self.fault == "repeats":
            found.sweep = lambda w, h, ahead=None: sweep(w * rng.uniform(0.5, 1), h)
        if self.fault == "settles":
            found.settle = lambda w, h: 1.1 * settle(w, h)
        if self.fault == "objective":
            found.objective = lambda w, h: 1.01 * objective(w, h)
        return found


@pytest.mark.parametrize("law", ["weigh", "falls", "repeats", "settles", "objective"])
def test_a_wrong_loss_is_caught(law: str) -> None:
    with pytest.raises(AssertionError):
        LossLaws(Wrong(law)).check(law)
