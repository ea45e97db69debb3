"""The viewer on a scan of 256 x 256 positions by 256 x 256 pixels, 8.6 GB of uint16: times of pictures, memory.

    python benchmarks/viewer.py --out bench-results/viewer.json
    python benchmarks/viewer.py --scan 128x128 --detector 128x128 --memory 200MB --no-scratch

The server is a process of its own, spoken to as the browser speaks to it; what drawing takes is not in it. The file is
HDF5 in chunks of 8 x 8 patterns, compressed, made of a few different chunks of Poisson counts over and over. One read
is one pass over all blocks of the file, in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from child import run
from memory import told_mb
from out_of_core import shape

READ = """
import sys, time, unmixel
from unmixel.engines.blocks import read_once
scan = unmixel.open(sys.argv[1])
begin = time.perf_counter()
total = sum(int(block.values[0].sum()) for block in read_once(scan.data, 2))
print(time.perf_counter() - begin)
"""
RADII = {"r = 1/16 of the detector": 16, "r = 1/6": 6, "r = 2/5": 2.5}
DRAGS, CURSORS = 15, 60


def write(file: Path, scan: tuple[int, int], detector: tuple[int, int]) -> None:
    """Write the file: Poisson counts of a bright disk in a weak halo."""
    import h5py
    import hdf5plugin
    import numpy as np

    rng = np.random.default_rng(0)
    v, u = (np.arange(n) - n / 2 for n in detector)
    radius = np.hypot(v[:, None], u)
    mean = 400 * (radius < detector[0] / 20) + 3 * np.exp(-radius / detector[0] * 4)
    chunk = (8, 8, *detector)
    with h5py.File(file, "w") as store:
        data = store.create_dataset(
            "data", (*scan, *detector), np.uint16, chunks=chunk, **hdf5plugin.Bitshuffle(cname="lz4")
        )
        packed = []
        for number in range(4):
            data[:8, :8] = rng.poisson(mean * (1 + number / 4), chunk)
            packed.append(data.id.read_direct_chunk((0, 0, 0, 0))[1])
        places = [(y, x, 0, 0) for y in range(0, scan[0], 8) for x in range(0, scan[1], 8)]
        for number, place in enumerate(places):
            data.id.write_direct_chunk(place, packed[number % len(packed)])


@contextmanager
def served(file: Path, options: list[str]) -> Iterator[tuple[str, str, int]]:
    """Serve a file; yields the address, the token and the process."""
    command = [sys.executable, "-m", "unmixel", "open", str(file), "--no-browser", *options]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout is not None
        address, _, token = server.stdout.readline().strip().partition("#token=")
        yield address, token, server.pid
    finally:
        server.send_signal(2)
        server.wait(60)


class Live:
    """A socket of the viewer, and how long its answers take."""

    def __init__(self, socket: Any) -> None:
        self.socket, self.seq = socket, 0

    async def ask(self, **request: Any) -> tuple[dict[str, Any], float]:
        """Send a request and return the head of its first answer, and the seconds it took."""
        self.seq += 1
        begin = time.perf_counter()
        await self.socket.send(json.dumps({"seq": self.seq, **request}))
        return await self.next(), time.perf_counter() - begin

    async def next(self) -> dict[str, Any]:
        """Return the head of the next answer."""
        message = await self.socket.recv()
        (length,) = struct.unpack("<I", message[:4])
        head: dict[str, Any] = json.loads(message[4 : 4 + length])
        return head


def disk(detector: tuple[int, int], part: float, moved: float) -> dict[str, Any]:
    """Return a disk near the middle of the detector."""
    center = [detector[0] / 2 - 5 + moved, detector[1] / 2 - 3 + 0.6 * moved]
    return {"kind": "disk", "center": center, "radius": detector[0] / part}


async def measure(
    address: str, token: str, scan: tuple[int, int], detector: tuple[int, int]
) -> dict[str, Any]:
    """Return what the browser would see."""
    import websockets

    found: dict[str, Any] = {}
    place = address.replace("http", "ws", 1) + "api/scans/s1/live"
    async with websockets.connect(place, subprotocols=["unmixel", f"token.{token}"], max_size=None) as socket:
        live = Live(socket)
        _, found["first_pattern_ms"] = await live.ask(what="pattern", position=[0, 0])
        begin = time.perf_counter()
        head, _ = await live.ask(what="virtual", detector=disk(detector, 16, 0), exact=True)
        while True:
            now = time.perf_counter() - begin
            if head["done"] > 0:
                found.setdefault("first_part_s", now)
            if head["done"] >= 1:
                found.setdefault("first_whole_s", now)
            if head["final"]:
                break
            head = await live.next()
        found["first_exact_s"] = now
        for name, positions in (
            ("pattern_near_ms", [[i % 8, i // 8 % 8] for i in range(CURSORS)]),
            ("pattern_far_ms", [[37 * i % scan[0], 91 * i % scan[1]] for i in range(CURSORS)]),
        ):
            times = [(await live.ask(what="pattern", position=at))[1] * 1e3 for at in positions]
            found[name] = {"median": statistics.median(times), "largest": max(times)}
        found["drag"] = {}
        for name, part in RADII.items():
            for exact in (False, True):
                asked = [
                    await live.ask(what="virtual", detector=disk(detector, part, i), exact=exact)
                    for i in range(DRAGS)
                ]
                seconds = statistics.median(took for _, took in asked)
                words = f"{name}, {'at rest' if exact else 'dragged'}"
                found["drag"][words] = {
                    "updates_per_s": 1 / seconds,
                    "exact": all(head["exact"] for head, _ in asked),
                }
    found["first_pattern_ms"] *= 1e3
    return found


def main() -> None:
    """Make the file, serve it, measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scan", type=shape, default=(256, 256))
    parser.add_argument("--detector", type=shape, default=(256, 256))
    parser.add_argument("--memory", default="2GB")
    parser.add_argument(
        "--no-scratch", action="store_true", help="no temporary file: exact images read the data"
    )
    parser.add_argument(
        "--folder", type=Path, help="where the file lies and stays; a temporary one by default"
    )
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="unmixel-bench-") as scratch:
        name = f"viewer-{'x'.join(map(str, (*given.scan, *given.detector)))}.h5"
        file = (given.folder or Path(scratch)) / name
        if not file.exists():
            write(file, given.scan, given.detector)
        printed, _ = run([sys.executable, "-c", READ, str(file)])
        options = [
            "--memory",
            given.memory,
            "--runs",
            scratch,
            *(["--no-scratch"] if given.no_scratch else []),
        ]
        with served(file, options) as (address, token, pid):
            start = told_mb(pid)["VmHWM"]
            found = asyncio.run(measure(address, token, given.scan, given.detector))
            found |= {"peak_mb": told_mb(pid)["VmHWM"], "at_start_mb": start}
        found |= {
            "one_read_s": float(printed.split()[-1]),
            "memory": given.memory,
            "scratch": not given.no_scratch,
            "data_gb": 2 * given.scan[0] * given.scan[1] * given.detector[0] * given.detector[1] / 1e9,
            "load": os.getloadavg()[0],
        }
    print(json.dumps(found, indent=2))
    if given.out is not None:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
