from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import InputError, ScanShapeError
from unmixel.engines.lazy import is_lazy
from unmixel.io.contract import ReadOptions
from unmixel.io.counting import Counting, shifted
from unmixel.io.demo import DemoReader, parse, phantom
from unmixel.io.demo_keys import describe, from_keys
from unmixel.io.glass import GlassSpec, glass_truth
from unmixel.io.planted import PlantedSpec, SpectrumSpec

SMALL = "demo:glass?scan=13x29&detector=31x26&precipitates=4&dose=2000&seed=3"


def test_reader_takes_demo_addresses_and_nothing_else() -> None:
    reader = DemoReader()
    assert reader.accepts("demo:glass")
    assert reader.accepts("demo:nonsense?x")
    assert not reader.accepts("demo.hspy")
    assert not reader.accepts("/data/demo:glass")


def test_scan_of_the_reader() -> None:
    scan = DemoReader().read(SMALL, ReadOptions())
    assert scan.scan_shape == (13, 29)
    assert scan.pattern_shape == (31, 26)
    assert is_lazy(scan.data)
    assert [axis.name for axis in (*scan.scan_axes, *scan.pattern_axes)] == ["y", "x", "v", "u"]
    assert [axis.unit for axis in (*scan.scan_axes, *scan.pattern_axes)] == ["nm"] * 2 + ["1/angstrom"] * 2
    assert scan.instrument.voltage_kV == 300
    assert scan.source.path == SMALL
    assert scan.original_metadata["phantom"]["precipitates"] == 4
    assert not scan.extras


def test_scan_shape_belongs_into_the_address() -> None:
    assert DemoReader().read(SMALL, ReadOptions(scan_shape=(13, 29))).scan_shape == (13, 29)
    with pytest.raises(ScanShapeError, match="address"):
        DemoReader().read(SMALL, ReadOptions(scan_shape=(29, 13)))
    with pytest.raises(InputError, match="one scan"):
        DemoReader().read(SMALL, ReadOptions(dataset="second"))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("demo:glas", "did you mean 'demo:glass'"),
        ("demo:", "demo:planted"),
        ("demo:glass?dse=3", "did you mean 'dose'"),
        ("demo:glass?zzzz=3", "leave the key out"),
        ("demo:glass?dose=-3", "> 0"),
        ("demo:glass?dose=nan", "a number > 0"),
        ("demo:glass?dose=many", "a number > 0"),
        ("demo:glass?seed=1.5", "a whole number >= 0"),
        ("demo:glass?scan=64", "such as 64x48"),
        ("demo:glass?scan=0x5", "such as 64x48"),
        ("demo:glass?spots=square", "gaussian or disk"),
        ("demo:glass?lattices=99", "<= 8"),
        ("demo:glass?dose", "key=value"),
        ("demo:glass?dose=1&dose=2", "twice"),
        ("demo:glass?scan=100000x100000", "smaller"),
        ("demo:planted?dose=3", "seed, scale, background"),
        ("glass", "demo:"),
    ],
)
def test_wrong_addresses_say_what_is_right(address: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        phantom(address)


def test_every_key_can_be_written_as_it_is_shown() -> None:
    for spec in (GlassSpec, PlantedSpec, SpectrumSpec):
        rows = describe(spec)
        assert all(meaning and limits for *_, limits, meaning in rows)
        written = {name: default for name, default, *_ in rows}
        assert from_keys(spec, written, address="demo") == spec()


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["dose", "seed", "scan"]), st.from_regex(r"[0-9a-z]{1,4}", fullmatch=True)
    )
)
def test_parsing_gives_back_what_was_written(keys: dict[str, str]) -> None:
    address = "demo:glass?" + "&".join(f"{name}={text}" for name, text in keys.items())
    assert parse(address) == ("glass", keys)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_counts_do_not_depend_on_how_they_are_cut(data: st.DataObject) -> None:
    counts = Counting(glass_truth(GlassSpec(scan=(5, 4), detector=(9, 7), precipitates=1)), seed=2)
    whole = counts[...]
    cuts = []
    for n in counts.shape:
        start = data.draw(st.integers(0, n - 1))
        cuts.append(
            data.draw(
                st.sampled_from([slice(start, None), slice(None, start + 1), slice(start, None, 2), start])
            )
        )
    keep = data.draw(st.integers(1, 4))
    index = tuple(cuts[:keep])
    assert np.array_equal(counts[index], whole[index])
    assert np.array_equal(counts[..., 3], whole[..., 3])
    assert np.array_equal(counts[2], whole[2])


def test_lazy_chunks_agree_with_memory_and_runs_agree_with_each_other() -> None:
    scan, truth = phantom(SMALL)
    whole = np.asarray(scan.data)
    again = Counting(truth, seed=3)[:]
    assert np.array_equal(whole, again)
    assert np.array_equal(np.asarray(scan.data.rechunk((4, 7, 31, 26))), whole)
    other = np.asarray(phantom(SMALL.replace("seed=3", "seed=4"))[0].data)
    assert not np.array_equal(whole, other)


def test_a_scan_larger_than_memory_opens_and_is_read_by_pieces() -> None:
    scan, truth = phantom("demo:glass?scan=256x256&detector=256x256&precipitates=5&dose=100000")
    assert scan.n_bytes == 8_589_934_592
    assert max(scan.data.chunks[0]) ** 2 * 256 * 256 * 2 <= 16_000_000
    piece = np.asarray(scan.data[100:102, 7])
    mean = truth.maps[:, 100:102, 7].T @ truth.patterns.reshape(7, -1)
    assert abs(piece.sum() - mean.sum()) < 6 * np.sqrt(mean.sum())


def test_counts_are_poisson_around_the_truth() -> None:
    scan, truth = phantom(SMALL)
    mean = truth.expected
    counts = np.asarray(scan.data).reshape(mean.shape).astype(float)
    chi2 = ((counts - mean) ** 2 / mean).mean()
    spread = np.sqrt((2 + 1 / mean).mean() / mean.size)
    assert chi2 == pytest.approx(1, abs=6 * spread)
    assert counts.sum() == pytest.approx(mean.sum(), abs=6 * np.sqrt(mean.sum()))


def test_dose_is_kept_and_factors_are_in_their_units() -> None:
    _, truth = phantom(SMALL)
    assert np.allclose(truth.maps.sum(axis=0), 2000)
    assert np.allclose(truth.patterns.sum(axis=(1, 2)), 1)
    assert truth.maps.min() >= 0
    assert truth.patterns.min() >= 0


def test_gain_scales_whole_counts_and_widens_the_dtype() -> None:
    plain = np.asarray(phantom(SMALL)[0].data)
    gained = np.asarray(phantom(SMALL + "&gain=3")[0].data)
    assert np.array_equal(gained, 3 * plain)
    assert np.asarray(phantom(SMALL + "&gain=1000")[0].data).dtype == np.uint32


def test_descan_moves_the_beam_by_a_plane_and_leaves_the_factors() -> None:
    still = phantom(SMALL)[1]
    scan, truth = phantom(
        "demo:glass?scan=9x15&detector=40x36&precipitates=0&dose=1e6&spot=1.5&descan=4&seed=3"
    )
    assert np.array_equal(still.descan, np.zeros((13, 29, 2)))
    assert np.abs(truth.descan.mean(axis=(0, 1))).max() < 1e-12
    frames = np.asarray(scan.data).astype(float)
    v, u = np.arange(40), np.arange(36)
    window = frames[..., 12:28, 10:26]
    total = window.sum(axis=(2, 3))
    seen = np.stack(
        [(window.sum(axis=3) @ v[12:28]) / total - 19.5, (window.sum(axis=2) @ u[10:26]) / total - 17.5],
        axis=-1,
    )
    # the window holds some halo, which pulls the centre of mass inwards
    assert np.corrcoef(seen.ravel(), truth.descan.ravel())[0, 1] > 0.99
    assert np.abs(truth.descan).max() > 0.5


def test_shifting_a_frame_moves_it_and_keeps_it_positive() -> None:
    frame = np.zeros((20, 22))
    frame[8:11, 9:12] = 5
    assert np.allclose(shifted(frame, (2.0, -3.0), order=3), np.roll(frame, (2, -3), (0, 1)), atol=1e-9)
    assert shifted(frame, (0.4, 0.3), order=3).min() >= 0


@pytest.mark.parametrize("shape", ["gaussian", "disk"])
def test_descan_draws_no_rings_around_the_beam(shape: str) -> None:
    keys = f"demo:glass?scan=1x40&precipitates=0&dose=1e6&thickness=0&spots={shape}"
    still, moved = (np.asarray(phantom(keys + end)[0].data).astype(float) for end in ("", "&descan=3"))
    rim = slice(26, 38), slice(26, 38)
    low = still.mean(axis=(0, 1))[rim].min()
    assert moved[..., *rim].min() > low - 6 * np.sqrt(low)


def test_ellipticity_stretches_rings_along_u() -> None:
    keys = "demo:glass?scan=4x4&detector=65x65&precipitates=0&spot=1&ellipticity="
    ring = phantom(keys + "0.2")[1].patterns[1]
    along_u, along_v = ring[32, 40:].argmax() + 8, ring[40:, 32].argmax() + 8
    assert along_u - along_v >= 2
    round_ring = phantom(keys + "0")[1].patterns[1]
    assert np.allclose(round_ring, round_ring.T)


@pytest.mark.parametrize("shape", ["gaussian", "disk"])
def test_no_pattern_is_sharper_than_the_beam(shape: str) -> None:
    _, truth = phantom(f"demo:glass?scan=8x8&precipitates=3&spots={shape}")
    # a window, so that spots cut by the edge do not count as sharp
    window = np.outer(np.hanning(64), np.hanning(64))
    transform = np.abs(np.fft.fft2(truth.patterns * window))
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(64), np.fft.fftfreq(64), indexing="ij"))
    beyond = f > 0.35
    share = (transform[:, beyond] ** 2).sum(axis=1) / (transform**2).sum(axis=(1, 2))
    assert share.max() < 2 * share[0] + 1e-6
    assert truth.beam_pixels[31, 31]
    assert truth.patterns[0][~truth.beam_pixels].sum() < 1e-3


def test_a_disk_is_flat() -> None:
    _, truth = phantom("demo:glass?scan=4x4&precipitates=0&spots=disk")
    assert np.ptp(truth.patterns[0][29:35, 29:35]) == 0


def test_planted_cube_is_the_published_one() -> None:
    scan, truth = phantom("demo:planted")
    random = np.random.default_rng(0)
    H = random.gamma(0.3, size=(4, 1600))
    H /= H.sum(axis=1, keepdims=True)
    y, x = np.mgrid[:40, :40]
    W = [np.exp(-((y - a) ** 2 + (x - b) ** 2) / 60) for a, b in ((8, 8), (30, 10), (12, 30), (30, 30))]
    W = (np.array(W).reshape(4, -1).T + 0.02) * 20_000
    assert np.array_equal(np.asarray(scan.data).reshape(1600, 1600), random.poisson(W @ H))
    assert np.allclose(truth.expected, W @ H)
    assert scan.data.dtype == np.uint16
    assert truth.crystals.tolist() == [0, 1, 2, 3]
    assert not truth.beam_pixels.any()


def test_spectrum_image_has_its_lines() -> None:
    scan, truth = phantom("demo:spectrum?scan=9x14&dose=500")
    assert scan.is_spectrum
    assert scan.pattern_axes[0].unit == "eV"
    assert np.allclose(truth.maps.sum(axis=0), 500)
    energy = scan.pattern_axes[0].values
    spectrum = truth.patterns[truth.phases.index("ZrO2")]
    assert energy[spectrum.argmax()] == pytest.approx(2042, abs=20)
    counts = np.asarray(scan.data)
    assert counts.sum() == pytest.approx(500 * 9 * 14, abs=6 * np.sqrt(500 * 9 * 14))
