"""Velox streams of events: every event is counted once, at its place, whatever part is read."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.core.errors import ReadError
from unmixel.engines.lazy import is_lazy
from unmixel.io import velox
from unmixel.io.contract import ReadOptions
from unmixel.io.velox import Events, VeloxReader

SHAPE = (4, 7, 50)


def stream_of(counts: np.ndarray, seed: int) -> np.ndarray:
    """Return the stream of one frame with given counts, events in any order within a position."""
    rng = np.random.default_rng(seed)
    parts = []
    for spectrum in counts.reshape(-1, counts.shape[-1]):
        events = np.repeat(np.arange(spectrum.size), spectrum)
        parts += [rng.permutation(events), [65535]]
    return np.concatenate(parts).astype(np.uint16)


def frames(n: int, seed: int = 0, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    return np.random.default_rng(seed).poisson(0.1, (n, *shape))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(3, 40), st.data())
def test_any_part_counts_the_same(n_frames: int, n_streams: int, piece: int, data) -> None:
    truth = [frames(n_frames, seed) for seed in range(n_streams)]
    streams = tuple(np.concatenate([stream_of(f, 1) for f in one]) for one in truth)
    whole = np.sum([one.sum(axis=0) for one in truth], axis=0)
    events = Events(streams, SHAPE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(velox, "_PIECE", piece)
        start, stop = data.draw(st.integers(0, 4)), data.draw(st.integers(0, 4))
        assert np.array_equal(events[start:stop, 2:5, ::3], whole[start:stop, 2:5, ::3])
        row = data.draw(st.integers(0, 3))
        assert np.array_equal(events[row], whole[row])
        assert np.array_equal(events[::2, 3], whole[::2, 3])
    assert events[:].dtype == np.uint16


def test_an_unfinished_frame_is_left_out() -> None:
    truth = frames(2)
    stream = np.concatenate([stream_of(truth[0], 1), stream_of(truth[1], 1)[:-20]])
    assert np.array_equal(Events((stream,), SHAPE)[:], truth[0])


def test_too_many_events_are_refused() -> None:
    stream = np.concatenate([np.full(70_000, 3), [65535]]).astype(np.uint16)
    with pytest.raises(ValueError, match="more than 65535 events"):
        Events((stream,), (1, 1, 5))[:]


def column(told: dict) -> np.ndarray:
    return np.frombuffer(json.dumps(told).encode().ljust(4000, b"\x00"), np.uint8)[:, None]


def write(
    path: Path, *, detectors=("SuperX1", "SuperX2"), dispersion: bool = True, full: bool = True
) -> np.ndarray:
    whole = np.zeros(SHAPE, int)
    with h5py.File(path, "w") as file:
        streams = file.create_group("Data/SpectrumStream")
        file.create_group("Data/SpectrumImage")
        for seed, name in enumerate(detectors if full else ()):
            truth = frames(2, seed)
            whole += truth.sum(axis=0)
            detector = {
                "DetectorName": name,
                **({"Dispersion": "10", "OffsetEnergy": "-250"} if dispersion else {}),
            }
            group = streams.create_group(f"{seed:032x}")
            group["Data"] = np.concatenate([stream_of(f, 3) for f in truth])[:, None]
            group["Metadata"] = column(
                {
                    "Scan": {
                        "ScanSize": {"width": "56", "height": "32"},
                        "ScanArea": {"left": "0.5", "right": "0.625", "top": "0.25", "bottom": "0.375"},
                        "DwellTime": "0.001",
                    },
                    "BinaryResult": {
                        "Detector": name,
                        "PixelSize": {"width": "3e-9", "height": "2e-9"},
                        "PixelUnitX": "m",
                        "PixelUnitY": "m",
                    },
                    "Detectors": {"Detector-0": detector},
                    "Optics": {"AccelerationVoltage": "300000"},
                    "Instrument": {"InstrumentClass": "Titan", "InstrumentModel": "Themis"},
                }
            )
            text = h5py.string_dtype()
            group.create_dataset("AcquisitionSettings", data=[json.dumps({"bincount": "50"})], dtype=text)
    return whole


def read(path: Path, **options):
    return VeloxReader().read(str(path), ReadOptions(**options))


def test_a_spectrum_image(tmp_path: Path) -> None:
    whole = write(tmp_path / "s.emd")
    assert VeloxReader().accepts(str(tmp_path / "s.emd"))
    scan = read(tmp_path / "s.emd")
    assert is_lazy(scan.data)
    assert np.array_equal(np.asarray(scan.data), whole)
    assert [(a.scale, a.unit) for a in scan.scan_axes] == [
        (pytest.approx(2.0), "nm"),
        (pytest.approx(3.0), "nm"),
    ]
    energy = scan.pattern_axes[0]
    assert (energy.scale, energy.offset, energy.unit) == (10.0, -250.0, "eV")
    assert (scan.instrument.voltage_kV, scan.instrument.dwell_s) == (300.0, 0.001)
    assert scan.instrument.microscope == "Titan Themis"
    assert any("SuperX1, SuperX2" in note for note in scan.source.notes)
    assert set(scan.original_metadata) == {"SuperX1", "SuperX2"}


def test_one_detector_can_be_chosen(tmp_path: Path) -> None:
    write(tmp_path / "s.emd")
    one = read(tmp_path / "s.emd", dataset="SuperX2")
    assert np.array_equal(np.asarray(one.data), frames(2, 1).sum(axis=0))
    with pytest.raises(ReadError, match=r"got SuperX1, SuperX2\. What to do: leave dataset out"):
        read(tmp_path / "s.emd", dataset="SuperX9")


def test_without_dispersion_channels_are_counted(tmp_path: Path) -> None:
    write(tmp_path / "s.emd", dispersion=False)
    assert read(tmp_path / "s.emd").pattern_axes[0].unit == "px"


def test_reduced_data_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "s.emd", full=False)
    assert VeloxReader().accepts(str(tmp_path / "s.emd"))
    with pytest.raises(ReadError, match="save it from Velox with its full data"):
        read(tmp_path / "s.emd")


def test_other_emd_files_are_left_to_others(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "b.emd", "w") as file:
        file.create_group("Data/Image")
    (tmp_path / "t.emd").write_text("text")
    (tmp_path / "c.emd").write_bytes((tmp_path / "b.emd").read_bytes()[:300])
    for name in ("b", "t", "c"):
        assert not VeloxReader().accepts(str(tmp_path / f"{name}.emd"))
