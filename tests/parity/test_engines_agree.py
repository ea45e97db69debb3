"""numpy is the oracle: torch on the CPU finds the same factors, by every solver under every constraint."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from unmixel import NMF, sweep
from unmixel.core import registry
from unmixel.dataset.matrix import Grid, Matrix
from unmixel.engines.lazy import wrap
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.factorize.work import Work
from unmixel.testing import metrics, phantoms

torch = pytest.importorskip("torch", reason="torch is an extra: pip install 'unmixel[torch]'")

from unmixel.engines.torch_engine import TorchEngine  # noqa: E402

KEPT = 10**8
"""Bytes that hold all data here: they stay on the device."""
K = 3


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def scan():
    made = phantoms.glass(scan=(13, 29), detector=(31, 26), precipitates=3, dose=4e4, seed=2)[0]
    return dataclasses.replace(made, data=np.asarray(made.data).astype(np.uint16))


def example(name: str):
    kind = registry.load("constraints", name)
    side = kind.example(Grid((13, 29), (1.0, 1.0))).side
    return kind.example(Grid((13, 29) if side == "maps" else (31, 26), (1.0, 1.0)))


ALONE = [name for name in registry.names("constraints") if name != "nonnegative"]
SETS = {name: (name,) for name in ALONE} | {
    "none": (),
    "physics": ("resolution", "spot_shape", "sparse"),
    "all": tuple(ALONE),
}
CASES = [(solver, chosen) for solver in ("auto", "gradient") for chosen in SETS] + [
    (solver, chosen) for solver in ("admm", "hals") for chosen in ("none", "sparse")
]


@pytest.fixture(scope="module")
def double(scan):
    return dataclasses.replace(scan, data=scan.data.astype(np.float64))


def fits(scan, engine=None, **settings):
    """Return the factors by numpy and by torch."""
    settings = {"max_iter": 6, "tol": 0, "sketch_sweeps": 6} | settings
    engines = NumpyEngine(1), engine or TorchEngine("cpu", device_budget=KEPT)
    return [NMF(K, engine=one, **settings).factorize(scan) for one in engines]


def agree(one, two, *, rel: float = 1e-4, likeness: float = 0.999) -> None:
    np.testing.assert_allclose(two.convergence.objective, one.convergence.objective, rtol=rel)
    assert two.convergence.relative_error == pytest.approx(one.convergence.relative_error, rel=rel)
    assert two.residual.chi2 == pytest.approx(one.residual.chi2, rel=rel)
    matched = metrics.match(two.maps, two.patterns, one.maps, one.patterns)
    assert min(matched.pattern_cosine) > likeness
    for one_map, other in zip(one.maps, two.maps[matched.component], strict=True):
        # a map that a constraint keeps flat has no correlation
        if np.ptp(one_map) > 1e-3 * one_map.max():
            assert np.corrcoef(one_map.ravel(), other.ravel())[0, 1] > likeness


def test_every_solver_is_compared() -> None:
    assert {solver for solver, _ in CASES} == set(registry.names("solvers"))


@pytest.mark.parametrize(
    ("solver", "chosen"),
    [pytest.param(*case, marks=pytest.mark.slow if "all" in case else ()) for case in CASES],
)
def test_solvers_take_the_same_way_under_constraints(double, solver: str, chosen: str) -> None:
    one, two = fits(double, solver=solver, constraints=[example(name) for name in SETS[chosen]])
    assert two.maps.dtype == two.patterns.dtype == np.float64
    agree(one, two, rel=1e-8, likeness=1 - 1e-8)
    np.testing.assert_allclose(two.maps, one.maps, atol=1e-6 * one.maps.max())


@pytest.mark.parametrize("chosen", ["none", "physics", pytest.param("all", marks=pytest.mark.slow)])
def test_single_precision_ends_at_the_same_objective(scan, chosen: str) -> None:
    # on the way there rounding is amplified by the extrapolation
    one, two = fits(scan, constraints=[example(name) for name in SETS[chosen]], max_iter=25)
    assert two.maps.dtype == np.float32
    assert two.convergence.objective[-1] == pytest.approx(one.convergence.objective[-1], rel=2e-3)
    assert two.convergence.relative_error == pytest.approx(one.convergence.relative_error, rel=1e-3)


@pytest.mark.parametrize("start", ["svd", "pursuit", "random"])
def test_starts_agree(double, start: str) -> None:
    agree(*fits(double, start=start, max_iter=2), rel=1e-8)


@pytest.mark.parametrize("chunks", [(13, 29, 31, 26), (5, 7, 31, 26), (1, 29, 31, 26)])
@pytest.mark.parametrize("budget", [0, 400_000, KEPT])
def test_it_does_not_matter_how_blocks_come_to_the_device(double, chunks, budget: int) -> None:
    lazy = dataclasses.replace(double, data=wrap(double.data, chunks))
    engine = TorchEngine("cpu", device_budget=budget)
    agree(*fits(lazy, engine, memory_budget=3_000_000, max_iter=3), rel=1e-8)


def test_sketches_agree(scan) -> None:
    matrix = Matrix.from_scan(scan)
    found = []
    for engine in (NumpyEngine(1), TorchEngine("cpu", device_budget=KEPT)):
        work = Work(matrix, NMF(8, engine=engine).plan_for(matrix))
        found.append(work.sketch)
        assert work.sketch.left.shape == (13 * 29, 26)
    one, two = found
    np.testing.assert_allclose(two.values, one.values, rtol=1e-4)
    assert two.norm2 == pytest.approx(one.norm2, rel=1e-6)
    low, high = ((part.left * part.values) @ part.right for part in found)
    np.testing.assert_allclose(high, low, atol=1e-4 * one.values[0])
    rng = np.random.default_rng(0)
    maps, patterns = rng.random((2, 13 * 29)), rng.random((2, 31 * 26))
    device = TorchEngine("cpu")
    here = one.misfit2(maps.astype("f4"), patterns.astype("f4"))
    there = two.misfit2(device.asarray(maps, "float32"), device.asarray(patterns, "float32"))
    assert there == pytest.approx(here, rel=1e-5)


def test_sweeps_over_ranks_agree(scan) -> None:
    one, two = (
        sweep(scan, [2, 4], restarts=2, model=NMF(engine=engine, sketch_sweeps=12))
        for engine in (NumpyEngine(1), TorchEngine("cpu", device_budget=KEPT))
    )
    assert [(t.n_components, t.restart) for t in two] == [(t.n_components, t.restart) for t in one]
    errors = [[trial.relative_error for trial in trials] for trials in (one, two)]
    np.testing.assert_allclose(errors[1], errors[0], rtol=1e-4)


def test_transforms_agree(scan) -> None:
    table = scan.data.reshape(13 * 29, -1)
    model = NMF(K, max_iter=5).fit(table)
    here = model.transform(table[::2])
    there = model.set_params(engine=TorchEngine("cpu", device_budget=KEPT)).transform(table[::2])
    np.testing.assert_allclose(there, here, atol=1e-3 * here.max())


def test_sparse_data_agree(scan) -> None:
    scipy_sparse = pytest.importorskip("scipy.sparse")
    thin = np.random.default_rng(1).binomial(scan.data.astype(int), 0.05).reshape(13 * 29, -1)
    errors = [
        NMF(K, engine=engine, max_iter=5, tol=0).fit(scipy_sparse.csr_matrix(thin)).reconstruction_err_
        for engine in (NumpyEngine(1), TorchEngine("cpu"))
    ]
    assert errors[1] == pytest.approx(errors[0], rel=1e-4)


@pytest.mark.parametrize("engine", [NumpyEngine(1), TorchEngine("cpu", device_budget=KEPT)])
def test_what_one_engine_began_the_other_can_end(scan, engine) -> None:
    settings = {"tol": 0, "sketch_sweeps": 4}
    states = []
    whole = NMF(K, engine="numpy", max_iter=6, **settings).factorize(scan)
    NMF(K, engine=TorchEngine("cpu"), max_iter=3, **settings).factorize(scan, on_sweep=states.append)
    assert all(isinstance(value, float) for value in states[-1].objective)
    assert isinstance(states[-1].maps, np.ndarray)
    ended = NMF(K, engine=engine, max_iter=6, **settings).factorize(scan, resume=states[-1])
    agree(whole, ended, rel=1e-3)


@pytest.mark.parametrize(("products", "loss"), [("tf32", 1e-4), ("bf16", 1e-3)])
def test_rounded_data_cost_little_and_the_error_told_is_exact(scan, products: str, loss: float) -> None:
    assert scan.data.max() > 256
    engine = TorchEngine("cpu", products=products, device_budget=KEPT)
    one, two = fits(scan, engine, max_iter=150, tol=1e-6)
    assert two.convergence.converged
    assert two.convergence.relative_error <= one.convergence.relative_error * (1 + loss)
    data = scan.data.astype(np.float64)
    misfit = data - np.tensordot(two.maps.astype(float), two.patterns.astype(float), (0, 0))
    exact = np.sqrt((misfit**2).sum() / (data**2).sum())
    assert two.convergence.relative_error == pytest.approx(exact, rel=1e-6)
    assert two.settings["engine"]["products"] == products


def test_bf16_costs_nothing_where_it_holds_the_counts(scan) -> None:
    few = dataclasses.replace(scan, data=np.minimum(scan.data, 256))
    engine = TorchEngine("cpu", products="bf16", device_budget=KEPT)
    one, two = fits(few, engine, max_iter=50, tol=1e-6)
    assert two.convergence.relative_error == pytest.approx(one.convergence.relative_error, rel=1e-4)


@pytest.mark.parametrize(
    "kernel", [np.outer([1, 2, 1], [1, 3, 2, 3, 1]), np.random.default_rng(0).random((7, 7))]
)
def test_convolutions_agree(kernel) -> None:
    from unmixel.engines.convolution import Convolution

    images = np.random.default_rng(1).random((2, 13, 29))
    host, device = NumpyEngine(), TorchEngine("cpu")
    for name in ("forward", "adjoint"):
        here = getattr(Convolution(kernel, (13, 29), host, "float64"), name)(images)
        there = getattr(Convolution(kernel, (13, 29), device, "float64"), name)(device.asarray(images))
        np.testing.assert_allclose(device.to_host(there), here, atol=1e-12)
