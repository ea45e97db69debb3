"""Grouping against known truth: lattices in random rotation, halos, masks, noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interpret_phantoms import (
    SYMMETRY_DEG,
    beam_mask,
    halo,
    make_factors,
    middle,
    pattern_axes,
    spots,
)

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.interpret.align import made_round
from unmixel.interpret.cluster import RotationClusterer, SpectrumClusterer
from unmixel.interpret.tree import strongest
from unmixel.testing.metrics import grouping

ROTATION = RotationClusterer()


def glass(shape=(64, 64), *, dose=1e4, share=0.7, each=6, stop=False, seed=0, even=False):
    """Return factors of three lattices in random rotations and of halos, noisy, with kinds and rotations."""
    rng = np.random.default_rng(seed)
    used = beam_mask(shape)
    if stop:
        used[int(middle(shape)[0]) - 2 : int(middle(shape)[0]) + 3, : int(middle(shape)[1])] = False
    kinds = np.array([0, 1, 2] * each + [-1] * 3)
    degrees = rng.uniform(-180, 180, len(kinds))
    other = halo(shape=shape) * used
    patterns = []
    for kind, angle in zip(kinds, degrees, strict=True):
        one = spots(kind, angle, shape=shape, jitter=None if even else rng) * used if kind >= 0 else other
        weight = share if kind >= 0 else 0.0
        patterns.append(rng.poisson(dose * (weight * one / one.sum() + (1 - weight) * other / other.sum())))
    factors = make_factors(patterns, used=used, strengths=rng.uniform(0.5, 1, len(kinds)))
    return factors, kinds, degrees


def rotation_errors(groups, factors, kinds, degrees):
    heads = strongest(groups.labels, factors.strengths)[groups.labels]
    errors = []
    for k, head in enumerate(heads):
        if k != head and kinds[k] == kinds[head] >= 0:
            turn = SYMMETRY_DEG[kinds[k]]
            off = groups.rotation_deg[k] - (degrees[k] - degrees[head])
            errors.append(abs((off + turn / 2) % turn - turn / 2))
    return np.array(errors)


@pytest.mark.parametrize("shape", [(64, 64), (61, 80)])
@pytest.mark.parametrize("stop", [False, True])
@pytest.mark.parametrize(("dose", "share"), [(1e3, 0.7), (1e4, 0.3), (1e6, 0.7)])
def test_phases_and_rotations_are_found(shape, stop, dose, share) -> None:
    factors, kinds, degrees = glass(shape, dose=dose, share=share, stop=stop)
    groups = ROTATION.group(factors, seed=0)
    assert grouping(groups.labels, kinds) >= 0.9
    assert np.median(rotation_errors(groups, factors, kinds, degrees)) <= 0.5
    for group in range(groups.n_groups):
        assert groups.crystalline[group] == (kinds[groups.labels == group][0] >= 0)


@settings(max_examples=10, deadline=None)
@given(st.floats(-179.9, 179.9))
def test_rotation_has_the_sign_of_the_turn(angle) -> None:
    patterns = [spots(2, 10.0), spots(2, 10.0 + angle)]
    # a beam from one side breaks the two-fold symmetry, so that the whole angle shows
    patterns = [p + 0.6 * spots(2, a) * side(a) for p, a in zip(patterns, (10.0, 10.0 + angle), strict=True)]
    groups = ROTATION.group(make_factors(patterns, used=beam_mask((64, 64))), seed=0)
    assert groups.labels.tolist() == [0, 0]
    assert (groups.rotation_deg[1] - angle + 180) % 360 - 180 == pytest.approx(0, abs=0.5)


def side(degrees):
    v, u = np.indices((64, 64)) - 31.5
    return 1 / (1 + np.exp(-(u * np.cos(np.radians(degrees)) - v * np.sin(np.radians(degrees))) / 3))


def test_rotated_copies_of_one_pattern_are_never_split() -> None:
    angles = np.linspace(0, 170, 18)
    for kind in (0, 1, 2):
        patterns = [spots(kind, angle) + 0.2 * halo() for angle in angles]
        groups = ROTATION.group(make_factors(patterns, used=beam_mask((64, 64))), seed=0)
        assert groups.n_groups == 1


def test_similar_phases_are_parted_at_the_gap() -> None:
    def rectangle(ratio, angle):
        v, u = np.indices((64, 64)) - 31.5
        x, y = u * np.cos(angle) - v * np.sin(angle), u * np.sin(angle) + v * np.cos(angle)
        image = np.zeros((64, 64))
        for h in (-2, -1, 0, 1, 2):
            for k in (-2, -1, 0, 1, 2):
                if h or k:
                    place = (x - 11 * h) ** 2 + (y - 11 * ratio * k) ** 2
                    image += np.exp(-np.hypot(h, k)) * np.exp(-place / (2 * 2.2**2))
        return image

    angles = np.radians([0, 20, 50, 70, 10, 35, 60, 85])
    patterns = [rectangle(1.0 if i < 4 else 1.12, a) for i, a in enumerate(angles)]
    whole = RotationClusterer(compare="intensities")
    groups = whole.group(make_factors(patterns, used=beam_mask((64, 64))), seed=0)
    assert groups.labels.tolist() == [0] * 4 + [1] * 4
    assert "gap" in groups.cut_reason
    together = replace(whole, cut=0.5).group(make_factors(patterns, used=beam_mask((64, 64))), seed=0)
    assert together.n_groups == 1
    assert "given" in together.cut_reason


def test_group_pattern_is_sharp_and_filled_under_a_beam_stop() -> None:
    factors, _, _ = glass(dose=1e6, stop=True, each=4, even=True)
    clean, _, _ = glass(dose=1e6, each=4, even=True)
    groups = ROTATION.group(factors, seed=0)
    head = strongest(groups.labels, factors.strengths)[0]
    truth = clean.patterns[head] / clean.patterns[head].sum()
    found = groups.patterns[0] / factors.patterns[head].sum()
    stop = clean.used_pixels & ~factors.used_pixels & ~beam_mask((64, 64), radius=26)
    assert groups.used_pixels[0][stop].mean() > 0.8
    seen = groups.used_pixels[0] & ~beam_mask((64, 64), radius=26)
    assert np.corrcoef(found[seen], truth[seen])[0, 1] > 0.97


@pytest.mark.parametrize("k", [1, 2])
def test_few_components(k) -> None:
    used = beam_mask((64, 64))
    groups = ROTATION.group(make_factors([spots(0, 5.0), spots(1, 9.0)][:k], used=used), seed=0)
    assert groups.labels.tolist() == list(range(k))
    assert groups.linkage.shape == (k - 1, 4)
    same = ROTATION.group(make_factors([spots(0, 5.0), spots(0, 40.0)][:k], used=used), seed=0)
    assert same.n_groups == 1
    halos = ROTATION.group(make_factors([halo(), halo(ring=19.0)][:k], used=used), seed=0)
    assert halos.n_groups == k
    assert not halos.crystalline.any()
    assert "default" in halos.cut_reason


def test_spots_and_rings_are_never_joined() -> None:
    factors = make_factors([3 * spots(0, 5.0) + halo(), halo()], used=beam_mask((64, 64)))
    groups = RotationClusterer(cut=1.0).group(factors, seed=0)
    assert groups.distance[0, 1] == 1
    assert groups.n_groups == 2


def test_mirror_images_join_only_when_asked() -> None:
    rng = np.random.default_rng(0)
    chiral = [spots(2, 0.0) + spots(0, 25.0, sigma=1.3), None]
    chiral[1] = spots(2, 40.0, mirror=True) + spots(0, 40.0 - 25.0, sigma=1.3)
    factors = make_factors([rng.poisson(1e3 * p) for p in chiral], used=beam_mask((64, 64)))
    apart, joined = ROTATION.group(factors, seed=0), RotationClusterer(mirror=True).group(factors, seed=0)
    assert apart.n_groups == 2
    assert not apart.mirrored.any()
    assert joined.n_groups == 1
    assert joined.mirrored.tolist() == [False, True]
    used = joined.used_pixels[0] & ~beam_mask((64, 64), radius=26)
    assert np.corrcoef(joined.patterns[0][used], factors.patterns[0][used])[0, 1] > 0.98


def test_pixels_that_are_not_square() -> None:
    steps, shape = (2.0, 1.0), (33, 65)
    axes = tuple(
        Axis(n, s, scale=0.01 * d, offset=-0.01 * d * (s - 1) / 2, unit="1/angstrom")
        for n, s, d in zip("vu", shape, steps, strict=True)
    )
    v, u = np.indices(shape, dtype=float)
    used = np.hypot(2 * (v - 16), u - 32) > 5
    angles = (0.0, 33.0, 71.0)
    patterns = [spots(kind, a, shape=shape, sigma=2.2, steps=steps) for kind in (0, 2) for a in angles]
    groups = ROTATION.group(make_factors(patterns, used=used, axes=axes), seed=0)
    assert groups.labels.tolist() == [0] * 3 + [1] * 3
    turns = groups.rotation_deg[3:] % 180
    assert turns == pytest.approx(angles, abs=0.7)


@settings(max_examples=5, deadline=None)
@given(st.permutations(range(9)), st.lists(st.floats(1e-3, 1e3), min_size=9, max_size=9))
def test_order_and_scale_do_not_matter(order, scales) -> None:
    factors, _, _ = glass(each=2)
    order = list(order)
    changed = replace(
        factors,
        patterns=(factors.patterns * np.array(scales)[:, None, None])[order],
        maps=factors.maps[order],
        strengths=factors.strengths[order],
    )
    first, second = ROTATION.group(factors, seed=0), ROTATION.group(changed, seed=0)
    assert np.array_equal(first.labels[order], second.labels)
    np.testing.assert_allclose(first.distance[np.ix_(order, order)], second.distance, atol=2e-4)


def test_method_says_where_the_centre_comes_from() -> None:
    factors = make_factors([spots(0, 5.0), spots(0, 40.0)], used=beam_mask((64, 64)))
    plain = replace(factors, pattern_axes=(Axis("v", 64), Axis("u", 64)))
    assert "coordinate 0" in ROTATION.group(factors, seed=0).method
    found = ROTATION.group(plain, seed=0)
    assert "inversion" in found.method
    assert found.center == pytest.approx((31.5, 31.5), abs=0.1)
    given_center = RotationClusterer(center=(31.5, 31.5)).group(plain, seed=0)
    assert "as given" in given_center.method


@pytest.mark.parametrize(
    "wrong",
    [{"cut": 0.0}, {"cut": 1.5}, {"significance": 0.0}, {"power": 0.0}, {"power": 1.1}, {"smooth": -1.0}],
)
def test_wrong_parameters_are_refused(wrong) -> None:
    with pytest.raises(InputError):
        RotationClusterer(**wrong)


def test_rotation_refuses_spectra_and_empty_detectors() -> None:
    spectra = make_factors(np.ones((2, 20)), axes=(Axis("energy", 20),))
    with pytest.raises(InputError, match="spectrum"):
        ROTATION.group(spectra, seed=0)
    masked = make_factors(np.ones((2, 20, 20)), used=np.zeros((20, 20), bool))
    with pytest.raises(InputError, match="ring"):
        ROTATION.group(masked, seed=0)


def test_spectra_are_grouped_by_their_cosine() -> None:
    channel = np.arange(80.0)
    line = np.exp(-(((channel - 30) / 4) ** 2)) + 0.1
    other = np.exp(-(((channel - 50) / 4) ** 2)) + 0.1
    used = channel > 3
    spoiled = line + np.where(used, 0, 100.0)
    factors = make_factors(
        [line, other, 5 * line + 0.01, spoiled], used=used, axes=(Axis("energy", 80, unit="eV"),)
    )
    factors = replace(factors, patterns=np.array([line, other, 5 * line + 0.01, spoiled]))
    groups = SpectrumClusterer().group(factors, seed=0)
    assert groups.labels.tolist() == [0, 1, 0, 0]
    assert groups.distance[0, 3] == pytest.approx(0, abs=1e-12)
    assert groups.center == ()
    unit = line[used] / np.linalg.norm(line[used])
    assert groups.distance[0, 1] == pytest.approx(1 - unit @ other[used] / np.linalg.norm(other[used]))
    with pytest.raises(InputError):
        SpectrumClusterer(cut=0)


def test_axes_of_groups_are_those_of_the_factors() -> None:
    factors, _, _ = glass(each=1)
    groups = ROTATION.group(factors, seed=0)
    assert groups.scan_axes == factors.scan_axes
    assert groups.pattern_axes == pattern_axes((64, 64))
    np.testing.assert_allclose(groups.maps.sum(axis=0), factors.maps.sum(axis=0))


def test_an_elliptical_detector_is_allowed_for() -> None:
    """The same lattice at many angles on a detector with axes that differ by 10 %."""
    shape, center = (64, 64), middle((64, 64))
    detector = (1.1, 25.0)
    back = (1.1, 115.0)  # the round pattern seen through the inverse of the distortion's inverse
    angles = np.arange(8) * 23.0
    images = np.array([spots(kind, angle) for angle in angles for kind in (0, 2)])
    used = beam_mask(shape)
    seen, _ = made_round(images, np.ones(shape, bool), back, center=center, steps=(1.0, 1.0))
    factors = make_factors(np.random.default_rng(0).poisson(300 * seen * used), used=used)
    plain = ROTATION.group(factors, seed=0)
    allowed = RotationClusterer(ellipse=detector).group(factors, seed=0)
    own = 1 - allowed.distance[::2, ::2]
    assert own.mean() > (1 - plain.distance[::2, ::2]).mean() + 0.05
    assert grouping(allowed.labels, np.tile([0, 1], len(angles))) == 1.0
    assert "made round" in allowed.method
    with pytest.raises(InputError, match="ellipse"):
        RotationClusterer(ellipse=(0.9, 0.0))
