"""How fast a scan is taken in while it is acquired, against an emulator of the detector and against a file.

    python benchmarks/live.py --emulator .venv-live/bin/libertem-live-mib-sim --out live.json

The emulator (`pip install libertem-live`) sends frames of 256 x 256 pixels, uint16, over loopback as fast as they are
taken. The cases are told as a share of what a client takes that only drains the socket, in the same minutes:

- drain: nothing but `recv`; - decode: frames as arrays; - record: and the store on the disk;
- see: and virtual images and the sketch, with the record; - live: and factors refreshed every few seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from unmixel.acquire.acquisition import Live
from unmixel.acquire.contract import connect
from unmixel.acquire.live import acquire
from unmixel.acquire.recorder import Recorder
from unmixel.acquire.skeleton import skeleton

HEADER, PREFIX, SIDE = 384, 15, 256
CASES = ("drain", "decode", "record", "see", "live")


def write_mib(path: Path, scan: tuple[int, int], distinct: int = 256) -> int:
    """Write a Merlin file of a disk, a ring that varies and noise; return the bytes that are sent for it."""
    rng = np.random.default_rng(0)
    v, u = np.meshgrid(*2 * [np.arange(SIDE) - (SIDE - 1) / 2], indexing="ij")
    radius = np.hypot(v, u)
    ring, disk = 3 * np.exp(-(((radius - 70) / 12) ** 2)), 60.0 * (radius < 20)
    turned = [rng.poisson(disk + ring * (1 + np.sin(i / 9)) + 0.2).astype(">u2") for i in range(distinct)]
    n = scan[0] * scan[1]
    with path.open("wb") as file:
        for i in range(n):
            stamp = "2024-07-02 13:46:44.000000"
            text = f"MQ1,{i + 1:06d},{HEADER:05d},01,{SIDE:04d},{SIDE:04d},U16,   1x1,01,{stamp},0.001,0,0,0,120,511,"
            file.write(
                f"{text},MQ1A,{stamp.replace(' ', 'T')}000Z,1000000ns,12,".encode().ljust(HEADER, b"\0")
            )
            file.write(turned[i % distinct].tobytes())
    path.with_suffix(".hdr").write_text(
        f"HDR,\t\nFrames in Acquisition (Number):\t{n}\nFrames per Trigger (Number):\t{scan[1]}\n"
        "Counter Depth (number):\t12\nEnd\t"
    )
    return n * (PREFIX + HEADER + 2 * SIDE * SIDE)


@contextmanager
def emulator(command: str, header: Path):
    """Run the emulator; yield its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ports = [f"--{name}-port={port + i}" for i, name in enumerate(("data", "control", "trigger"))]
    with subprocess.Popen(
        [command, "--cached", "MEM", "--host", "127.0.0.1", *ports, str(header)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            for _ in range(600):  # it compiles when it starts for the first time
                with socket.socket() as trial:
                    if trial.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.5)
            yield port
        finally:
            process.terminate()


def drain(port: int, n_bytes: int) -> float:
    """Return the seconds that it takes to receive everything and look at nothing."""
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.recv(1)
        held, got, begin = bytearray(1 << 23), 0, time.perf_counter()
        while got < n_bytes:
            got += line.recv_into(held)
        return time.perf_counter() - begin


def decode(source: str) -> float:
    stream = connect(source, timeout_s=60)
    begin = time.perf_counter()
    count = sum(len(frames.numbers) for frames in stream.frames())
    spent = time.perf_counter() - begin
    stream.close()
    assert count == stream.heading.n_frames, count
    return spent


def record(source: str, folder: Path) -> dict[str, float]:
    stream = connect(source, timeout_s=60)
    with Recorder.begin(skeleton(stream.heading), folder / "scan.zarr").claimed() as recorder:
        begin = time.perf_counter()
        for frames in stream.frames():
            recorder.put(frames.numbers, frames.values)
        last = time.perf_counter()
        recorder.finish()
        packed = time.perf_counter()
    stream.close()
    return {"stream_s": last - begin, "record_latency_s": packed - last}


def see(source: str, folder: Path, refresh_s: float, k: int) -> dict[str, float]:
    done = acquire(
        source,
        folder / "live",
        Live(overrides=(f"factorize.components={k}",), refresh_s=refresh_s, timeout_s=120),
    )
    assert not done.stopped, done.stopped
    seconds, status = done.seconds, done.status
    return {
        "stream_s": seconds["stream"],
        "whole_s": seconds["stream"] + seconds["factors"],
        "record_latency_s": seconds["record"],
        "factors_latency_s": seconds["factors"],
        "later": status.n_later,
        "refreshes": status.n_refreshes,
        "stored_bytes": sum(f.stat().st_size for f in done.record.rglob("*") if f.is_file()),
    }


def measured(case: str, source: str, port: int | None, n_bytes: int, args: argparse.Namespace) -> dict:
    folder = Path(tempfile.mkdtemp(prefix="unmixel-live-", dir=args.folder))
    cpu = time.process_time()
    try:
        if case == "drain":
            found = {"stream_s": drain(port, n_bytes)}
        elif case == "decode":
            found = {"stream_s": decode(source)}
        elif case == "record":
            found = record(source, folder)
        else:
            found = see(source, folder, args.refresh if case == "live" else 0.0, args.components)
    finally:
        shutil.rmtree(folder)
    return found | {"case": case, "cpu_s": time.process_time() - cpu}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--emulator", help="the command libertem-live-mib-sim; without it, only the file")
    parser.add_argument("--scan", type=int, nargs=2, default=(64, 64))
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--refresh", type=float, default=2.0)
    parser.add_argument("--components", type=int, default=12)
    parser.add_argument(
        "--folder", default=None, help="where records go; the system's place for such files by default"
    )
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="unmixel-mib-", dir=args.folder))
    rows: list[dict] = []
    try:
        n_bytes = write_mib(base / "scan.mib", tuple(args.scan))
        n = args.scan[0] * args.scan[1]

        def keep(found: dict, via: str) -> None:
            rows.append(found | {"via": via, "frames_per_s": n / found["stream_s"]})
            print(json.dumps(rows[-1]), flush=True)

        if args.emulator:
            with emulator(args.emulator, base / "scan.hdr") as port:
                for turn in range(args.rounds):
                    for case in args.cases:
                        found = measured(case, f"merlin:127.0.0.1:{port}", port, n_bytes, args)
                        keep(found | {"round": turn}, "emulator")
        for turn in range(args.rounds):
            for case in (name for name in args.cases if name != "drain"):
                keep(
                    measured(case, f"file:{base / 'scan.mib'}", None, n_bytes, args) | {"round": turn}, "file"
                )
    finally:
        shutil.rmtree(base)
    for via in ("emulator", "file"):
        for case in CASES:
            chosen = [row for row in rows if (row["via"], row["case"]) == (via, case)]
            if chosen:
                fps = [row["frames_per_s"] for row in chosen]
                whole = [n / row["whole_s"] for row in chosen if "whole_s" in row]
                seen = f", seen {np.median(whole):.0f}/s" if whole else ""
                print(
                    f"{via:9s} {case:7s} {np.median(fps):6.0f} frames/s ({min(fps):.0f} to {max(fps):.0f}){seen}"
                )
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(
            json.dumps({"rows": rows, "python": sys.version, "scan": args.scan}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
