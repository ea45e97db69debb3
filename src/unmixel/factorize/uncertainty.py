"""How far maps and patterns can be trusted: standard errors from counting noise, agreement between halves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Matrix
from unmixel.dataset.results import Factors, Uncertainty
from unmixel.factorize.thinning import thinned

Float = NDArray[np.float64]
Pair = tuple[NDArray[Any], NDArray[Any]]
Refit = Callable[[Matrix], Pair]
"""From data to maps (k, ...) and patterns (k, ...), as a fit of them gives it."""

CHUNK = 4_000_000
"""Numbers of one working array."""

ABSENT = 1e-9
"""Share of its largest value below which a component counts as absent at a sample."""

TWINS = 1e-8
"""Share of a component that must not be made of the others, or nothing determines it."""

CLEAR = 2.0
"""Standard errors above which a value of a map tells something about scatter."""


def standard_errors(factors: Factors, matrix: Matrix) -> Uncertainty:
    """Return the standard error of every value of maps and patterns, from the noise of counts.

    With one factor known, the other is a weighted least-squares estimate per position (per pixel). For the maps at
    a position, with patterns H of the components A that are present there, pixel weights w and noise of the variance
    ``v_j = gain (W H)_j``::

        var W_k = c_k' v c_k,      c_k = row k of (H_A w H_A')^-1 H_A w

    Where a component is absent the error is the one that it would have if it were there too: what could have hidden.
    Under the loss ``kl`` it is the diagonal of the inverse Fisher information, ``gain (H_A (w / m) H_A')^-1``. A
    position or a pixel with less than one expected electron is taken to hold one, so that 0 counts never claim
    certainty. Where patterns cannot be told apart the error is infinite.

    Constraints that tie samples together (`Resolution`, `SpotShape`, `Smooth`) and penalties are not in the formula:
    they average noise out, so the error is then an upper bound of the scatter. The error of the partner is not in it
    either: `stability` measures what that adds.

    Parameters
    ----------
    factors : Factors
    matrix : Matrix
        The data of the fit; only weights and the gain are looked at.

    Raises
    ------
    InputError
        Where the factors do not belong to the matrix.

    References
    ----------
    Seber & Lee, Linear Regression Analysis, 2nd ed., Wiley (2003), chapter 3: variance under weights that are not
    those of the noise; Cramér, Mathematical Methods of Statistics (1946), chapter 32.

    Examples
    --------
    >>> from unmixel.factorize.model import NMF
    >>> from unmixel.dataset.scan import Scan
    >>> counts = np.full((4, 5, 6), 25.0)
    >>> scan = Scan.from_array(counts)
    >>> found = standard_errors(NMF(1).factorize(scan), Matrix.from_scan(scan))
    >>> round(float(found.maps[0, 0, 0]), 1)  # 6 pixels of 25 counts: the root of 150
    12.2
    """
    k, n, m, gain = factors.n_components, matrix.n_positions, matrix.n_pixels, matrix.gain
    if factors.maps.size != k * n or factors.patterns.size != k * m:
        raise InputError(
            "standard_errors",
            expected="the matrix that the factors were fitted to",
            got=f"maps of {factors.maps.size // k} positions, a matrix of {n}",
            hint="give Matrix.from_scan(prepared_scan)",
        )
    used, kept = matrix.pixel_weights > 0, matrix.position_weights > 0
    maps = _Given(factors.maps.reshape(k, n)[:, kept], matrix.position_weights[kept])
    patterns = _Given(factors.patterns.reshape(k, m)[:, used], matrix.pixel_weights[used])
    likelihood = _loss(factors) == "kl"
    errors = []
    for own, partner, chosen in ((maps, patterns, kept), (patterns, maps, used)):
        full = np.full((k, chosen.size), np.nan, np.float32)
        full[:, chosen] = np.sqrt(own.variances(partner, gain, likelihood=likelihood))
        errors.append(full)
    how = "inverse Fisher information of the counts" if likelihood else "weighted least squares of counts"
    return Uncertainty(
        maps=errors[0].reshape(factors.maps.shape),
        patterns=errors[1].reshape(factors.patterns.shape),
        gain=float(gain),
        method=f"{how}, variance {gain:.4g} x model, the partner taken as known{_bound(factors)}",
    )


def _loss(factors: Factors) -> str:
    loss = factors.settings.get("loss")
    return str(loss.get("name", "")) if isinstance(loss, dict) else str(loss)


def _bound(factors: Factors) -> str:
    """Return in words what the constraints mean for the errors."""
    names = [c.get("name") for c in factors.settings.get("constraints", ()) if isinstance(c, dict)]
    tying = [str(name) for name in dict.fromkeys(names) if name not in ("nonnegative", None)]
    return f"; an upper bound under {', '.join(tying)}" if tying else ""


@dataclass(frozen=True, eq=False)
class _Given:
    """One factor at the samples that took part in the fit: values (k, n) and weights (n,)."""

    values: NDArray[Any]
    weights: Float

    def variances(self, partner: _Given, gain: float, *, likelihood: bool) -> Float:
        """Return the variance of every value, shape (k, n), for a known partner."""
        k, n = self.values.shape
        own, other = self.values.astype(np.float64), partner.values.astype(np.float64)
        length = np.sqrt((other**2 * partner.weights).sum(axis=1))
        empty = length == 0
        length[empty] = 1.0
        unit = other / length[:, None]
        present = own > ABSENT * own.max(axis=1, keepdims=True, initial=0.0)
        noisy = self._with_dark(own, other, gain) * length[:, None]
        steps = slice(None), max(1, CHUNK // max(k * k, unit.shape[1] if likelihood else 1))
        found = np.empty((k, n))
        pairs = _Pairs(unit)
        nothing = np.diag(empty.astype(np.float64))
        gram = (unit * partner.weights) @ unit.T + nothing
        third = None if likelihood else pairs.summed(partner.weights**2, unit)
        for start in range(0, n, steps[1]):
            part = slice(start, start + steps[1])
            active, level = present[:, part].T & ~empty, noisy[:, part].T
            if third is None:
                model = np.maximum(level @ unit, 1e-300)
                grams = pairs.square((partner.weights / model) @ pairs.products.T) + nothing
                how = _coefficients(grams, active)
                own_variance = how.diagonals()
            else:
                meat = pairs.square(level @ third)
                how = _coefficients(np.broadcast_to(gram, (len(active), k, k)), active)
                own_variance = np.einsum("bij,bij->bj", how.all, meat @ how.all)
            found[:, part] = gain * np.where(how.determined, own_variance, np.inf).T
        found /= length[:, None] ** 2
        found = np.maximum(found, self._one_electron(other, partner.weights, gain)[:, None])
        found[empty] = np.nan
        return np.asarray(found)

    @staticmethod
    def _one_electron(other: Float, weights: Float, gain: float) -> Float:
        """Return the variance of each component's values where one electron of it, and nothing else, is expected."""
        square = (other**2 * weights).sum(axis=1) ** 2 * other.sum(axis=1)
        found = gain**2 * (other**3 * weights**2).sum(axis=1)
        return np.asarray(np.divide(found, square, out=np.zeros_like(found), where=square > 0))

    @staticmethod
    def _with_dark(own: Float, other: Float, gain: float) -> Float:
        """Return the values with up to one electron spread over the components where less is expected."""
        sums = other.sum(axis=1)
        light = own.sum(axis=1) * sums
        share = np.divide(
            light, sums * max(float(light.sum()), 1e-300), out=np.zeros_like(light), where=sums > 0
        )
        lacking = np.maximum(gain - sums @ own, 0.0)
        return np.asarray(own + share[:, None] * lacking)


class _Pairs:
    """Products of every two rows of a factor, each pair once."""

    def __init__(self, rows: Float) -> None:
        self.rows = rows
        self.first, self.second = np.triu_indices(len(rows))

    @property
    def products(self) -> Float:
        """Return them all, shape (k (k + 1) / 2, m)."""
        return np.asarray(self.rows[self.first] * self.rows[self.second])

    def summed(self, weights: Float, third: Float) -> Float:
        """Return ``sum_j weights_j rows_kj rows_lj third_cj``, shape (c, pairs)."""
        out = np.zeros((len(third), len(self.first)))
        step = max(1, CHUNK // len(self.first))
        for start in range(0, self.rows.shape[1], step):
            part = slice(start, start + step)
            rows = self.rows[:, part]
            out += (third[:, part] * weights[part]) @ (rows[self.first] * rows[self.second]).T
        return out

    def square(self, values: Float) -> Float:
        """Return values per pair (b, pairs) as symmetric matrices (b, k, k)."""
        k = len(self.rows)
        out = np.empty((len(values), k, k))
        out[:, self.first, self.second] = values
        out[:, self.second, self.first] = values
        return out


@dataclass(frozen=True, eq=False)
class _Coefficients:
    """How the products with the partner make the estimate, sample by sample: one column per component."""

    all: Float
    schur: Float
    active: NDArray[np.bool_]
    size: Float

    @property
    def determined(self) -> NDArray[np.bool_]:
        """Whether a component can be told apart from the others that are present, shape (b, k)."""
        own = np.diagonal(self.all, axis1=1, axis2=2)
        alone = np.where(self.active, 1 / np.maximum(own, 1e-300), self.schur)
        return np.asarray(alone > TWINS * self.size)

    def diagonals(self) -> Float:
        """Return the diagonal of the inverse, shape (b, k); for an absent component as if it were there alone."""
        own = np.diagonal(self.all, axis1=1, axis2=2)
        return np.asarray(np.where(self.active, own, 1 / self.schur))


def _coefficients(grams: Float, active: NDArray[np.bool_]) -> _Coefficients:
    """Return the inverse of each Gram matrix among the components that are present.

    A column of an absent component is that of the inverse with it added to those present.
    """
    k = grams.shape[1]
    eye = np.eye(k)
    both = active[:, :, None] & active[:, None, :]
    size = np.diagonal(grams, axis1=1, axis2=2)
    # so that patterns that cannot be told apart have an inverse, huge enough to be known by
    ridge = 1e-12 * np.maximum(size, 1e-300)[:, :, None] * eye
    inverse = np.linalg.inv(np.where(both, grams + ridge, np.where(active[:, :, None], 0.0, eye)))
    inverse = np.where(both, inverse, 0.0)
    through = inverse @ grams
    schur = size - np.einsum("bij,bji->bi", grams, through)
    schur = np.maximum(schur, 1e-12 * np.maximum(size, 1e-300))
    beside = (eye - through) / schur[:, None, :]
    return _Coefficients(np.where(active[:, None, :], inverse, beside), schur, active, size)


def stability(
    errors: Uncertainty, factors: Factors, matrix: Matrix, refit: Refit, *, seed: int = 0
) -> Uncertainty:
    """Return the standard errors with the agreement of fits to two independent halves of the counts.

    Every electron goes to one of two halves by chance (`thinned`); both are fitted by `refit`, their components are
    matched with those of the whole. The agreement is the cosine of the two patterns times the correlation of the two
    maps (for even maps, which have none, their cosine rescaled); the scatter compares the difference of the two maps
    with the standard error.

    Parameters
    ----------
    errors : Uncertainty
        Of the fit to all counts.
    factors : Factors
    matrix : Matrix
        The data of the fit: counts, or numbers >= 0 of a known gain.
    refit : callable(Matrix) -> (maps, patterns)
        Fits one half; its number of components may differ.
    seed : int

    Raises
    ------
    InputError
        Where the data cannot be halved (from `thinned`).

    Examples
    --------
    >>> from unmixel.factorize.model import NMF
    >>> from unmixel.dataset.scan import Scan
    >>> scan = Scan.from_array(np.random.default_rng(0).poisson(50.0, (6, 7, 20)))
    >>> whole, data = NMF(1).factorize(scan), Matrix.from_scan(scan)
    >>> def refit(half):
    ...     model = NMF(1)
    ...     maps = model.fit_transform(half)
    ...     return maps.T, model.components_
    >>> bool(stability(standard_errors(whole, data), whole, data, refit).scatter[0] < 1.5)
    True
    """
    halves = [refit(half) for half in thinned(matrix, share=0.5, seed=seed)]
    used = matrix.pixel_weights > 0
    kept = matrix.position_weights > 0
    score, (first, second) = _agreement(factors, halves, used, kept)
    k = factors.n_components
    whole = factors.maps.reshape(k, -1)[:, kept].astype(np.float64)
    error = errors.maps.reshape(k, -1)[:, kept].astype(np.float64)
    clear = whole > CLEAR * error
    scatter = np.full(k, np.nan)
    for i in range(k):
        where = clear[i]
        if score[i] > 0 and np.count_nonzero(where) >= 8:
            moved = np.sum((first[0][i] - second[0][i])[where] ** 2)
            scatter[i] = np.sqrt(moved / np.sum(error[i][where] ** 2))
    return replace(
        errors,
        stability=score,
        scatter=scatter,
        method=errors.method + "; agreement between fits to two independent halves of the counts",
    )


def restarts(errors: Uncertainty, factors: Factors, fits: tuple[Pair, Pair], matrix: Matrix) -> Uncertainty:
    """Return the standard errors with the agreement of two further fits of the same data from other starts.

    For data that cannot be thinned. It tells whether the solution is unique, not whether noise made it.

    Parameters
    ----------
    errors : Uncertainty
    factors : Factors
    fits : two pairs of maps (k, ...) and patterns (k, ...)
    matrix : Matrix
        The data of the fits; only weights are looked at.
    """
    score, _ = _agreement(factors, list(fits), matrix.pixel_weights > 0, matrix.position_weights > 0)
    return replace(
        errors,
        stability=score,
        method=errors.method + "; agreement between fits from two other starts",
    )


def _agreement(
    factors: Factors, fits: list[Pair], used: NDArray[np.bool_], kept: NDArray[np.bool_]
) -> tuple[Float, list[tuple[Float, Float]]]:
    """Return the agreement of two fits for every component, and both fits in the order of the components."""
    k = factors.n_components

    def rows(pair: Pair) -> tuple[Float, Float]:
        maps, patterns = (np.asarray(side, np.float64).reshape(len(side), -1) for side in pair)
        return maps[:, kept], patterns[:, used]

    whole = rows((factors.maps, factors.patterns))
    ordered = []
    for fit in map(rows, fits):
        place = _matched(whole, fit)
        there = place >= 0
        maps, patterns = np.zeros((k, kept.sum())), np.zeros((k, used.sum()))
        maps[there], patterns[there] = fit[0][place[there]], fit[1][place[there]]
        ordered.append((maps, patterns))
    (maps, patterns), (more_maps, more_patterns) = ordered
    score = np.sum(_unit(patterns) * _unit(more_patterns), axis=1)
    return score * _map_agreement(maps, more_maps), ordered


def _matched(whole: tuple[Float, Float], other: tuple[Float, Float]) -> NDArray[np.intp]:
    """Return for each component of the first its partner among the second, -1 where none is left."""
    from scipy.optimize import linear_sum_assignment

    like = _unit(whole[1]) @ _unit(other[1]).T
    together = _unit(_centred(whole[0])) @ _unit(_centred(other[0])).T
    # constant maps have no correlation, patterns alone decide about them
    rows, columns = linear_sum_assignment(like * (0.01 + np.maximum(together, 0.0)), maximize=True)
    place = np.full(len(whole[0]), -1, np.intp)
    place[rows] = columns
    return place


def _centred(rows: Float) -> Float:
    return np.asarray(rows - rows.mean(axis=1, keepdims=True))


def _unit(rows: Float) -> Float:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(np.divide(rows, length, out=np.zeros_like(rows), where=length > 0))


def _map_agreement(first: Float, second: Float) -> Float:
    """Return how far two maps of each component agree, shape (k,), 0 to 1: their correlation.

    A map that is the same everywhere has none: there the cosine counts, scaled so that two independent maps of
    nothing but noise (half-normal: cosine 2 / pi) have 0.
    """
    correlation = np.sum(_unit(_centred(first)) * _unit(_centred(second)), axis=1)
    cosine = np.sum(_unit(first) * _unit(second), axis=1)
    even = (cosine - 2 / np.pi) / (1 - 2 / np.pi)
    return np.asarray(np.clip(np.maximum(correlation, even), 0.0, 1.0))
