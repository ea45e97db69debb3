"""Standard errors against the scatter of simulated repetitions; agreement of halves against what was planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Matrix
from unmixel.dataset.scan import Scan
from unmixel.factorize.constraints.pinned import Pinned
from unmixel.factorize.constraints.resolution import Resolution
from unmixel.factorize.model import NMF
from unmixel.factorize.start import GivenStart
from unmixel.factorize.uncertainty import restarts, stability, standard_errors

SCAN, PATTERN = (12, 11), (9, 10)
REPETITIONS = 30


def planted() -> tuple[np.ndarray, np.ndarray]:
    """Three maps (everywhere, a stripe, a blob) and three random patterns."""
    patterns = np.random.default_rng(0).gamma(0.5, 1, (3, *PATTERN))
    patterns /= patterns.sum(axis=(1, 2), keepdims=True)
    y, x = np.indices(SCAN)
    blob = 400 * np.exp(-((y - 6) ** 2 + (x - 8) ** 2) / 6)
    maps = np.stack([np.full(SCAN, 300.0), 600.0 * (x < 4), np.where(blob > 20, blob, 0)])
    return maps, patterns


MAPS, PATTERNS = planted()
MEAN = np.tensordot(MAPS, PATTERNS, axes=(0, 0))


def drawn(seed: int, gain: int = 1, *, weighted: bool = True) -> Scan:
    counts = gain * np.random.default_rng(seed).poisson(MEAN / gain)
    weights = 1 / np.maximum(counts.mean(axis=(0, 1)), 1e-3) / gain
    return Scan.from_array(counts, pixel_weights=weights if weighted else None)


def order(patterns: np.ndarray) -> list[int]:
    flat = patterns.reshape(len(patterns), -1)
    unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    return [int(np.argmax(unit @ planted.reshape(-1))) for planted in PATTERNS]


def repeated(gain: int, loss: str, constraints: tuple) -> dict[str, np.ndarray]:
    """Return fits and predicted errors of maps and patterns, each stacked over the repetitions."""
    found: dict[str, list] = {name: [] for name in ("maps", "patterns", "map_errors", "pattern_errors")}
    for seed in range(REPETITIONS):
        scan = drawn(100 + seed, gain, weighted=loss == "frobenius")
        model = NMF(
            3, start=GivenStart(MAPS, PATTERNS), constraints=constraints, loss=loss, max_iter=300, tol=1e-7
        )
        factors = model.factorize(scan)
        errors = standard_errors(factors, replace(Matrix.from_scan(scan), gain=gain))
        places = order(factors.patterns)
        for name, values in (
            ("maps", factors.maps), ("patterns", factors.patterns), ("map_errors", errors.maps),
            ("pattern_errors", errors.patterns),
        ):  # fmt: skip
            found[name].append(values[places])
    return {name: np.array(values) for name, values in found.items()}


def ratios(seen: np.ndarray, errors: np.ndarray, truth: np.ndarray) -> list[float]:
    """Return observed over predicted standard deviation of each component, where it is clearly there."""
    variance, predicted = seen.var(axis=0, ddof=1), (errors**2).mean(axis=0)
    out = []
    for k in range(3):
        clear = truth[k] > 3 * np.sqrt(predicted[k])
        assert clear.sum() >= 8
        out.append(float(np.sqrt(variance[k][clear].mean() / predicted[k][clear].mean())))
    return out


@pytest.mark.parametrize(
    ("gain", "loss"),
    [
        (1, "frobenius"),
        pytest.param(4, "frobenius", marks=pytest.mark.slow),
        pytest.param(1, "kl", marks=pytest.mark.slow),
    ],
)
def test_maps_scatter_as_predicted_for_known_patterns(gain, loss):
    found = repeated(gain, loss, (Pinned(PATTERNS),))
    assert ratios(found["maps"], found["map_errors"], MAPS) == pytest.approx([1, 1, 1], abs=0.06)


def test_patterns_scatter_as_predicted_for_known_maps():
    found = repeated(1, "frobenius", (Pinned(MAPS, side="maps"),))
    assert ratios(found["patterns"], found["pattern_errors"], PATTERNS) == pytest.approx([1, 1, 1], abs=0.08)


def test_fitted_together_the_partner_adds_what_it_does_not_know():
    """A small scan, where the partner's error is as large as it gets: measured 1.0 to 1.7."""
    found = repeated(1, "frobenius", ())
    for kind, truth in (("map", MAPS), ("pattern", PATTERNS)):
        seen = ratios(found[f"{kind}s"], found[f"{kind}_errors"], truth)
        assert min(seen) > 0.95
        assert max(seen) < 2.2


@pytest.mark.slow
def test_under_a_constraint_that_averages_the_error_is_a_bound():
    y, x = np.indices(SCAN)
    smooth = np.stack([np.full(SCAN, 300.0), 500 * np.exp(-((y - 5) ** 2 + (x - 3) ** 2) / 10), MAPS[2]])
    mean = np.tensordot(smooth, PATTERNS, axes=(0, 0))
    fits, errors = [], []
    for seed in range(12):
        counts = np.random.default_rng(seed).poisson(mean)
        scan = Scan.from_array(counts, pixel_weights=1 / np.maximum(counts.mean((0, 1)), 1e-3))
        model = NMF(
            3,
            start=GivenStart(smooth, PATTERNS),
            constraints=(Resolution(2.5), Pinned(PATTERNS)),
            max_iter=50,
        )
        factors = model.factorize(scan)
        found = standard_errors(factors, Matrix.from_scan(scan))
        fits.append(factors.maps[order(factors.patterns)])
        errors.append(found.maps[order(factors.patterns)])
        assert "upper bound under resolution" in found.method
    seen = np.sqrt(np.var(fits, axis=0, ddof=1).mean(axis=(1, 2)))
    predicted = np.sqrt(np.mean(np.square(errors), axis=(0, 2, 3)))
    assert np.all(seen < 0.8 * predicted), seen / predicted


def test_the_error_of_one_component_is_the_root_of_its_counts():
    scan = Scan.from_array(np.full((4, 5, 6), 25.0))
    factors = NMF(1).factorize(scan)
    for gain in (1.0, 9.0):
        found = standard_errors(factors, replace(Matrix.from_scan(scan), gain=gain))
        assert found.gain == gain
        np.testing.assert_allclose(found.maps, np.sqrt(gain * 150), rtol=1e-3)
        np.testing.assert_allclose(found.patterns, np.sqrt(gain / 6 / 3000), rtol=1e-3)


def test_no_counts_are_no_certainty():
    counts = np.random.default_rng(0).poisson(20.0, (6, 7, 12))
    counts[2, 3] = 0
    counts[..., 5] = 0
    scan = Scan.from_array(counts)
    found = standard_errors(NMF(1).factorize(scan), Matrix.from_scan(scan))
    # one electron, not none
    assert found.maps[0, 2, 3] == pytest.approx(1, rel=0.3)
    assert found.patterns[0, 5] > 0.3 * 0.5 / counts.sum()


def test_what_was_left_out_has_no_error():
    scan = drawn(0)
    weights, positions = scan.pixel_weights.copy(), np.ones(SCAN)
    weights[2:4, 5] = 0
    positions[3] = 0
    scan = Scan.from_array(scan.data, pixel_weights=weights, position_weights=positions)
    found = standard_errors(NMF(2).factorize(scan), Matrix.from_scan(scan))
    np.testing.assert_array_equal(np.isnan(found.patterns[0]), weights == 0)
    np.testing.assert_array_equal(np.isnan(found.maps[0]), positions == 0)


def test_patterns_that_cannot_be_told_apart_have_huge_errors():
    scan = drawn(0)
    one = NMF(1).factorize(scan)
    twin = type(one)(
        **{
            **{name: getattr(one, name) for name in one.__dataclass_fields__},
            "maps": np.concatenate([one.maps, one.maps]) / 2,
            "patterns": np.concatenate([one.patterns, one.patterns]),
            "strengths": np.array([0.5, 0.5]),
        }
    )
    matrix = Matrix.from_scan(scan)
    alone, both = standard_errors(one, matrix), standard_errors(twin, matrix)
    assert np.isfinite(alone.maps).all()
    assert np.isinf(both.maps).all()


@settings(max_examples=10, deadline=None)
@given(
    scan=st.lists(st.integers(1, 5), min_size=0, max_size=2).map(tuple),
    pattern=st.lists(st.integers(2, 6), min_size=1, max_size=2).map(tuple),
    k=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_any_shape_and_any_components(scan, pattern, k, seed):
    counts = np.random.default_rng(seed).poisson(2.0, (*scan, *pattern))
    given_scan = Scan.from_array(counts, n_pattern_axes=len(pattern))
    factors = NMF(k, max_iter=3).factorize(given_scan)
    found = standard_errors(factors, Matrix.from_scan(given_scan))
    assert found.maps.shape == factors.maps.shape
    assert found.patterns.shape == factors.patterns.shape
    filled = factors.patterns.reshape(k, -1).any(axis=1)
    assert np.all(found.maps[filled] > 0)


def test_other_data_are_refused():
    scan = drawn(0)
    factors = NMF(2).factorize(scan)
    with pytest.raises(InputError, match="matrix that the factors were fitted to"):
        standard_errors(factors, Matrix.from_scan(Scan.from_array(scan.data[:5])))


def refit_with(k: int):
    def refit(half: Matrix) -> tuple[np.ndarray, np.ndarray]:
        model = NMF(k)
        return model.fit_transform(half).T, model.components_

    return refit


def test_what_was_planted_comes_back_in_both_halves_and_what_was_not_does_not():
    scan = drawn(1)
    matrix = Matrix.from_scan(scan)
    factors = NMF(6).factorize(scan)  # three too many
    found = stability(standard_errors(factors, matrix), factors, matrix, refit_with(6), seed=3)
    real = sorted(order(factors.patterns))
    false = [i for i in range(6) if i not in real]
    assert len(set(real)) == 3
    assert found.stability[real].min() > found.stability[false].max()
    assert np.all((found.stability >= 0) & (found.stability <= 1))
    again = stability(standard_errors(factors, matrix), factors, matrix, refit_with(6), seed=3)
    np.testing.assert_array_equal(again.stability, found.stability)


def test_an_even_map_agrees_with_itself_and_scatters_as_its_counts():
    scan = Scan.from_array(np.random.default_rng(0).poisson(50.0, (12, 13, 20)))
    matrix, factors = Matrix.from_scan(scan), NMF(1).factorize(scan)
    found = stability(standard_errors(factors, matrix), factors, matrix, refit_with(1))
    assert found.stability[0] > 0.9
    assert found.scatter[0] == pytest.approx(1, abs=0.2)
    assert "independent halves" in found.method


@pytest.mark.parametrize(("unit", "gain"), [(3, 3.0), (3, 2.95), (0.25, 0.25)])
def test_halves_of_any_gain_scatter_as_their_counts(unit: float, gain: float):
    scan = Scan.from_array(unit * np.random.default_rng(0).poisson(50.0, (12, 13, 20)))
    matrix, factors = replace(Matrix.from_scan(scan), gain=gain), NMF(1).factorize(scan)
    found = stability(standard_errors(factors, matrix), factors, matrix, refit_with(1))
    assert found.stability[0] > 0.9
    assert found.scatter[0] == pytest.approx(1, abs=0.2)


def test_a_component_that_is_not_found_again_has_no_agreement():
    scan = drawn(2)
    matrix, factors = Matrix.from_scan(scan), NMF(3).factorize(scan)
    found = stability(standard_errors(factors, matrix), factors, matrix, refit_with(2))
    assert np.count_nonzero(found.stability == 0) == 1
    assert np.isnan(found.scatter[found.stability == 0]).all()


def test_restarts_serve_where_data_are_no_counts():
    scan = Scan.from_array(MEAN + 0.5)
    matrix, factors = Matrix.from_scan(scan), NMF(3).factorize(scan)
    errors = standard_errors(factors, matrix)
    with pytest.raises(InputError, match="counts"):
        stability(errors, factors, matrix, refit_with(3))
    fits = (factors.maps, factors.patterns), (factors.maps[::-1] * 2, factors.patterns[::-1])
    found = restarts(errors, factors, fits, matrix)
    np.testing.assert_allclose(found.stability, 1, rtol=1e-5)
    assert found.scatter is None
