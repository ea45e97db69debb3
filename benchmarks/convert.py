"""Conversion: does every file come back whole, and how small and fast is it?

    python benchmarks/convert.py --files FOLDER ...      a table of round trips, one line a file
    python benchmarks/convert.py --scan SCAN             ratio, speed and peak memory, beside HDF5 with gzip and blosc

Tables are Markdown, for the documentation.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import child
import numpy as np
from memory import Resident

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
    return {"seconds": seconds, "cpu": cpu, "peak_mb": resident.risen, "stored": stored, "bytes": n_bytes}


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


def main() -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", nargs="+", type=Path, default=[])
    parser.add_argument("--scan")
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


if __name__ == "__main__":
    main()
