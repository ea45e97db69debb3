from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError
from unmixel.dataset.truth import Truth
from unmixel.physics.kernels import gaussian_kernel
from unmixel.testing.metrics import out_of_band_power, pattern_cosine
from unmixel.testing.phantoms import glass, planted_cube, truth_of, yardstick, yardstick_pixels

# the yardstick is a definition: a change here makes every published number incomparable
GOLDEN: dict[int, dict[str, list[float]]] = {
    1: {
        "means": [26023.5081, 13788.1031, 188.388793],
        "largest": [1485.24488, 1720.97654, 1686.7453],
        "diameters": [8.59827436, 8.36722768, 8.13441756],
        "centers": [20.9691746, 5.54428585, 54.7437759, 56.6137354],
        "rotations": [127.609262, 97.7479713, 1.82278854, 20.4933364],
        "phases": [7.0, 7.0, 6.0],
        "peaks": [0.625128174, 5.77601523, 4.12063842, 5.26446253],
        "norms": [128.224905, 18.2583432, 42.5065612, 38.0551481],
    },
    2: {
        "means": [26022.7616, 13781.4696, 195.768838],
        "largest": [1973.26454, 1641.81832, 1618.99106],
        "diameters": [9.67017349, 9.63433232, 9.05810826],
        "centers": [13.8285623, 47.5882774, 29.281395, 21.5321135],
        "rotations": [160.859183, 33.4382113, 9.58926852, 42.9242111],
        "phases": [7.0, 7.0, 6.0],
        "peaks": [0.625128174, 4.38821663, 4.828178, 4.74443742],
        "norms": [128.224905, 18.2583432, 39.702425, 43.331284],
    },
    3: {
        "means": [26023.4717, 13782.5655, 193.962815],
        "largest": [2244.16681, 1752.2646, 1489.54662],
        "diameters": [10.4998442, 8.35031892, 8.07647628],
        "centers": [26.0042715, 56.1665717, 57.0680208, 15.420996],
        "rotations": [178.581304, 135.593565, 13.7110376, 79.0457043],
        "phases": [7.0, 7.0, 6.0],
        "peaks": [0.625128174, 5.41251614, 5.80337963, 4.6293023],
        "norms": [128.224905, 18.2583432, 41.0783432, 42.2980571],
    },
}


def _summary(seed: int) -> dict[str, list[float]]:
    truth = truth_of(f"demo:glass?seed={seed}")
    names = sorted(set(truth.phases) - {""})
    return {
        "means": [*truth.maps[:2].mean(axis=(1, 2)), truth.maps[2:].sum(axis=0).mean()],
        "largest": truth.maps[2:].max(axis=(1, 2))[:3].tolist(),
        "diameters": truth.diameters[2:5].tolist(),
        "centers": truth.centers[2:4].reshape(-1).tolist(),
        "rotations": truth.rotation_deg[2:6].tolist(),
        "phases": [float(truth.phases.count(name)) for name in names],
        "peaks": (1e3 * truth.patterns[1:5].max(axis=(1, 2))).tolist(),
        "norms": (1e3 * np.linalg.norm(truth.patterns[:4], axis=(1, 2))).tolist(),
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_yardstick_stays_what_it_is(seed: int) -> None:
    for name, values in _summary(seed).items():
        assert values == pytest.approx(GOLDEN[seed][name], rel=1e-6), name


def test_the_yardstick_is_the_one_of_the_definition() -> None:
    scan, truth = yardstick(3_000, seed=2)
    assert scan.scan_shape == scan.pattern_shape == (64, 64)
    assert isinstance(scan.data, np.ndarray)
    assert len(truth.crystals) == 20
    assert truth.diameters[truth.crystals].mean() == pytest.approx(7)
    assert (truth.probe_sigma, truth.spot_sigma) == (0.8, 2.2)
    assert len(set(truth.phases) - {""}) == 3
    assert scan.data.sum(axis=(2, 3)).mean() == pytest.approx(3_000, rel=0.005)
    # the beam is there, strong, and held by the mask
    beam = ~yardstick_pixels(truth)
    mean = scan.data.mean(axis=(0, 1))
    assert mean[beam].sum() > 0.5 * mean.sum()
    assert mean.argmax() in np.flatnonzero(beam)
    # halo between 55 and 60 % of the half width, about 0.40 1/angstrom
    ring = truth.patterns[1][31, 32:].argmax() + 0.5
    assert 0.52 < ring / 32 < 0.60
    assert ring * scan.pattern_axes[1].scale == pytest.approx(0.40, abs=0.025)
    assert truth.thickness.std() == pytest.approx(0.1, rel=1e-6)
    # diffraction-limited probe as wide as the blur
    assert scan.instrument.convergence_mrad == pytest.approx(0.5145 * 0.019687 / 18.84 * 1e3, rel=1e-3)


@settings(max_examples=12, deadline=None)
@given(
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.tuples(st.integers(4, 24), st.integers(4, 24)),
    st.integers(0, 6),
    st.sampled_from([0.0, 0.8, 2.0]),
    st.integers(0, 50),
)
def test_any_size_gives_a_sound_phantom(
    scan_shape: tuple[int, int], detector: tuple[int, int], n: int, blur: float, seed: int
) -> None:
    scan, truth = glass(scan=scan_shape, detector=detector, precipitates=n, blur=blur, seed=seed, dose=300.0)
    assert scan.data.shape == (*scan_shape, *detector)
    assert truth.n_components == n + 2
    assert np.allclose(truth.maps.sum(axis=0), 300)
    assert np.allclose(truth.patterns.sum(axis=(1, 2)), 1)
    assert np.all(np.isfinite(truth.maps))


def test_every_crystal_has_its_phase_size_and_rotation() -> None:
    truth = truth_of("demo:glass?precipitates=18&lattices=3&diameter=6&spread=0.3")
    crystals = truth.crystals
    assert truth.diameters[crystals].mean() == pytest.approx(6)
    assert sorted(truth.phases.count(phase) for phase in set(truth.phases) - {""}) == [6, 6, 6]
    assert np.all(truth.rotation_deg[crystals] < truth.symmetry_deg[crystals])
    for phase in set(truth.phases) - {""}:
        same = [i for i in crystals if truth.phases[i] == phase]
        period = truth.symmetry_deg[same[0]]
        turn = truth.rotation_deg[same]
        gap = np.abs((turn[:, None] - turn[None] + period / 2) % period - period / 2)
        assert gap[~np.eye(len(same), dtype=bool)].min() >= 2
    assert np.all(np.isnan(truth.diameters[:2]))


def test_a_map_is_where_and_as_large_as_the_truth_says() -> None:
    truth = truth_of("demo:glass?precipitates=1&diameter=12&spread=0&blur=0&thickness=0&scan=40x30&step=0.5")
    y, x = (axis.values for axis in truth.scan_axes)
    image = truth.maps[2]
    assert image.sum(axis=1) @ y / image.sum() == pytest.approx(truth.centers[2, 0], abs=0.02)
    assert image.sum(axis=0) @ x / image.sum() == pytest.approx(truth.centers[2, 1], abs=0.02)
    assert truth.diameters[2] == pytest.approx(6.0)
    area = np.count_nonzero(image > 0.02 * image.max()) * 0.25
    assert 2 * np.sqrt(area / np.pi) == pytest.approx(6.0, rel=0.06)
    assert not truth.on_border[2]


def test_thickness_moves_electrons_out_of_the_beam() -> None:
    truth = truth_of("demo:glass?precipitates=0&blur=0&thickness=0.2&scattered=0.4")
    assert np.allclose(truth.maps[0], 40_000 * 0.6**truth.thickness)


def test_maps_are_no_sharper_than_the_probe() -> None:
    sharp = truth_of("demo:glass?blur=0").maps[2:]
    soft = truth_of("demo:glass?blur=2").maps[2:]
    assert out_of_band_power(soft, 0.3).max() < 1e-4 < out_of_band_power(sharp, 0.3).min()
    # the very probe: blurring a map by hand gives the blurred map
    kernel = gaussian_kernel((2.0, 2.0))
    pad = kernel.shape[0] // 2
    bare = truth_of("demo:glass?blur=0&thickness=0").maps[2]
    blurred = truth_of("demo:glass?blur=2&thickness=0").maps[2]
    windows = np.lib.stride_tricks.sliding_window_view(bare, kernel.shape)
    assert np.allclose(
        np.einsum("yxab,ab->yx", windows, kernel), blurred[pad:-pad, pad:-pad], rtol=1e-6, atol=1e-6
    )


def test_rotated_crystals_are_rotated_patterns() -> None:
    from scipy.ndimage import rotate

    truth = truth_of("demo:glass?precipitates=2&lattices=1&detector=65x65&seed=4")
    first, second = truth.rotation_deg[2:4]
    turned = rotate(truth.patterns[2], second - first, reshape=False, order=3)
    v, u = np.indices((65, 65)) - 32
    inner = np.hypot(v, u) < 28
    aligned = pattern_cosine(turned[None], truth.patterns[3][None], used_pixels=inner).item()
    apart = pattern_cosine(truth.patterns[2][None], truth.patterns[3][None], used_pixels=inner).item()
    assert aligned > 0.998 > apart


def test_arrays_hold_everything_and_are_plain() -> None:
    truth = truth_of("demo:glass?scan=5x4&detector=8x9&precipitates=2")
    arrays = truth.arrays()
    left_out = {"scan_axes", "pattern_axes", "settings"}
    assert set(arrays) == {field.name for field in dataclasses.fields(Truth)} - left_out
    assert all(isinstance(values, np.ndarray) and values.dtype.kind in "fbUi" for values in arrays.values())


def test_a_truth_whose_shapes_do_not_fit_is_refused() -> None:
    truth = truth_of("demo:glass?scan=5x4&detector=8x9&precipitates=2")
    with pytest.raises(InputError, match=r"truth\.maps"):
        dataclasses.replace(truth, maps=truth.maps[:, 1:])
    with pytest.raises(InputError, match="words"):
        dataclasses.replace(truth, kinds=truth.kinds[1:])


def test_planted_cube_in_memory() -> None:
    scan, truth = planted_cube(seed=5)
    assert isinstance(scan.data, np.ndarray)
    assert truth.settings["seed"] == 5
    with pytest.raises(InputError, match="scale"):
        planted_cube(scall=3)
