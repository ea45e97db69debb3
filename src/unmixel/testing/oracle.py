"""What the data hold: components solved with the other half of the truth given.

Self-contained on plain numpy, apart from `unmixel.factorize` on purpose: a judge shares no code with the judged.

- **plain oracle**: maps by whitened non-negative least squares with the true patterns given, and patterns with the
  true maps given.
- **physics oracle**: the same with ``W = P Z``, sparse Z >= 0, and ``H = Y Q``, Y >= 0. P blurs by the probe, Q by the
  spot; both reach beyond the edges, as probe and spots do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.truth import Truth
from unmixel.physics.kernels import disk_kernel, gaussian_kernel
from unmixel.testing.metrics import Match, found, map_pearson, pattern_cosine

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Oracle:
    """Solution with half of the truth given.

    Parameters
    ----------
    maps : ndarray, shape (k, *scan_shape)
        Solved with the true patterns.
    patterns : ndarray, shape (k, *pattern_shape)
        Solved with the true maps; 0 at unused pixels for the plain oracle.
    matched : Match
        Component i against true component i.
    found : int
        Precipitates with pattern cosine and map Pearson >= 0.8.
    """

    maps: Array
    patterns: Array
    matched: Match
    found: int


@dataclass(frozen=True)
class Blur:
    """Convolution with a kernel, from a domain that is wider than the image by the kernel's reach.

    Parameters
    ----------
    kernel : ndarray
        Non-negative; length 1 along every axis makes it the identity.
    """

    kernel: Array

    def domain(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the images that `forward` takes to `shape`."""
        return tuple(n + k - 1 for n, k in zip(shape, self.kernel.shape, strict=True))

    def forward(self, images: Array) -> Array:
        """Return blurred images, shape (k, *shape) from (k, *domain)."""
        from scipy.signal import oaconvolve

        if self.kernel.size == 1:
            return images * self.kernel.item()
        return np.asarray(oaconvolve(images, self.kernel[None], mode="valid", axes=self._axes(images)))

    def adjoint(self, images: Array) -> Array:
        """Return the transpose of `forward`, shape (k, *domain) from (k, *shape)."""
        from scipy.signal import oaconvolve

        if self.kernel.size == 1:
            return images * self.kernel.item()
        turned = np.flip(self.kernel)[None]
        return np.asarray(oaconvolve(images, turned, mode="full", axes=self._axes(images)))

    @staticmethod
    def _axes(images: Array) -> tuple[int, ...]:
        return tuple(range(1, images.ndim))


def _accelerated(gradient: Callable[[Array], Array], step: Array, start: Array, *, n_steps: int) -> Array:
    """Minimise over x >= 0 by accelerated projected gradient; momentum restarts where it points uphill."""
    x = y = start
    t = 1.0
    for _ in range(n_steps):
        slope = gradient(y)
        new = np.maximum(y - step * slope, 0.0)
        if float(np.sum(slope * (new - x))) > 0:
            t = 1.0
        t_new = (1 + np.sqrt(1 + 4 * t * t)) / 2
        y = new + (t - 1) / t_new * (new - x)
        x, t = new, t_new
    return x


def _solve_maps(products: Array, gram: Array, blur: Blur, penalty: Array, *, n_steps: int) -> Array:
    """Return maps ``P Z`` of min over Z >= 0 of ``1/2 ||X - (P Z) H||^2 + sum_k penalty_k sum Z_k``, whitened.

    Parameters
    ----------
    products : ndarray, shape (k, *scan_shape)
        ``X H^T`` of whitened X and unit-norm whitened H.
    gram : ndarray, shape (k, k)
        ``H H^T``.
    blur : Blur
    penalty : ndarray, shape (k,)
    """
    scan = products.shape[1:]
    shape = (len(products), *blur.domain(scan))
    fixed = blur.adjoint(products) - penalty.reshape(-1, *(1,) * len(scan))
    bound = float(np.linalg.eigvalsh(gram)[-1]) * float(blur.kernel.sum()) ** 2

    def gradient(Z: Array) -> Array:
        return blur.adjoint(np.tensordot(gram, blur.forward(Z), axes=1)) - fixed

    Z = _accelerated(gradient, np.array(1 / bound), np.zeros(shape), n_steps=n_steps)
    return blur.forward(Z)


def _solve_patterns(products: Array, gram: Array, blur: Blur, weights: Array, *, n_steps: int) -> Array:
    """Return patterns ``Y Q`` of min over Y >= 0 of ``1/2 ||(X - W (Y Q)) D^-1||^2``.

    Parameters
    ----------
    products : ndarray, shape (k, *pattern_shape)
        ``W^T X`` with W of unit-norm columns.
    gram : ndarray, shape (k, k)
        ``W^T W``.
    blur : Blur
    weights : ndarray, shape pattern_shape
        ``D^-2``: 1 / mean counts, 0 at unused pixels.
    """
    pattern = products.shape[1:]
    shape = (len(products), *blur.domain(pattern))
    fixed = blur.adjoint(weights * products)
    # row sums of the non-negative Q D^-2 Q^T bound it: one step length per pixel
    ones = np.ones((1, *shape[1:]))
    curvature = float(np.linalg.eigvalsh(gram)[-1]) * blur.adjoint(weights * blur.forward(ones))
    floor = 1e-9 * float(curvature.max())
    step = np.divide(1.0, curvature, out=np.zeros_like(curvature), where=curvature > floor)

    def gradient(Y: Array) -> Array:
        return blur.adjoint(weights * np.tensordot(gram, blur.forward(Y), axes=1)) - fixed

    Y = _accelerated(gradient, step, np.zeros(shape), n_steps=n_steps)
    return blur.forward(Y)


def _kernels(truth: Truth) -> tuple[Blur, Blur]:
    """Return the probe's blur over positions and the spot's over pixels."""
    probe = gaussian_kernel((truth.probe_sigma,) * len(truth.scan_axes))
    if truth.spot_shape == "disk":
        return Blur(probe), Blur(disk_kernel(2 * truth.spot_sigma))
    return Blur(probe), Blur(gaussian_kernel((truth.spot_sigma,) * len(truth.pattern_axes)))


def _solve(
    data: Any, truth: Truth, used_pixels: Any, *, blurs: tuple[Blur, Blur], sparsity: float, n_steps: int
) -> Oracle:
    k = truth.n_components
    pattern_shape = truth.patterns.shape[1:]
    used = np.ones(pattern_shape, bool) if used_pixels is None else np.asarray(used_pixels, bool)
    if used.shape != pattern_shape:
        raise InputError("used_pixels", expected=f"shape {pattern_shape}", got=f"{used.shape}")
    X = np.asarray(data).reshape(-1, used.size)
    mean = np.maximum(X.mean(axis=0, dtype=np.float64), 1e-3)
    weights = np.where(used.reshape(-1), 1 / mean, 0.0)
    white = truth.patterns.reshape(k, -1) * np.sqrt(weights)
    norms = np.linalg.norm(white, axis=1)
    # a component that the mask hides (the beam) would only drift
    seen = norms > 0.05 * np.max(norms)
    seen[truth.crystals] = True
    H = white[seen] / norms[seen, None]
    W = truth.maps.reshape(k, -1)[seen]
    W = W / np.linalg.norm(W, axis=1, keepdims=True)
    blur_maps, blur_patterns = blurs
    penalty = np.zeros(k)
    penalty[truth.crystals] = sparsity * np.linalg.norm(blur_maps.kernel)
    scaled = H * np.sqrt(weights)
    maps, patterns = np.zeros_like(truth.maps), np.zeros_like(truth.patterns)
    maps[seen] = _solve_maps(
        (scaled @ X.T).reshape(-1, *truth.maps.shape[1:]), H @ H.T, blur_maps, penalty[seen], n_steps=n_steps
    )
    patterns[seen] = _solve_patterns(
        (W @ X).reshape(-1, *pattern_shape),
        W @ W.T,
        blur_patterns,
        weights.reshape(pattern_shape),
        n_steps=n_steps,
    )
    cosine = np.diagonal(pattern_cosine(patterns, truth.patterns, used_pixels=used))
    pearson = np.diagonal(map_pearson(maps, truth.maps))
    matched = Match(np.arange(k), cosine, pearson)
    return Oracle(maps, patterns, matched, found(matched, truth.crystals))


def plain_oracle(data: Any, truth: Truth, *, used_pixels: Any = None, n_steps: int = 400) -> Oracle:
    """Return what whitened non-negative least squares finds with half of the truth given.

    Parameters
    ----------
    data : array, shape (*scan_shape, *pattern_shape)
        Counts of the phantom, in memory.
    truth : Truth
    used_pixels : ndarray of bool, shape pattern_shape, optional
        Pixels to fit; None fits all.
    n_steps : int
        Gradient steps per half.
    """
    blurs = Blur(np.ones((1,) * len(truth.scan_axes))), Blur(np.ones((1,) * len(truth.pattern_axes)))
    return _solve(data, truth, used_pixels, blurs=blurs, sparsity=0.0, n_steps=n_steps)


def physics_oracle(
    data: Any, truth: Truth, *, used_pixels: Any = None, sparsity: float = 2.0, n_steps: int = 400
) -> Oracle:
    """Return what the data hold once the microscope's physics is used: the limit to aim at.

    Parameters
    ----------
    data, truth, used_pixels, n_steps
        As for `plain_oracle`.
    sparsity : float
        c in the weight ``c ||p||`` of the L1 term on Z of precipitates (p: probe kernel), which is the noise of the
        gradient when patterns are whitened and of unit norm.
    """
    return _solve(data, truth, used_pixels, blurs=_kernels(truth), sparsity=sparsity, n_steps=n_steps)
