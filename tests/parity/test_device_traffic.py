"""A sweep leaves the data where they are: between host and device go matrices of components and scalars."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from unmixel import NMF
from unmixel.core import registry
from unmixel.dataset.matrix import Grid, Matrix
from unmixel.factorize.least_squares import LeastSquares
from unmixel.factorize.work import Work

torch = pytest.importorskip("torch", reason="torch is an extra: pip install 'unmixel[torch]'")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from unmixel.engines.torch_engine import TorchEngine  # noqa: E402

K, SCAN, PATTERN = 4, (17, 29), (23, 26)


class Watched(TorchEngine):
    """Writes down how many numbers travel."""

    travelled: list[int]

    def asarray(self, values, dtype=None):
        if not isinstance(values, torch.Tensor):
            self.__dict__.setdefault("travelled", []).append(np.size(values))
        return super().asarray(values, dtype)

    def to_host(self, array):
        self.__dict__.setdefault("travelled", []).append(array.numel())
        return super().to_host(array)


class Waits(TorchDispatchMode):
    """Counts how often the host asks for a number that the device has yet to compute."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@contextmanager
def watched(engine: Watched) -> Iterator[Waits]:
    engine.travelled.clear()
    with Waits() as waits:
        yield waits


def work(*constraints: str, solver: str = "auto") -> Work:
    rng = np.random.default_rng(0)
    maps, patterns = rng.random((17 * 29, K)), rng.random((K, 23 * 26)) ** 3
    data = rng.poisson(20 * maps @ patterns).astype(np.uint16).reshape(*SCAN, *PATTERN)
    chosen = []
    for name in constraints:
        kind = registry.load("constraints", name)
        side = kind.example(Grid(SCAN, (1.0, 1.0))).side
        chosen.append(kind.example(Grid(SCAN if side == "maps" else PATTERN, (1.0, 1.0))))
    model = NMF(K, engine=Watched("cpu", device_budget=10**8), constraints=chosen, solver=solver)
    matrix = Matrix.from_array(data.reshape(17 * 29, -1), scan_shape=SCAN, pattern_shape=PATTERN)
    return Work(matrix, model.plan_for(matrix))


CASES = [
    ("auto", ()),
    ("auto", ("sparse",)),
    ("auto", ("resolution", "spot_shape", "sparse")),
    ("auto", ("smooth", "pinned")),
    ("hals", ()),
]


@pytest.mark.parametrize("on_sketch", [False, True])
@pytest.mark.parametrize(("solver", "constraints"), CASES)
def test_a_sweep_moves_nothing_larger_than_components_squared(solver, constraints, on_sketch) -> None:
    job = work(*constraints, solver=solver)
    engine, plan = job.plan.engine, job.plan
    problem = plan.problem(job.sketch, job.sketch, job.noise) if on_sketch else job.problem()
    descent = LeastSquares(problem, plan.solver)
    z = plan.start.make(problem, sketch=lambda: job.sketch, seed=0)
    z = descent.sweep(*z)[:2]  # what is sent once is there
    with watched(engine) as waits:
        *z, change = descent.sweep(*z)
        first = waits.count
        descent.sweep(*z, z[1] * 1.01)
    assert isinstance(change, float)
    coupled = bool(set(constraints) - {"sparse"})
    # one block of data: one scalar for each side and one for the change; where a guard watches over every inner
    # step, one for each of those
    assert first <= (18 if coupled else 3)
    assert engine.travelled, "the small matrices are seen here"
    assert max(engine.travelled) <= (3 * K + 3) * K
    assert sum(engine.travelled) < 10 * max(engine.travelled)


def test_the_data_travel_once() -> None:
    job = work()
    _ = job.sketch
    blocks = job.products.reader
    loads = blocks.reader.loads
    assert blocks.kept_as.startswith("all blocks on cpu")
    problem = job.problem()
    z = job.plan.start.make(problem, sketch=lambda: job.sketch, seed=0)
    LeastSquares(problem, job.plan.solver).sweep(*z)
    assert blocks.reader.loads == loads == len(blocks.reader)
