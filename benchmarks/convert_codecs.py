"""How counts are stored best: codecs, and shapes of chunks.

    python benchmarks/convert_codecs.py --codecs SCAN    ratio and speed of codecs on chunks of a scan
    python benchmarks/convert_codecs.py --chunks SCAN    what chunk shapes cost, for patterns and virtual images

Tables are Markdown, for the documentation.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


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
    parser.add_argument("--codecs")
    parser.add_argument("--chunks")
    asked = parser.parse_args()
    if asked.codecs:
        print(table_of_codecs(asked.codecs))
    if asked.chunks:
        print(table_of_chunks(asked.chunks))


if __name__ == "__main__":
    main()
