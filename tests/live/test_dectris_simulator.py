"""Against a real counterpart: the simulator of a DECTRIS detector that LiberTEM ships, over loopback.

It needs no recording of a detector: it sends frames of its own, or what a file of messages holds, which is made here.
"""

from __future__ import annotations

import json
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import unmixel
from unmixel.acquire.acquisition import Live
from unmixel.acquire.contract import connect
from unmixel.acquire.live import live

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "acquire"))
from dectris_on_wire import series, words

simulators = pytest.importorskip(
    "libertem_dectris", reason="the simulator is not installed: pip install libertem-live"
)

SPEC = "demo:glass?scan=24x30&detector=64x64&dose=20000&seed=1"
CONFIG = {
    "bit_depth_image": 16,
    "bit_depth_readout": 16,
    "compression": "bslz4",
    "data_collection_date": "2024-07-02T13:46:44.000+02:00",
    "x_pixels_in_detector": 64,
    "y_pixels_in_detector": 64,
}

pytestmark = pytest.mark.slow


@contextmanager
def sending(simulator) -> Iterator[str]:
    """Send one series to whoever connects."""

    def send() -> None:
        simulator.send_headers()
        simulator.send_frames()
        simulator.send_footer()

    address = "dectris:" + simulator.get_uri().removeprefix("tcp://")  # not while it sends
    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    yield address
    thread.join(20)
    assert not thread.is_alive()


def recorded(path: Path, values: np.ndarray, config: dict) -> None:
    """Write the messages of a series as the simulator reads them: every part behind its length."""
    (first, _), *images, last = series(values, range(len(values)))
    parts = [first, words(**config), *(part for message in images for part in message), *last]
    path.write_bytes(b"".join(struct.pack("<q", len(part)) + part for part in parts))


def test_the_simulator_gives_its_own_frames() -> None:
    simulator = simulators.DectrisSim.new_mocked(
        uri="tcp://127.0.0.1", num_frames=60, dwelltime=None, random_port=True
    )
    with sending(simulator) as address:
        stream = connect(address, timeout_s=20)
        parts = list(stream.frames())
        stream.close()
    assert (stream.heading.n_frames, stream.heading.pattern_shape) == (60, (512, 512))
    assert np.concatenate([part.numbers for part in parts]).tolist() == list(range(60))
    sums = [int(frame.sum()) for part in parts for frame in part.values]
    assert len(set(sums)) > 1  # frames that differ were unpacked


def test_the_simulator_gives_the_result_of_the_scan(tmp_path: Path) -> None:
    data = np.asarray(unmixel.open(SPEC).data).astype(np.uint16)
    mock = simulators.DectrisSim.new_mocked(
        uri="tcp://127.0.0.1", num_frames=1, dwelltime=None, random_port=True
    )
    config = json.loads(mock.get_detector_config_raw()) | CONFIG | {"nimages": 1, "ntrigger": 720}
    recorded(tmp_path / "messages", data.reshape(720, 64, 64), config)
    simulator = simulators.DectrisSim(
        uri="tcp://127.0.0.1", filename=str(tmp_path / "messages"), dwelltime=None, random_port=True
    )
    how = Live(overrides=("factorize.components=4",), refresh_s=1.0, scan_shape=(24, 30))
    with sending(simulator) as address:
        done = live(address, tmp_path / "a", how)
    assert (done.stopped, done.n_frames) == ("", 720)
    assert np.array_equal(np.asarray(unmixel.open(done.record).data), data)
    np.save(tmp_path / "scan.npy", data)
    whole = unmixel.run(tmp_path / "scan.npy", out=tmp_path / "b", overrides=["factorize.components=4"])
    mine, theirs = (found.patterns.reshape(4, -1) for found in (done.result, whole))
    sizes = np.linalg.norm(mine, axis=1)[:, None] * np.linalg.norm(theirs, axis=1)
    assert (mine @ theirs.T / sizes).max(axis=1).min() >= 0.999
