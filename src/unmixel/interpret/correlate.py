"""How alike ring patterns are at every rotation: masked, normalised correlation of all pairs by FFT.

For ring anomalies ``a``, ``b`` (ring means subtracted, 0 at unused samples), masks ``m`` and ring weights
``w``::

                      sum_r w sum_t a(r, t) b(r, t + s)
    S(s) = --------------------------------------------------------------------
           sqrt( sum_r w sum_t a(r, t)^2 m_b(r, t + s) * sum_r w sum_t m_a(r, t) b(r, t + s)^2 )

so that a sample that is masked in either pattern, at that rotation, counts in neither sum. All sums over
angles are circular correlations: one FFT per ring and pattern, one matrix product per harmonic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.engines.numpy_engine import NumpyEngine

Float = NDArray[np.floating[Any]]

LEAST_SEEN = 0.25  # a rotation that hides more than three quarters of a pattern's energy does not count
BLOCK_BYTES = 64 * 2**20


@dataclass(frozen=True, eq=False)
class Spectra:
    """Ring anomalies as circular harmonics, ready to be correlated.

    Parameters
    ----------
    values : ndarray of complex64, shape (m, k, r)
        Harmonics of the anomalies, times the square root of the ring weight.
    energy : ndarray of complex64, shape (m, k, p)
        Harmonics of the squared, weighted anomalies on the p rings that are used in part.
    mask : ndarray of complex64, shape (m, p)
        Harmonics of the mask on those rings.
    whole, total : ndarray, shape (k,)
        Weighted energy of each pattern on the rings that are used all round, and on all rings.
    n_angles : int
    """

    values: NDArray[np.complex64]
    energy: NDArray[np.complex64]
    mask: NDArray[np.complex64]
    whole: Float
    total: Float
    n_angles: int

    @property
    def n_patterns(self) -> int:
        """Number of patterns."""
        return int(self.values.shape[1])

    def mirrored(self) -> Spectra:
        """Return the harmonics of the mirror images (angle t becomes -t)."""
        values, energy, mask = self.values.conj(), self.energy.conj(), self.mask.conj()
        return Spectra(values, energy, mask, self.whole, self.total, self.n_angles)

    def __getitem__(self, some: slice) -> Spectra:
        values, energy = self.values[:, some], self.energy[:, some]
        return Spectra(values, energy, self.mask, self.whole[some], self.total[some], self.n_angles)


@dataclass(frozen=True, eq=False)
class Pairs:
    """What the correlation of patterns a (rows) and b (columns) found.

    Parameters
    ----------
    similarity : ndarray, shape (a, b)
        Largest correlation over all rotations, in [-1, 1].
    rotation_deg : ndarray, shape (a, b)
        The rotation there: b is a turned counter-clockwise by it; in [-180, 180).
    unturned : ndarray, shape (a, b)
        Correlation without turning.
    """

    similarity: Float
    rotation_deg: Float
    unturned: Float


def spectra(anomaly: NDArray[np.float32], used: NDArray[np.bool_], weights: Float) -> Spectra:
    """Return the harmonics of ring anomalies.

    Parameters
    ----------
    anomaly : ndarray, shape (k, r, t)
        Ring means subtracted, 0 at unused samples.
    used : ndarray of bool, shape (r, t)
    weights : ndarray, shape (r,)
        Weight of each ring, >= 0; the radius makes every part of the detector's area count alike.
    """
    from scipy import fft

    def harmonics(rings: Any) -> NDArray[np.complex64]:
        return np.asarray(fft.rfft(np.asarray(rings, np.float32), axis=-1), np.complex64)

    weighted = anomaly * np.sqrt(np.asarray(weights, np.float32))[:, None]
    energy, part = weighted**2, ~used.all(axis=1)
    total = energy.sum(axis=2, dtype=np.float64)
    return Spectra(
        values=np.ascontiguousarray(harmonics(weighted).transpose(2, 0, 1)),
        energy=np.ascontiguousarray(harmonics(energy[:, part]).transpose(2, 0, 1)),
        mask=np.ascontiguousarray(harmonics(used[part]).T),
        whole=total[:, ~part].sum(axis=1),
        total=total.sum(axis=1),
        n_angles=int(anomaly.shape[2]),
    )


def correlate(a: Spectra, b: Spectra) -> Pairs:
    """Return the best rotation between each pattern of `a` and each of `b`, read on the same rings and mask.

    The rotation is refined between samples by the parabola through the maximum and its neighbours. Works in
    blocks of rows, so that memory stays at about 64 MB whatever the number of pairs.
    """
    scale_a, scale_b = _scales(a, b)
    rows = max(1, int(BLOCK_BYTES / (16.0 * b.n_patterns * b.n_angles)))
    blocks = [
        _block(a[start : start + rows], b, scale_a[start : start + rows], scale_b)
        for start in range(0, a.n_patterns, rows)
    ]
    return Pairs(*(np.concatenate(part) for part in zip(*blocks, strict=True)))


def all_pairs(patterns: Spectra) -> Pairs:
    """Return the best rotation between all pairs of patterns: each pair is computed once.

    The similarities are symmetric with 1 on the diagonal, the rotations antisymmetric. Threads share the rows.
    """
    k = patterns.n_patterns
    similarity, unturned, rotation = np.eye(k), np.eye(k), np.zeros((k, k))
    rows = max(1, min(16, k))
    starts = range(0, k, rows)
    parts = NumpyEngine().each(
        lambda start: correlate(patterns[start : start + rows], patterns[start:]), starts
    )
    for start, part in zip(starts, parts, strict=True):
        stop = start + part.similarity.shape[0]
        above = np.triu(np.ones(part.similarity.shape, bool), 1)
        for whole, some, sign in (
            (similarity, part.similarity, 1.0),
            (unturned, part.unturned, 1.0),
            (rotation, part.rotation_deg, -1.0),
        ):
            whole[start:stop, start:][above] = some[above]
            whole[start:, start:stop].T[above] = sign * some[above]
    return Pairs(similarity, rotation, unturned)


def partners(a: Spectra, b: Spectra) -> Float:
    """Return the similarity of each pattern of `a` with the one of the same number in `b`, shape (k,)."""
    from scipy import fft

    scale_a, scale_b = _scales(a, b)
    curve = fft.irfft((a.values.conj() * b.values).sum(axis=2), n=a.n_angles, axis=0).T
    return np.asarray((curve * scale_a * scale_b).max(axis=1), np.float64)


def _scales(a: Spectra, b: Spectra) -> tuple[Float, Float]:
    """Return what the raw correlation is to be multiplied by, for each pattern and rotation, both (k, t)."""
    return _scale(a, a.energy.conj() * b.mask[:, None, :]), _scale(b, b.energy * a.mask.conj()[:, None, :])


def _scale(patterns: Spectra, harmonics: Any) -> Float:
    """Return one over the root of the energy that the other's mask leaves; 0 where it leaves too little."""
    from scipy import fft

    part = fft.irfft(harmonics.sum(axis=2), n=patterns.n_angles, axis=0).T
    seen = part + patterns.whole[:, None]
    enough = seen > LEAST_SEEN * patterns.total[:, None]
    return np.asarray(np.where(enough, 1.0 / np.sqrt(np.where(enough, seen, 1.0)), 0.0), np.float32)


def _block(a: Spectra, b: Spectra, scale_a: Float, scale_b: Float) -> tuple[Float, Float, Float]:
    from scipy import fft
    from threadpoolctl import threadpool_limits

    # many small products: threads would only wait for each other
    with threadpool_limits(limits=1, user_api="blas"):
        cross = np.matmul(a.values.conj(), b.values.transpose(0, 2, 1))
    curve = fft.irfft(np.ascontiguousarray(cross.transpose(1, 2, 0)), n=b.n_angles, axis=2)
    curve *= scale_a[:, None, :]
    curve *= scale_b[None, :, :]
    best = curve.argmax(axis=2)
    left, top, right = (
        np.take_along_axis(curve, ((best + shift) % b.n_angles)[:, :, None], axis=2)[:, :, 0].astype(
            np.float64
        )
        for shift in (-1, 0, 1)
    )
    bend = left - 2 * top + right
    offset = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, 1.0), 0.0)
    offset = np.clip(offset, -0.5, 0.5)
    peak = top - 0.25 * (left - right) * offset
    angle = (best + offset) * (360.0 / b.n_angles)
    return np.clip(peak, -1, 1), (angle + 180.0) % 360.0 - 180.0, np.clip(curve[:, :, 0], -1, 1)
