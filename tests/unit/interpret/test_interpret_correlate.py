"""The correlation of all pairs: equal to brute force, masked, refined between samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpret_phantoms import few

from unmixel.interpret import correlate as module
from unmixel.interpret.correlate import LEAST_SEEN, all_pairs, correlate, partners, spectra


def rings(seed, *, k=4, shape=(5, 24), masked=True):
    rng = np.random.default_rng(seed)
    used = np.ones(shape, bool)
    if masked:
        used[1, 3:9] = False
        used[3:, 11:15] = False
    anomaly = rng.normal(size=(k, *shape)).astype(np.float32)
    count = used.sum(axis=1)
    anomaly -= (anomaly * used).sum(axis=2, keepdims=True) / count[:, None]
    return (anomaly * used).astype(np.float32), used, np.arange(2.0, 2 + shape[0])


def brute(one, other, used_one, used_other, weights):
    """The formula of the module, sample by sample, at every rotation."""
    curve = []
    for shift in range(one.shape[1]):
        b, m = np.roll(other, -shift, axis=1), np.roll(used_other, -shift, axis=1)
        w = weights[:, None]
        seen_a, seen_b = (w * one**2 * m).sum(), (w * b**2 * used_one).sum()
        hidden = seen_a <= LEAST_SEEN * (w * one**2).sum() or seen_b <= LEAST_SEEN * (w * other**2).sum()
        curve.append(0.0 if hidden else (w * one * b).sum() / np.sqrt(seen_a * seen_b))
    return np.array(curve)


def parabola(curve):
    best = int(curve.argmax())
    left, top, right = curve[best - 1], curve[best], curve[(best + 1) % len(curve)]
    offset = 0.5 * (left - right) / (left - 2 * top + right)
    return top - 0.25 * (left - right) * offset, (best + offset) * 360 / len(curve)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("block_bytes", [1, 2**26])
def test_equal_to_brute_force(masked, block_bytes, monkeypatch) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", block_bytes)
    a, used, weights = rings(0, masked=masked)
    b, _, _ = rings(1, k=3, masked=masked)
    pairs = correlate(spectra(a, used, weights), spectra(b, used, weights))
    for i, one in enumerate(a):
        for j, other in enumerate(b):
            curve = brute(one, other, used, used, weights)
            peak, angle = parabola(curve)
            assert pairs.similarity[i, j] == pytest.approx(peak, abs=1e-5)
            assert (pairs.rotation_deg[i, j] - angle + 180) % 360 - 180 == pytest.approx(0, abs=1e-2)
            assert pairs.unturned[i, j] == pytest.approx(curve[0], abs=1e-5)


@pytest.mark.parametrize("k", [1, 2, 19])
def test_all_pairs_is_correlate_with_itself(k) -> None:
    a, used, weights = rings(2, k=k)
    harmonics = spectra(a, used, weights)
    whole, pairs = correlate(harmonics, harmonics), all_pairs(harmonics)
    upper = np.triu_indices(k, 1)
    np.testing.assert_allclose(pairs.similarity[upper], whole.similarity[upper], atol=1e-5)
    np.testing.assert_allclose(pairs.rotation_deg[upper], whole.rotation_deg[upper], atol=1e-3)
    np.testing.assert_allclose(pairs.similarity, pairs.similarity.T)
    np.testing.assert_allclose(pairs.rotation_deg, -pairs.rotation_deg.T)
    assert np.all(np.diag(pairs.similarity) == 1)


def test_partners_are_the_diagonal() -> None:
    (a, used, weights), (b, _, _) = rings(3), rings(4)
    one, other = spectra(a, used, weights), spectra(b, used, weights)
    curves = [brute(x, y, used, used, weights).max() for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(partners(one, other), curves, atol=1e-5)


def test_mirror_images_have_mirrored_masks() -> None:
    a, used, weights = rings(5)
    flipped = spectra(a, used, weights).mirrored()

    def mirror(x):
        return np.roll(x[..., ::-1], 1, axis=-1)

    expected = spectra(np.ascontiguousarray(mirror(a)), mirror(used), weights)
    np.testing.assert_allclose(flipped.values, expected.values, atol=1e-4)
    np.testing.assert_allclose(flipped.mask, expected.mask, atol=1e-4)


@few
@given(st.integers(0, 1000), st.integers(0, 23), st.floats(0.01, 1e4))
def test_turned_copy_is_found_and_scale_does_not_matter(seed, shift, scale) -> None:
    a, used, weights = rings(seed, k=1, masked=False)
    turned = np.roll(a, shift, axis=2) * np.float32(scale)
    pairs = correlate(spectra(a, used, weights), spectra(turned, used, weights))
    assert pairs.similarity[0, 0] == pytest.approx(1, abs=0.02)
    error = (pairs.rotation_deg[0, 0] - shift * 15 + 180) % 360 - 180
    assert abs(error) < 7.6  # within half a sample


def test_a_masked_sample_never_counts() -> None:
    a, used, weights = rings(6)
    spoiled = np.where(used, a, 0).astype(np.float32)
    assert np.array_equal(spectra(spoiled, used, weights).values, spectra(a, used, weights).values)
    # a sample that the other's mask hides does not lower the agreement of turned copies
    smooth = np.cos(3 * np.linspace(0, 2 * np.pi, 24, endpoint=False))[None, None] * np.ones((1, 5, 1))
    seen = (smooth * used).astype(np.float32)
    pairs = correlate(spectra(seen, used, weights), spectra(-seen, used, weights))
    assert pairs.similarity[0, 0] == pytest.approx(1, abs=1e-4)
    assert abs(pairs.rotation_deg[0, 0]) % 120 == pytest.approx(60, abs=0.5)


def test_a_rotation_that_hides_almost_all_does_not_count() -> None:
    used = np.zeros((1, 24), bool)
    used[0, :3] = True
    a = np.zeros((1, 1, 24), np.float32)
    a[0, 0, :3] = (1, -2, 1)
    pairs = correlate(spectra(a, used, np.ones(1)), spectra(a, used, np.ones(1)))
    assert pairs.rotation_deg[0, 0] == pytest.approx(0, abs=8)
    empty = np.zeros_like(a)
    assert correlate(spectra(a, used, np.ones(1)), spectra(empty, used, np.ones(1))).similarity[0, 0] == 0
