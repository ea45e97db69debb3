"""What fills the scan is told from what is in places, and is spared where a constraint leaves that open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import unmixel
from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Matrix
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.factorize.constraints.relevance import Relevance
from unmixel.factorize.constraints.soft_orthogonal import SoftOrthogonal
from unmixel.factorize.constraints.sparse import Sparse
from unmixel.factorize.contracts import Spreading
from unmixel.factorize.edge import n_spread, only_spread
from unmixel.factorize.products import products_of
from unmixel.factorize.sketch import Sketch, sketch
from unmixel.factorize.solve import closed, first
from unmixel.factorize.start import GivenStart
from unmixel.factorize.work import Work
from unmixel.testing import metrics, phantoms

SCAN, PIXELS = (23, 29), 210
SPARING = (Sparse, SoftOrthogonal, Relevance)


def white(rng: np.random.Generator, *parts: tuple[np.ndarray, float], masked: int = 0) -> Sketch:
    """Return the sketch of maps times random patterns, of those norms in units of the edge, in noise of variance 1."""
    n = SCAN[0] * SCAN[1]
    data = rng.standard_normal((n, PIXELS)) + 20.0  # a constant matrix keeps the data positive
    edge = np.sqrt(n) + np.sqrt(PIXELS)
    for image, size in parts:
        pattern = rng.standard_normal(PIXELS)
        pattern -= pattern.mean()
        data += (
            edge * size * np.outer(image.ravel() / np.linalg.norm(image), pattern / np.linalg.norm(pattern))
        )
    matrix = Matrix.from_array(np.maximum(data, 0), scan_shape=SCAN)
    weights = np.ones(n)
    weights[:masked] = 0
    matrix = replace(matrix, position_weights=weights)
    engine = NumpyEngine()
    products = products_of(matrix, engine, dtype="float64", budget=10**8)
    return sketch(products, matrix, width=20, engine=engine, dtype="float64", seed=1)


def place(y: int, x: int, size: int) -> np.ndarray:
    """Return a square in the scan."""
    image = np.zeros(SCAN)
    image[y : y + size, x : x + size] = 1
    return image


def halves() -> np.ndarray:
    """Return 1 in one half of the scan and -1 in the other."""
    return np.where(np.arange(SCAN[1]) < SCAN[1] // 2, 1.0, -1.0) * np.ones(SCAN)


@pytest.mark.parametrize("seed", range(5))
def test_noise_over_a_matrix_is_one_component(seed: int) -> None:
    assert n_spread(white(np.random.default_rng(seed))) == 1


@pytest.mark.parametrize("seed", range(5))
def test_places_are_not_counted_and_halves_are(seed: int) -> None:
    rng = np.random.default_rng(seed)
    crystals = (place(3, 4, 6), 3.0), (place(14, 18, 5), 2.0)
    assert n_spread(white(rng, *crystals)) == 1
    low = white(rng, *crystals, (halves(), 1.5))
    assert n_spread(low) == 2
    part = only_spread(low)
    assert part.values.size == 2
    assert part.norm2 == pytest.approx(float(np.sum(part.values**2)))


def test_positions_without_weight_count_neither_for_nor_against() -> None:
    # in the half that is left the second pattern is everywhere, so it is part of the matrix
    low = white(np.random.default_rng(0), (place(3, 4, 6), 3.0), masked=SCAN[0] * SCAN[1] // 3)
    assert n_spread(low) == 1


@pytest.mark.parametrize("kind", SPARING)
def test_open_constraints_say_so_and_can_be_settled(kind: type) -> None:
    left_open, closed = kind(0.1, spare="auto"), kind(0.1, spare=2)
    assert isinstance(left_open, Spreading)
    assert (left_open.is_open, closed.is_open) == (True, False)
    assert left_open.settled(3) == kind(0.1, spare=3)
    assert closed.settled(3) is closed
    assert left_open.n_spared == 1


@pytest.mark.parametrize("kind", SPARING)
@pytest.mark.parametrize("spare", [-1, "all", True, 1.5])
def test_what_is_no_number_is_refused(kind: type, spare: object) -> None:
    with pytest.raises(InputError, match="auto"):
        kind(0.1, spare=spare)


@pytest.fixture(scope="module")
def two_glasses() -> tuple:
    scan, truth = phantoms.glass(
        scan=(30, 34), detector=(40, 36), precipitates=4, spot=1.6, matrices=2, dose=20_000, seed=3
    )
    used = phantoms.yardstick_pixels(truth)
    mean = np.asarray(scan.data).mean(axis=(0, 1))
    return replace(scan, pixel_weights=np.where(used, 1 / np.maximum(mean, 1e-3), 0.0)), truth, used


def test_two_glasses_are_both_spared(two_glasses: tuple) -> None:
    scan, truth, used = two_glasses
    physics = unmixel.Resolution(1.884), unmixel.SpotShape(1.6)
    errors = {}
    for spare in (1, "auto"):
        model = unmixel.NMF(10, constraints=(*physics, Sparse(2.0, spare=spare)), max_iter=20)
        factors = model.factorize(scan)
        errors[spare] = metrics.truth_error(
            factors.maps, factors.patterns, truth.maps, truth.patterns, used_pixels=used
        )
    assert factors.settings["spread"] == 2
    sparse = next(c for c in factors.settings["constraints"] if c["name"] == "sparse")
    assert sparse["spare"] == 2, "the record says what was used, not what was left open"
    assert errors["auto"] < 0.7 * errors[1], errors
    assert model.transform(Matrix.from_scan(scan)).shape == (scan.n_positions, 10)


def test_a_fit_with_an_open_end_goes_on_where_it_stood(two_glasses: tuple) -> None:
    scan, _, _ = two_glasses
    states, sketches = [], []
    model = unmixel.NMF(
        8, constraints=(unmixel.Resolution(1.884), Sparse(2.0, spare="auto")), max_iter=4, tol=0
    )
    whole = model.factorize(scan, on_sweep=states.append, on_sketch=sketches.append)
    again = model.factorize(scan, resume=states[1], sketch=sketches[-1])
    assert np.array_equal(whole.maps, again.maps)
    assert again.settings["spread"] == whole.settings["spread"] == 2


def test_a_given_start_stays_as_it_was_given(two_glasses: tuple) -> None:
    scan, _, _ = two_glasses
    rng = np.random.default_rng(0)
    start = GivenStart(rng.random((6, *scan.scan_shape)), rng.random((6, *scan.pattern_shape)))
    model = unmixel.NMF(6, constraints=[Sparse(2.0, spare="auto")], start=start, max_iter=2)
    plan = model.plan_for(model.matrix_of(scan))
    work = Work(model.matrix_of(scan), plan)
    plan = closed(plan, work.sketch)
    assert plan.constraints[0].n_spared == 2
    z_maps, _ = first(plan, work.problem(), lambda: work.sketch)
    np.testing.assert_array_equal(z_maps, start.maps.astype(z_maps.dtype))
    assert model.factorize(scan).n_components == 6


def test_more_may_be_spared_than_fill_the_scan(two_glasses: tuple) -> None:
    """Asked for by hand: what has no direction of its own begins as the start has it, not empty."""
    scan, _, _ = two_glasses
    factors = unmixel.NMF(8, constraints=[Sparse(2.0, spare=4)], max_iter=3).factorize(scan)
    assert factors.settings["spread"] is None
    assert np.count_nonzero(factors.maps.sum(axis=(1, 2)) > 0) >= 4
