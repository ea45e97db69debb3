"""Against a real counterpart: the emulator of a Merlin that LiberTEM-live ships, over loopback."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import unmixel
from unmixel.acquire.acquisition import Live
from unmixel.acquire.live import live

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "acquire"))
from merlin_on_wire import frame

EMULATOR = Path(sys.executable).with_name("libertem-live-mib-sim")
SPEC = "demo:glass?scan=24x30&detector=64x64&dose=20000&seed=1"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not EMULATOR.exists(), reason="the emulator is not installed: pip install libertem-live"
    ),
]


@pytest.fixture(scope="module")
def mib(tmp_path_factory) -> Path:
    """Return a Merlin file of a simulated glass, with its header file."""
    data = np.asarray(unmixel.open(SPEC).data).astype(np.uint16).reshape(-1, 64, 64)
    path = tmp_path_factory.mktemp("mib") / "scan.mib"
    path.write_bytes(b"".join(frame(number, values)[15:] for number, values in enumerate(data)))
    path.with_suffix(".hdr").write_text(
        f"HDR,\t\nFrames in Acquisition (Number):\t{len(data)}\nFrames per Trigger (Number):\t30\n"
        "Counter Depth (number):\t12\nEnd\t"
    )
    return path


@pytest.fixture(params=["NONE", "MEM"])
def address(request, mib: Path, tmp_path: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ports = [f"--{name}-port={port + i}" for i, name in enumerate(("data", "control", "trigger"))]
    with (tmp_path / "emulator.log").open("w") as log:
        process = subprocess.Popen(
            [EMULATOR, "--cached", request.param, "--host", "127.0.0.1", *ports, mib.with_suffix(".hdr")],
            stdout=log,
            stderr=log,
        )
        try:
            for _ in range(300):  # it compiles when it starts for the first time
                with socket.socket() as trial:
                    if process.poll() is not None or trial.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.5)
            yield f"merlin:127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


def test_the_emulator_gives_the_result_of_its_file(address: str, mib: Path, tmp_path: Path) -> None:
    how = Live(overrides=("factorize.components=4",), refresh_s=1.0)
    done = live(address, tmp_path / "a", how)
    assert (done.stopped, done.n_frames) == ("", 720)
    file = unmixel.open(mib)
    record = unmixel.open(done.record)
    assert record.scan_shape == file.scan_shape == (24, 30)
    assert np.array_equal(np.asarray(record.data), np.asarray(file.data))
    whole = unmixel.run(mib, out=tmp_path / "b", overrides=["factorize.components=4"])
    mine, theirs = (found.patterns.reshape(4, -1) for found in (done.result, whole))
    sizes = np.linalg.norm(mine, axis=1)[:, None] * np.linalg.norm(theirs, axis=1)
    assert (mine @ theirs.T / sizes).max(axis=1).min() >= 0.999
