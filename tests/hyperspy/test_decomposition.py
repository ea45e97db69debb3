"""unmixel inside HyperSpy: as the algorithm of `decomposition`, and a Scan as a signal.

Runs where HyperSpy is installed; `make test-hyperspy` sets up an environment with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import unmixel

hs = pytest.importorskip(
    "hyperspy.api",
    reason="HyperSpy is not installed here; `make test-hyperspy` runs this",
    exc_type=ImportError,
)

# HyperSpy and what it brings warn about one another; that is not ours to mend
pytestmark = pytest.mark.filterwarnings("default")

SCAN, DETECTOR, K = (13, 17), (12, 10), 3


@pytest.fixture(scope="module")
def planted() -> tuple[np.ndarray, np.ndarray]:
    """Return Poisson counts (y, x, v, u) made of three patterns, and the patterns (k, v, u)."""
    rng = np.random.default_rng(0)
    patterns = rng.gamma(0.3, size=(K, *DETECTOR))
    patterns /= patterns.sum(axis=(1, 2), keepdims=True)
    y, x = np.mgrid[: SCAN[0], : SCAN[1]]
    places = [(3, 3), (9, 5), (6, 13)]
    maps = np.stack([np.exp(-((y - a) ** 2 + (x - b) ** 2) / 20) for a, b in places]) + 0.02
    counts = rng.poisson(np.einsum("kyx,kvu->yxvu", 20_000 * maps, patterns))
    return counts.astype(np.float64), patterns


def cosines(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Return for each true pattern the cosine of the found one that is nearest."""
    rows = [f.reshape(len(f), -1) for f in (found, true)]
    a, b = (f / np.linalg.norm(f, axis=1, keepdims=True) for f in rows)
    return (a @ b.T).max(axis=0)


def signal_of(counts: np.ndarray, *, lazy: bool = False) -> Any:
    """Return counts as a HyperSpy signal."""
    signal = hs.signals.Signal2D(counts)
    return signal.as_lazy() if lazy else signal


def test_decomposition_takes_the_estimator(planted: tuple[np.ndarray, np.ndarray]) -> None:
    counts, patterns = planted
    signal = signal_of(counts)
    model = unmixel.NMF(n_components=K, random_state=0)
    signal.decomposition(algorithm=model, output_dimension=K, print_info=False)
    results = signal.learning_results
    assert results.factors.shape == (np.prod(DETECTOR), K)
    assert results.loadings.shape == (np.prod(SCAN), K)
    assert results.factors.min() >= 0
    assert results.loadings.min() >= 0
    rebuilt = signal.get_decomposition_model().data
    assert np.linalg.norm(rebuilt - counts) / np.linalg.norm(counts) < 0.05
    assert cosines(signal.get_decomposition_factors().data, patterns).min() > 0.99


def test_decomposition_with_constraints_that_need_the_scan(planted: tuple[np.ndarray, np.ndarray]) -> None:
    counts, patterns = planted
    signal = signal_of(counts)
    model = unmixel.NMF(
        K, constraints=[unmixel.Resolution(fwhm=2.0)], scan_shape=SCAN, pattern_shape=DETECTOR, random_state=0
    )
    signal.decomposition(algorithm=model, output_dimension=K, print_info=False)
    assert cosines(signal.get_decomposition_factors().data, patterns).min() > 0.99


@pytest.mark.parametrize("lazy", [False, True])
def test_scan_becomes_a_signal(planted: tuple[np.ndarray, np.ndarray], lazy: bool) -> None:
    counts, _ = planted
    data: Any = counts
    if lazy:
        import dask.array as da

        data = da.from_array(counts, chunks=(4, 5, -1, -1))
    scan = unmixel.Scan.from_array(data, scan_step=(1.5, "nm"), pattern_step=(0.02, "1/angstrom"))
    signal = scan.to_hyperspy()
    assert signal._lazy is lazy
    navigation, detector = signal.axes_manager.navigation_axes, signal.axes_manager.signal_axes
    assert [(a.name, a.size, a.scale) for a in navigation] == [("x", 17, 1.5), ("y", 13, 1.5)]
    assert {a.units for a in navigation} == {"nm"}
    assert [(a.name, a.size, a.scale) for a in detector] == [("u", 10, 0.02), ("v", 12, 0.02)]
    np.testing.assert_array_equal(np.asarray(signal.data), counts)


def test_spectra_become_a_one_dimensional_signal() -> None:
    scan = unmixel.Scan.from_array(np.ones((4, 5, 30)), pattern_step=(10.0, "eV"))
    signal = scan.to_hyperspy()
    assert isinstance(signal, hs.signals.Signal1D)
    assert signal.axes_manager.signal_axes[0].units == "eV"
