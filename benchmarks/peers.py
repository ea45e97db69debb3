"""Who factorises: unmixel and its peers, each as one function of the same table.

A peer takes counts (n, m) of uint16, as they were read, and returns `Factors`. What it has to do before it can
begin (a cast, a signal object) is part of its time and memory. Its imports are not: see `fit_once`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

OURS = "unmixel"
ITERATIONS, TOL = 200, 1e-4
SETTINGS: dict[str, Any] = {"init": "nndsvd", "max_iter": ITERATIONS, "tol": TOL, "random_state": 0}
BATCH = 1024  # positions: what MiniBatchNMF takes by itself


@dataclass(frozen=True, eq=False)
class Factors:
    """What a peer found.

    Parameters
    ----------
    maps : ndarray, shape (n, k)
    patterns : ndarray, shape (k, m)
    iterations : int or None
    setting : str
        How it was called, in words.
    reported : float or None
        The relative error that it tells itself.
    """

    maps: Any
    patterns: Any
    iterations: int | None
    setting: str
    reported: float | None = None


def _ours(counts: Any, k: int) -> Factors:
    import unmixel

    model = unmixel.NMF(k, random_state=0)
    maps = model.fit_transform(counts)
    return Factors(
        maps, model.components_, model.n_iter_, "defaults", float(model.convergence_.relative_error)
    )


def _sklearn(counts: Any, k: int) -> Factors:
    from sklearn.decomposition import NMF

    model = NMF(k, solver="cd", **SETTINGS)
    maps = model.fit_transform(counts.astype("float32"))
    return Factors(maps, model.components_, model.n_iter_, f"cd, nndsvd, float32, {ITERATIONS}, tol {TOL}")


def _minibatch(counts: Any, k: int) -> Factors:
    from sklearn.decomposition import MiniBatchNMF

    model = MiniBatchNMF(k, batch_size=BATCH, **SETTINGS)
    maps = model.fit_transform(counts.astype("float32"))
    return Factors(
        maps, model.components_, model.n_iter_, f"nndsvd, float32, {ITERATIONS} epochs, batch {BATCH}"
    )


def _decomposed(signal: Any, k: int, algorithm: str, **words: Any) -> Factors:
    model = signal.decomposition(
        algorithm=algorithm, output_dimension=k, print_info=False, return_info=True, **words
    )
    found = signal.learning_results
    return Factors(found.loadings, found.factors.T, getattr(model, "n_iter_", None), f"{algorithm}, float32")


def _hyperspy_eager(counts: Any, k: int) -> Factors:
    import hyperspy.api as hs

    signal = hs.signals.Signal1D(counts)
    signal.change_dtype("float32")
    return _decomposed(signal, k, "NMF", solver="cd", **SETTINGS)


def _hyperspy_lazy(counts: Any, k: int) -> Factors:
    import dask.array as da
    import hyperspy.api as hs

    hs.preferences.General.show_progressbar = False
    signal = hs.signals.Signal1D(da.from_array(counts, chunks=(BATCH, -1))).as_lazy()
    signal.change_dtype("float32")
    try:
        return _decomposed(signal, k, "NMF", **SETTINGS)
    except (
        NotImplementedError,
        ValueError,
    ):  # before HyperSpy 2.5 the only lazy one was the online robust NMF
        return _decomposed(signal, k, "ORNMF")


@dataclass(frozen=True)
class Peer:
    """A way to factorise: `package` is what must be installed; `sizes` those measured unless asked otherwise."""

    name: str
    package: str
    fit: Callable[[Any, int], Factors]
    sizes: tuple[str, ...] = ("tiny", "small", "medium")


ALL = {
    peer.name: peer
    for peer in (
        Peer(OURS, "unmixel", _ours),
        Peer("scikit-learn", "sklearn", _sklearn, ("tiny", "small", "medium", "large", "mgo")),
        Peer("minibatch", "sklearn", _minibatch),
        Peer("hyperspy", "hyperspy", _hyperspy_eager),
        Peer("hyperspy-lazy", "hyperspy", _hyperspy_lazy),
    )
}
PEERS = tuple(name for name in ALL if name != OURS)
