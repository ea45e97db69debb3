"""numpy is the oracle: torch on the CPU finds the same factors."""

from __future__ import annotations

import numpy as np
import pytest

from unmixel import NMF, Resolution, Smooth, Sparse, SpotShape
from unmixel.testing import metrics, phantoms

torch = pytest.importorskip("torch", reason="torch is an extra: pip install 'unmixel[torch]'")

from unmixel.engines.torch_engine import TorchEngine  # noqa: E402


@pytest.fixture(scope="module")
def scan():
    return phantoms.glass(scan=(13, 29), detector=(31, 26), precipitates=3, dose=4e4, seed=2)[0]


SETS = {
    "plain": (),
    "physics": (Resolution(1.9), SpotShape(1.2), Sparse(1.0)),
    "smooth": (Smooth(0.1),),
}


@pytest.mark.parametrize("constraints", SETS)
def test_torch_agrees_with_numpy(scan, constraints: str) -> None:
    fits = [
        NMF(4, constraints=SETS[constraints], engine=engine, max_iter=15, tol=0, sketch_sweeps=5)
        for engine in ("numpy", TorchEngine("cpu"))
    ]
    one, two = (fit.factorize(scan) for fit in fits)
    np.testing.assert_allclose(two.convergence.objective, one.convergence.objective, rtol=1e-4)
    assert two.convergence.relative_error == pytest.approx(one.convergence.relative_error, rel=1e-4)
    matched = metrics.match(two.maps, two.patterns, one.maps, one.patterns)
    assert min(matched.pattern_cosine) > 0.999
    assert min(matched.map_pearson) > 0.999


def test_hals_agrees_too(scan) -> None:
    one, two = (
        NMF(3, solver="hals", engine=engine, max_iter=10, tol=0).factorize(scan)
        for engine in ("numpy", TorchEngine("cpu"))
    )
    np.testing.assert_allclose(two.convergence.objective, one.convergence.objective, rtol=1e-4)


@pytest.mark.parametrize(
    "kernel", [np.outer([1, 2, 1], [1, 3, 2, 3, 1]), np.random.default_rng(0).random((7, 7))]
)
def test_convolutions_agree(kernel) -> None:
    from unmixel.engines.convolution import Convolution
    from unmixel.engines.numpy_engine import NumpyEngine

    images = np.random.default_rng(1).random((2, 13, 29))
    host, device = NumpyEngine(), TorchEngine("cpu")
    for name in ("forward", "adjoint"):
        here = getattr(Convolution(kernel, (13, 29), host, "float64"), name)(images)
        there = getattr(Convolution(kernel, (13, 29), device, "float64"), name)(device.asarray(images))
        np.testing.assert_allclose(device.to_host(there), here, atol=1e-12)
