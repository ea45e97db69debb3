"""Components that are made of their neighbours, or hold more or less of the glass, and what a wandering glass makes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from unmixel import NMF, Resolution, Sparse, SpotShape
from unmixel.dataset.matrix import Matrix
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.factorize.binding import bind
from unmixel.factorize.draft import Draft
from unmixel.factorize.products import products_of
from unmixel.factorize.refinements.merge import Merge
from unmixel.factorize.refinements.prune import Prune
from unmixel.factorize.refinements.split import Split
from unmixel.factorize.significance import Evidence
from unmixel.factorize.thinning import thinned
from unmixel.prepare.descan import Descan
from unmixel.testing import metrics, phantoms

REFINE = (Split(), Merge(), Prune(), Merge(), Prune())
SCAN, PATTERN = (20, 22), (17, 19)


def ring():
    v, u = np.indices(PATTERN)
    return 5 * np.exp(-0.5 * ((np.hypot(v - 8, u - 9) - 6) / 2) ** 2) + 1


def spots(seed: int):
    v, u = np.indices(PATTERN)
    at = np.random.default_rng(seed).uniform(2, 14, (5, 2))
    return np.sum([4 * np.exp(-0.5 * ((v - a) ** 2 + (u - b) ** 2)) for a, b in at], axis=0)


def draft_of(maps, patterns, truth, *, dose: float = 1.0) -> Draft:
    """Return components of the fit part of counts of a truth (maps, patterns), the first one spared."""
    rng, engine, share = np.random.default_rng(8), NumpyEngine(), 0.2
    flat = np.tensordot(truth[0].reshape(len(truth[0]), -1), truth[1].reshape(len(truth[1]), -1), (0, 0))
    X = rng.poisson(dose * flat)
    matrix = Matrix.from_array(X, scan_shape=SCAN, pattern_shape=PATTERN)
    matrix = replace(matrix, pixel_weights=1 / X.mean(axis=0))
    fit, check = thinned(matrix, share=share, seed=1)
    products = [products_of(part, engine, dtype="float64", budget=10**7) for part in (fit, check)]
    problem = bind(fit, products[0], (), n_components=len(maps), engine=engine, dtype="float64")
    z = (1 - share) * dose * np.asarray(maps), np.asarray(patterns)
    return Draft(None, problem, *z, spared=1, evidence=Evidence(products[1], share, 1.0))


def places():
    everywhere, one, other = np.zeros((3, *SCAN))
    everywhere[:], one[4:12, 3:11], other[5:14, 5:13] = 3, 1, 1.2
    return everywhere, one, other


def test_a_mixture_goes_back_to_what_it_is_made_of() -> None:
    glass, one, other = places()
    truth = np.stack([glass, one, other]), np.stack([ring(), spots(1), spots(2)])
    shared = 0.7 * np.minimum(one, other)
    maps = [glass, one - shared, other - 0.8 * shared, shared]
    patterns = [ring(), spots(1), spots(2), spots(1) + 0.8 * spots(2)]
    draft = draft_of(maps, patterns, truth, dose=3)
    after, told = Merge().refine(draft)
    assert told == {"before": 4, "after": 3}
    wanted = {tuple(spots(k)[3].round(6)): m for k, m in ((1, one), (2, other))}
    for pattern, image in zip(after.patterns[1:], after.maps[1:], strict=True):
        np.testing.assert_allclose(image, 0.8 * 3 * wanted[tuple(pattern[3].round(6))], rtol=1e-6, atol=1e-9)


def test_a_third_crystal_in_the_same_place_stays() -> None:
    glass, one, other = places()
    third = 0.6 * np.minimum(one, other)
    maps, patterns = np.stack([glass, one, other, third]), np.stack([ring(), *map(spots, (1, 2, 3))])
    assert Merge().refine(draft_of(maps, patterns, (maps, patterns), dose=3))[0].n_components == 4


def test_pieces_that_hold_more_or_less_of_the_glass_are_one() -> None:
    glass, one, _ = places()
    half = one * np.linspace(0.2, 0.8, SCAN[1])
    maps = [glass - 0.3 * half - 0.05 * (one - half), half, one - half]
    patterns = [ring(), spots(1) + 0.3 * ring(), spots(1) + 0.05 * ring()]
    truth = np.stack([glass, one]), np.stack([ring(), spots(1)])
    draft = draft_of(maps, patterns, truth, dose=30)
    assert Merge().refine(draft)[0].n_components == 2


def test_many_pieces_of_one_crystal_become_one() -> None:
    glass, one, _ = places()
    split = np.random.default_rng(1).dirichlet((4, 4, 4, 4), SCAN).transpose(2, 0, 1)
    noisy = [spots(1) + 0.3 * np.random.default_rng(k).random(PATTERN) for k in range(4)]
    truth = np.stack([glass, one]), np.stack([ring(), spots(1)])
    draft = draft_of([glass, *(one * split)], [ring(), *noisy], truth, dose=3)
    assert Merge().refine(draft)[0].n_components == 2


def test_noise_among_neighbours_has_no_significance() -> None:
    """The last direction of three components that are two scores 0 with a deviation of 1."""
    glass, one, other = places()
    truth = np.stack([glass, one, other]), np.stack([ring(), spots(1), spots(2)])
    rng, scores = np.random.default_rng(2), []
    draft = draft_of(*truth, truth, dose=3)
    for _ in range(200):
        maps = 0.8 * 3 * np.stack([glass, one, 0.7 * other, 0.3 * other * rng.random(SCAN)])
        patterns = np.stack([*truth[1], spots(2) + 0.1 * rng.random(PATTERN)])
        now = replace(draft, z_maps=maps, z_patterns=patterns)
        scores.append(draft.evidence.apart(now, [[1, 2, 3]])[0])
    assert abs(np.mean(scores)) < 1.5
    assert np.std(scores) == pytest.approx(1, abs=0.35)


def refined(n_components: int, **keys):
    """Return components and crystals found in a small glass, descan taken out where there is any."""
    scan, truth = phantoms.glass(dose=40_000, **keys)
    scan = Descan().apply(scan)
    used = phantoms.yardstick_pixels(truth)
    if scan.pixel_weights is not None:
        used &= scan.pixel_weights > 0
    mean = np.asarray(scan.data, float).mean((0, 1))
    scan = replace(scan, pixel_weights=np.where(used, 1 / np.maximum(mean, 1e-3), 0.0))
    physics = Resolution(2.3548 * truth.probe_sigma), SpotShape(truth.spot_sigma), Sparse(2.0, spare=1)
    found = NMF(n_components, constraints=physics, refine=REFINE).factorize(scan)
    matched = metrics.match(found.maps, found.patterns, truth.maps, truth.patterns, used_pixels=used)
    return found.n_components, metrics.found(matched, truth.crystals)


def test_a_wandering_glass_makes_no_components() -> None:
    """Moved back by whole pixels, the same scan gave 18 components for 3 crystals and the glass."""
    assert refined(16, scan=(28, 30), detector=(36, 32), precipitates=3, descan=2, seed=1) == (4, 3)


def test_crystals_upon_crystals_make_no_others() -> None:
    """Judged pair by pair, ten components stood for 8 crystals and the glass."""
    assert refined(24, scan=(36, 40), detector=(40, 36), precipitates=8, stacked=0.5, seed=5) == (9, 8)
