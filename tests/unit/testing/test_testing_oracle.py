from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls

from unmixel.core.errors import InputError
from unmixel.physics.kernels import disk_kernel, gaussian_kernel
from unmixel.testing.metrics import out_of_band_power
from unmixel.testing.oracle import Blur, Oracle, physics_oracle, plain_oracle
from unmixel.testing.phantoms import glass, planted_cube, yardstick, yardstick_pixels


@pytest.mark.parametrize("kernel", [gaussian_kernel((0.8, 1.5)), disk_kernel(3.2), np.ones((1, 1))])
def test_blur_and_its_adjoint_are_transposes(kernel: np.ndarray) -> None:
    random = np.random.default_rng(0)
    blur = Blur(kernel)
    wide, image = random.random((2, *blur.domain((9, 13)))), random.random((2, 9, 13))
    assert blur.forward(wide).shape == image.shape
    assert np.sum(blur.forward(wide) * image) == pytest.approx(np.sum(wide * blur.adjoint(image)))


def test_plain_oracle_is_non_negative_least_squares() -> None:
    scan, truth = glass(scan=(6, 5), detector=(12, 11), precipitates=2, dose=5e3, spot=1.0)
    used = yardstick_pixels(truth)
    oracle = plain_oracle(scan.data, truth, used_pixels=used, n_steps=3000)
    X = scan.data.reshape(30, -1)[:, used.ravel()].astype(float)
    white = 1 / np.sqrt(np.maximum(X.mean(axis=0), 1e-3))
    rows = truth.patterns.reshape(4, -1)[:, used.ravel()] * white
    seen = np.linalg.norm(rows, axis=1)
    kept = (seen > 0.05 * seen.max()) | np.isin(np.arange(4), truth.crystals)
    wanted = np.array([nnls(rows[kept].T, x * white)[0] for x in X]).T
    got = oracle.maps.reshape(4, -1)[kept] / seen[kept, None]
    assert np.allclose(got, wanted, atol=1e-3 * wanted.max())


def test_noise_free_data_hold_everything() -> None:
    _, truth = glass(scan=(20, 26), detector=(40, 36), precipitates=3, dose=1e4)
    used = yardstick_pixels(truth)
    data = truth.expected.reshape(20, 26, 40, 36)
    for oracle in (
        plain_oracle(data, truth, used_pixels=used),
        physics_oracle(data, truth, used_pixels=used, sparsity=0),
    ):
        assert oracle.found == 3
        assert oracle.matched.pattern_cosine[truth.crystals].min() > 0.98
        assert oracle.matched.map_pearson[truth.crystals].min() > 0.98


def test_no_electrons_no_crystals() -> None:
    scan, truth = glass(scan=(20, 20), detector=(40, 40), precipitates=3, dose=30.0)
    assert plain_oracle(scan.data, truth, used_pixels=yardstick_pixels(truth), n_steps=50).found == 0


def test_components_without_beam_or_crystals_are_judged_too() -> None:
    scan, truth = planted_cube()
    oracle = plain_oracle(scan.data, truth)
    assert oracle.found == 4
    assert isinstance(oracle, Oracle)


@pytest.mark.parametrize("shape", ["gaussian", "disk"])
def test_physics_oracle_keeps_the_physics(shape: str) -> None:
    scan, truth = glass(scan=(24, 20), detector=(48, 44), precipitates=3, dose=1e4, spots=shape)
    oracle = physics_oracle(scan.data, truth, used_pixels=yardstick_pixels(truth), n_steps=100)
    plain = plain_oracle(scan.data, truth, used_pixels=yardstick_pixels(truth), n_steps=100)
    crystals = truth.crystals
    assert oracle.maps.min() >= -1e-9 * oracle.maps.max()
    assert (
        out_of_band_power(oracle.maps[crystals], 0.45).max()
        < out_of_band_power(plain.maps[crystals], 0.45).min()
    )
    assert oracle.matched.pattern_cosine[crystals].min() > plain.matched.pattern_cosine[crystals].max()


def test_masks_of_another_shape_are_refused() -> None:
    scan, truth = glass(scan=(4, 4), detector=(8, 9), precipitates=1)
    with pytest.raises(InputError, match="used_pixels"):
        plain_oracle(scan.data, truth, used_pixels=np.ones((9, 8), bool))


@pytest.mark.slow
def test_what_the_yardstick_holds_at_ten_thousand_electrons() -> None:
    scan, truth = yardstick(10_000, seed=1)
    used = yardstick_pixels(truth)
    assert 4 <= plain_oracle(scan.data, truth, used_pixels=used, n_steps=60).found <= 10
    assert physics_oracle(scan.data, truth, used_pixels=used, n_steps=60).found == 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dose", "plain", "physics"),
    [
        (3_000, (0, 2), (16, 20)),
        (10_000, (5, 10), (19, 20)),
        (40_000, (15, 20), (20, 20)),
        (160_000, (20, 20), (20, 20)),
    ],
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_the_yardstick_holds(
    dose: int, plain: tuple[int, int], physics: tuple[int, int], seed: int
) -> None:
    scan, truth = yardstick(dose, seed=seed)
    used = yardstick_pixels(truth)
    assert plain[0] <= plain_oracle(scan.data, truth, used_pixels=used).found <= plain[1]
    assert physics[0] <= physics_oracle(scan.data, truth, used_pixels=used).found <= physics[1]
