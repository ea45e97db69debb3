"""Conversion: does every file come back whole, and how small and fast is it?

    python benchmarks/convert.py --files FOLDER ...      a table of round trips, one line a file
    python benchmarks/convert.py --scan SCAN             ratio, speed and peak memory, beside HDF5 with gzip and blosc
    python benchmarks/convert.py --codecs SCAN           ratio and speed of codecs on chunks of a scan
    python benchmarks/convert.py --chunks SCAN           what chunk shapes cost, for patterns and virtual images

Tables are Markdown, for the documentation.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import child
import numpy as np

SUFFIXES = (".zarr", ".zspy", ".hspy")
_STORES = (".zspy", ".zarr")


@dataclass(frozen=True)
class Round:
    """What came of converting a file to one store and back.

    Parameters
    ----------
    file : str
    shape, dtype : str
        Of its data.
    answers : dict of str
        For each suffix: ``same``, or what differs.
    refused : str
        Why the file is not read at all.
    """

    file: str
    shape: str = ""
    dtype: str = ""
    answers: dict[str, str] | None = None
    refused: str = ""

    @property
    def same(self) -> bool:
        """Whether nothing is lost in any store."""
        return self.answers is not None and set(self.answers.values()) == {"same"}


def members(folder: Path, unpacked: Path) -> Iterator[Path]:
    """Yield all files and stores beneath a folder; archives are unpacked first."""
    for path in sorted(folder.iterdir()):
        if path.suffix in _STORES or (path.is_file() and path.suffix != ".zip"):
            yield path
        elif path.is_dir():
            yield from members(path, unpacked)
        else:
            with zipfile.ZipFile(path) as archive:
                archive.extractall(unpacked / path.stem)
            yield from members(unpacked / path.stem, unpacked)


def round_trip(file: Path, folder: Path) -> Round:
    """Convert a file to every store and compare what is read back: data by their bits, axes, metadata."""
    import unmixel
    from unmixel.core.errors import UnmixelError
    from unmixel.io.contract import ReadOptions
    from unmixel.io.rosetta import RosettaReader

    try:
        scan = unmixel.open(file)
    except UnmixelError as error:
        words = str(error).replace(str(file), file.name).split(": ", 1)[-1].split(". What")[0]
        return Round(file.name, refused=words)
    answers = {}
    for suffix in SUFFIXES:
        target = folder / f"{file.name}{suffix}"
        try:
            done = unmixel.convert(
                scan, target, verify=True
            )  # compares data, axes and metadata with our reader
        except UnmixelError as error:
            answers[suffix] = str(error)
            continue
        kept = [note for note in done.notes if "kept as text" in note]
        answers[suffix] = "; ".join(kept) or "same"
        if suffix != ".zarr":
            foreign = RosettaReader().read(str(target), ReadOptions())
            values = [np.ascontiguousarray(each.data) for each in (scan, foreign)]
            if values[0].dtype != values[1].dtype or values[0].tobytes() != values[1].tobytes():
                answers[suffix] = "RosettaSciIO reads other data"
            if _axes(scan) != _axes(foreign):
                answers[suffix] = "RosettaSciIO reads other axes"
    return Round(file.name, " x ".join(map(str, scan.data.shape)), str(scan.data.dtype), answers)


def _axes(scan: Any) -> list[tuple[Any, ...]]:
    return [(a.size, a.scale, a.offset, a.unit) for a in (*scan.scan_axes, *scan.pattern_axes)]


def table_of_rounds(folders: list[Path]) -> str:
    """Return the table of all files in some folders."""
    n_beside = 0
    lines = ["| file | data | " + " | ".join(SUFFIXES) + " |", "|---|---|" + "---|" * len(SUFFIXES)]
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for folder in folders:
            for file in members(folder, place / "unpacked"):
                (place / "out").mkdir(exist_ok=True)
                found = round_trip(file, place / "out")
                if "describes another" in found.refused:
                    n_beside += 1
                    continue
                if found.refused:
                    lines.append(f"| `{found.file}` | not read: {found.refused} | | | |")
                    continue
                answers = " | ".join((found.answers or {}).values())
                lines.append(f"| `{found.file}` | {found.shape} {found.dtype} | {answers} |")
    return "\n".join([*lines, "", f"{n_beside} text files beside them only describe the others."])


class Resident:
    """The largest resident memory of this process while it is entered, above what it was before, in MB."""

    def __enter__(self) -> Resident:
        self.before, self.peak, self._over = self._now(), 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.005):
            self.peak = max(self.peak, self._now() - self.before)

    @staticmethod
    def _now() -> float:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmRSS"))


def plain(source: str, target: Path, budget: int) -> int:
    """Read everything once, block by block, and write nothing."""
    import unmixel
    from unmixel.engines.blocks import read_once

    scan = unmixel.open(source)
    read = sum(block.values.nbytes for block in read_once(scan.data, len(scan.scan_axes), budget))
    assert read == scan.n_bytes
    return 0


def ours(source: str, target: Path, budget: int) -> int:
    """Convert."""
    import unmixel

    return unmixel.convert(source, target, budget=budget).stored_bytes


def hdf5(source: str, target: Path, budget: int) -> int:
    """Write plain HDF5 with h5py, row by row of the source's chunks: what a script would do."""
    import h5py
    import hdf5plugin

    import unmixel
    from unmixel.engines.lazy import chunk_lengths, read

    scan = unmixel.open(source)
    filters = (
        {"compression": "gzip", "compression_opts": 4, "shuffle": True}
        if "gzip" in target.name
        else dict(hdf5plugin.Blosc(cname="zstd", clevel=1, shuffle=hdf5plugin.Blosc.BITSHUFFLE))
    )
    with h5py.File(target, "w") as file:
        chunks = (1, min(8, scan.scan_shape[1]), *scan.pattern_shape)
        data = file.create_dataset("data", scan.data.shape, scan.data.dtype, chunks=chunks, **filters)
        start = 0
        for length in chunk_lengths(scan.data, 0):
            data[start : start + length] = read(scan.data, (slice(start, start + length),))
            start += length
    return target.stat().st_size


WAYS: dict[str, tuple[Callable[[str, Path, int], int], str]] = {
    "plain read, nothing written": (plain, "none"),
    "unmixel `.zarr`": (ours, "a.zarr"),
    "unmixel `.zspy`": (ours, "a.zspy"),
    "unmixel `.hspy`": (ours, "a.hspy"),
    "h5py, gzip 4 and shuffle": (hdf5, "gzip.h5"),
    "h5py, blosc (zstd 1, bitshuffle)": (hdf5, "blosc.h5"),
}


def one(way: str, source: str, budget: int) -> dict[str, float]:
    """Do it once in this process and return seconds, peak memory and bytes written."""
    import dask.array
    import h5py
    import hdf5plugin
    import numcodecs
    import zarr

    import unmixel

    assert all((dask.array, h5py, hdf5plugin, numcodecs, zarr))  # imports are not what is measured
    function, name = WAYS[way]
    n_bytes = unmixel.open(source).n_bytes
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder, Resident() as resident:
        started, cpu = time.perf_counter(), time.process_time()
        stored = function(source, Path(folder) / name, budget)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return {"seconds": seconds, "cpu": cpu, "peak_mb": resident.peak, "stored": stored, "bytes": n_bytes}


def table_of_ways(source: str, budget: int, times: int) -> str:
    """Return the table of all ways: each in processes of its own, in turn, the fastest of some."""
    best: dict[str, dict[str, float]] = {}
    for _ in range(times):
        for way in WAYS:
            said, _cost = child.run(
                [sys.executable, __file__, "--one", way, "--scan", source, "--budget", str(budget)]
            )
            found = json.loads(said)
            before = best.get(way, found)
            best[way] = {
                "seconds": min(found["seconds"], before["seconds"]),
                "cpu": min(found["cpu"], before["cpu"]),
                "peak_mb": max(found["peak_mb"], before["peak_mb"]),
                "stored": found["stored"],
                "bytes": found["bytes"],
            }
    lines = ["| | ratio | MB/s | of plain read | CPU | peak memory |", "|---|---|---|---|---|---|"]
    base = best["plain read, nothing written"]["seconds"]
    for way, found in best.items():
        ratio = f"{found['bytes'] / found['stored']:.2f}" if found["stored"] else ""
        speed = found["bytes"] / 1e6 / found["seconds"]
        lines.append(
            f"| {way} | {ratio} | {speed:.0f} | {base / found['seconds']:.0%} | "
            f"{found['cpu']:.1f} s | {found['peak_mb']:.0f} MB |"
        )
    return "\n".join(lines)


def _corner(source: str, size: int = 60) -> np.ndarray:
    import unmixel

    data = np.asarray(unmixel.open(source).data[:size, :size])
    from unmixel.io.layout import whole_numbers

    whole = whole_numbers(data)
    return data if whole is None else whole


def table_of_codecs(source: str) -> str:
    """Return ratio and speed of codecs on chunks of 15 x 15 positions and 48 x 48 pixels, one thread."""
    from numcodecs import LZ4, Blosc, Shuffle, Zlib, Zstd

    values = _corner(source, 30)
    original = values.astype(np.float32)
    chunks = {
        name: [
            np.ascontiguousarray(array[y : y + 15, x : x + 15, v : v + 48, 48:96])
            for y in (0, 15)
            for x in (0, 15)
            for v in (0, 48, 96)
        ]
        for name, array in {"float32": original, "int32": values, "uint16": values.astype(np.uint16)}.items()
    }
    kinds = {"byte": Blosc.SHUFFLE, "bit": Blosc.BITSHUFFLE, "no": Blosc.NOSHUFFLE}
    lines = ["| type | codec | ratio | pack MB/s | unpack MB/s |", "|---|---|---|---|---|"]
    for dtype, parts in chunks.items():
        codecs: dict[str, Any] = {
            f"blosc zstd {level}, {word} shuffle": Blosc("zstd", level, kind, 1 << 20)
            for level in (1, 3, 5)
            for word, kind in kinds.items()
        }
        codecs |= {"blosc zstd 1, byte shuffle, blosc's blocks": Blosc("zstd", 1, Blosc.SHUFFLE)}
        codecs |= {
            "zstd 1": Zstd(1),
            "zstd 3": Zstd(3),
            "lz4": LZ4(),
            "byte shuffle, gzip 4": (Shuffle(parts[0].itemsize), Zlib(4)),
        }
        if dtype == "uint16":
            codecs |= {"packed to 10 bits": Packed(None), "packed to 10 bits, zstd 3": Packed(Zstd(3))}
            codecs |= {
                "delta, blosc zstd 1, byte shuffle": Differences(Blosc("zstd", 1, Blosc.SHUFFLE, 1 << 20))
            }
        raw = sum(part.size * 4 for part in parts)  # of the float32 of the file, whatever they are stored as
        for name, codec in codecs.items():
            steps = codec if isinstance(codec, tuple) else (codec,)
            packing = unpacking = float("inf")
            for _ in range(3):
                started = time.perf_counter()
                packed = [_through(steps, part) for part in parts]
                packing = min(packing, time.perf_counter() - started)
                started = time.perf_counter()
                for each in packed:
                    _back(steps, each)
                unpacking = min(unpacking, time.perf_counter() - started)
            stored = sum(len(memoryview(each).cast("B")) for each in packed)
            lines.append(
                f"| {dtype} | {name} | {raw / stored:.2f} | {raw / packing / 1e6:.0f} | {raw / unpacking / 1e6:.0f} |"
            )
    return "\n".join(lines)


def _through(steps: tuple[Any, ...], part: Any) -> Any:
    for step in steps:
        part = step.encode(part)
    return part


def _back(steps: tuple[Any, ...], part: Any) -> Any:
    for step in reversed(steps):
        part = step.decode(part)
    return part


@dataclass(frozen=True)
class Packed:
    """Values in the fewest bits that hold the largest, and a codec after it."""

    then: Any

    def encode(self, part: np.ndarray) -> bytes:
        bits = int(part.max()).bit_length() or 1
        planes = np.unpackbits(part.reshape(-1).astype(">u2").view(np.uint8).reshape(-1, 2), axis=1)
        packed = np.packbits(planes[:, 16 - bits :]).tobytes()
        return self.then.encode(packed) if self.then else packed

    def decode(self, packed: Any) -> np.ndarray:
        bits = np.unpackbits(np.frombuffer(self.then.decode(packed) if self.then else packed, np.uint8))
        rows = bits[: bits.size // 10 * 10].reshape(-1, 10)
        return np.packbits(np.pad(rows, ((0, 0), (6, 0))), axis=1).view(">u2")


@dataclass(frozen=True)
class Differences:
    """Differences between neighbouring pixels, and a codec after it."""

    then: Any

    def encode(self, part: np.ndarray) -> Any:
        return self.then.encode(np.diff(part.reshape(-1), prepend=part.dtype.type(0)))

    def decode(self, packed: Any) -> np.ndarray:
        return np.cumsum(np.frombuffer(self.then.decode(packed), np.uint16), dtype=np.uint16)


def table_of_chunks(source: str) -> str:
    """Return what chunk shapes cost on 60 x 60 positions: ratio, writing, one pattern, virtual images, everything."""
    import zarr
    from zarr.codecs import BloscCodec, Crc32cCodec

    values = _corner(source)
    v, u = values.shape[2:]
    lines = [
        "| chunk | ratio | write MB/s | one pattern | disk in the middle | disk off the axis | all |",
        "|---|---|---|---|---|---|---|",
    ]
    for p, cut in ((1, 1), (2, 1), (5, 1), (5, 2), (5, 3), (10, 1), (10, 2), (15, 3), (15, 4), (30, 8)):
        chunk = (p, p, -(-v // cut), -(-u // cut))
        with tempfile.TemporaryDirectory() as folder:
            codecs = [
                BloscCodec(
                    cname="zstd", clevel=1, shuffle="shuffle", typesize=values.itemsize,
                    blocksize=min(1 << 20, int(np.prod(chunk)) * values.itemsize),
                ),
                Crc32cCodec(),
            ]  # fmt: skip
            shards = (30, 30, chunk[2] * cut, chunk[3] * cut)
            array = zarr.create_array(
                folder, shape=values.shape, chunks=chunk, shards=shards, dtype=values.dtype,
                compressors=codecs, overwrite=True,
            )  # fmt: skip
            started = time.perf_counter()
            for y in (0, 30):
                for x in (0, 30):
                    array[y : y + 30, x : x + 30] = values[y : y + 30, x : x + 30]
            writing = time.perf_counter() - started
            stored = sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file())
            array = zarr.open_array(folder, mode="r")
            reads = [
                (17, 23),
                (..., slice(v // 2 - 10, v // 2 + 10), slice(u // 2 - 10, u // 2 + 10)),
                (..., slice(v // 6, v // 6 + 10), slice(u // 4, u // 4 + 10)),
                (...,),
            ]
            took = " | ".join(f"{1e3 * _fastest(array, key):.0f} ms" for key in reads)
        speed = values.nbytes / writing / 1e6
        lines.append(
            f"| {' x '.join(map(str, chunk))} | {values.nbytes / stored:.2f} | {speed:.0f} | {took} |"
        )
    return "\n".join(lines)


def _fastest(array: Any, key: Any) -> float:
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        array[key]
        best = min(best, time.perf_counter() - started)
    return best


def main() -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", nargs="+", type=Path, default=[])
    parser.add_argument("--scan")
    parser.add_argument("--codecs")
    parser.add_argument("--chunks")
    parser.add_argument("--budget", type=int, default=10**9)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(one(asked.one, asked.scan, asked.budget)))
        return
    if asked.files:
        print(table_of_rounds(asked.files))
    if asked.scan:
        print(table_of_ways(asked.scan, asked.budget, asked.times))
    if asked.codecs:
        print(table_of_codecs(asked.codecs))
    if asked.chunks:
        print(table_of_chunks(asked.chunks))


if __name__ == "__main__":
    main()
