"""The laws of a writer: every registered one is held to them, and third parties can hold theirs.

for law in WriterLaws.names():
    WriterLaws(MyWriter(), folder).check(law)
"""

from __future__ import annotations

import json
import subprocess  # nosec B404
import sys
import tracemalloc
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core import registry
from unmixel.dataset.axes import Axis
from unmixel.dataset.record import Source, StepRecord
from unmixel.dataset.scan import Instrument, Scan
from unmixel.io.described import Description
from unmixel.io.faithful import same
from unmixel.io.layout import TILES_AT_ONCE, Layout
from unmixel.io.open import open as open_scan
from unmixel.io.writer import Writer
from unmixel.testing.laws import Laws, must

HEAVY = ("dask", "h5py", "matplotlib", "numcodecs", "rsciio", "scipy", "sklearn", "torch", "zarr")
"""What importing the module of a writer must not load."""

METADATA = {
    "metadata": {"General": {"title": "a scan / of 7 µm"}, "Signal": {"signal_type": ""}},
    "original_metadata": {
        "bytes": b"\x00\xff",
        "numbers": [1, 2.5, float("nan"), float("-inf"), 2**80, True, None],
        "numpy": (np.float32(0.1), np.uint8(255), np.datetime64("2026-01-02T03:04:05")),
        "array": np.arange(2000, dtype=">i4").reshape(40, 50),
        "texts": np.array(["a", "bc"]),
        "when": datetime(2026, 11, 29, 21, 20, tzinfo=UTC),
        "nested": [{"a": (1, "x")}, {3: "three"}],
        "~odd": "",
    },
}
"""Metadata of every kind that files hold."""


def example(values: NDArray[Any], n_scan_axes: int) -> Scan:
    """Return a scan with everything that a writer has to keep."""
    n_pattern = values.ndim - n_scan_axes
    names = [*(f"s{i}" for i in range(max(0, n_scan_axes - 2))), *("y", "x")[2 - min(2, n_scan_axes) :]]
    scan_axes = [Axis(name, size, 0.1, 1 / 3, "nm") for name, size in zip(names, values.shape, strict=False)]
    words = ("v", "u") if n_pattern == 2 else ("energy",)
    pattern_axes = [
        Axis(word, size, scale=-0.02, offset=0.7, unit="1/angstrom" if n_pattern == 2 else "eV")
        for word, size in zip(words, values.shape[n_scan_axes:], strict=True)
    ]
    return Scan(
        values,
        tuple(scan_axes),
        tuple(pattern_axes),
        instrument=Instrument(voltage_kV=200.0, dwell_s=1e-3, microscope="a microscope"),
        original_metadata=METADATA,
        source=Source("folder/scan.bin", "a format", "a reader", "the axes of the file", ("A note.",)),
        history=(StepRecord("crop", {"rows": [1, 2]}, "rows were cut off", {"n": 3}),),
        pixel_weights=np.linspace(0, 1, values[(0,) * n_scan_axes].size).reshape(values.shape[n_scan_axes:]),
        extras={"image": np.arange(6.0).reshape(2, 3)},
    )


def kinds() -> Iterator[tuple[str, Scan]]:
    """Yield scans of several types and shapes, each with its name."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(2.0, (7, 9, 13, 11))
    floats = rng.normal(size=(5, 6, 7, 9)).astype(np.float32)
    floats[0, 0, 0, :3] = np.array([0x7FC00001, 0x80000000, 0xFFC12345], np.uint32).view(np.float32)
    yield "uint16", example(counts.astype(np.uint16), 2)
    yield "whole float32", example(counts.astype(np.float32), 2)
    yield "float32 with NaN and -0.0", example(floats, 2)
    yield "only zeros", example(np.zeros((6, 7, 8, 8), np.uint8), 2)
    yield "spectra", example(counts.reshape(7, 9, -1).astype(np.int64), 2)
    yield "line", example(counts.reshape(-1, 13, 11).astype(np.int8), 1)
    yield "one pattern", example(counts[0, 0].astype(np.float64), 0)
    yield "five axes", example(counts.reshape(7, 3, 3, 13, 11).astype(np.uint32), 3)
    yield "truth values", example(counts > 2, 2)


@dataclass(frozen=True)
class WriterLaws(Laws):
    """Laws that a writer must keep.

    Parameters
    ----------
    writer : Writer
    folder : Path
        Empty, for what is written.

    Examples
    --------
    >>> import tempfile
    >>> from unmixel.io.writers.hyperspy_hdf5 import HyperspyHdf5
    >>> WriterLaws(HyperspyHdf5(), Path(tempfile.mkdtemp())).check("contract")
    """

    writer: Writer
    folder: Path

    def check(self, law: str) -> None:
        """Raise AssertionError, with what differs, where a law is broken."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            super().check(law)

    def _layout(self, scan: Scan, frames_in_tile: int = 8) -> Layout:
        sample = scan.data.reshape(-1, *scan.pattern_shape)[:4]
        budget = TILES_AT_ONCE * scan.n_pixels * scan.data.dtype.itemsize * frames_in_tile
        return self.writer.lay_out(scan, sample, budget)

    def _begun(self, scan: Scan, name: str) -> tuple[Path, Description, Layout]:
        place, description, layout = self.folder / name, Description.of(scan), self._layout(scan)
        place.mkdir(parents=True)
        self.writer.begin(place, description, layout)
        return place, description, layout

    def _written(self, scan: Scan, name: str, order: Iterable[int] | None = None) -> Path:
        place, description, layout = self._begun(scan, name)
        for tile in range(len(layout.tiles)) if order is None else order:
            self.writer.write(place, layout, tile, scan.data[layout.tiles[tile]])
        return self.writer.finish(place, description, layout)

    def law_contract(self) -> None:
        """A class without arguments, with everything that the contract names; registered under its own name."""
        must(isinstance(self.writer, Writer), f"{self.writer} lacks a part of the contract")
        must(type(self.writer)().name == self.writer.name, "two instances have different names")
        suffixes = self.writer.suffixes
        must(all(s.startswith(".") and s == s.lower() for s in suffixes), f"suffixes {suffixes}")
        if self.writer.name in registry.names("writers"):
            kind = registry.load("writers", self.writer.name)
            must(kind is type(self.writer), f"'{self.writer.name}' is registered as {kind}")

    def law_light_import(self) -> None:
        """Importing its module loads no file library: `unmixel.convert` asks every writer for its suffixes."""
        code = f"import {type(self.writer).__module__}, sys, json; print(json.dumps(list(sys.modules)))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # nosec B603
        loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
        must(not loaded & set(HEAVY), f"import loads {', '.join(sorted(loaded & set(HEAVY)))}")

    def law_data(self) -> None:
        """Data come back to the bit at their own type, whatever their type and shape."""
        for number, (kind, scan) in enumerate(kinds()):
            back = open_scan(self._written(scan, f"data-{number}"))
            values = np.ascontiguousarray(back.data)
            must(values.dtype == scan.data.dtype, f"{kind}: {scan.data.dtype} became {values.dtype}")
            must(values.shape == scan.data.shape, f"{kind}: shape {values.shape}")
            must(values.tobytes() == scan.data.tobytes(), f"{kind}: other values")

    def law_description(self) -> None:
        """Axes, instrument, history, weights and original metadata come back equal, and no path is kept."""
        for number, (kind, scan) in enumerate(kinds()):
            store = self._written(scan, f"description-{number}")
            back = open_scan(store)
            for part in ("scan_axes", "pattern_axes", "instrument", "history"):
                must(getattr(back, part) == getattr(scan, part), f"{kind}: other {part}")
            for part in ("original_metadata", "extras", "pixel_weights", "position_weights"):
                must(same(getattr(back, part), getattr(scan, part)), f"{kind}: other {part}")
            must(back.source.path == str(store), f"{kind}: path {back.source.path}")
            must(back.source.notes == scan.source.notes, f"{kind}: other notes")
            files = [store] if store.is_file() else [f for f in store.rglob("*") if f.is_file()]
            must(not any(b"folder/scan.bin" in f.read_bytes() for f in files), f"{kind}: keeps the path")

    def law_layout(self) -> None:
        """Tiles are whole chunks, cover every position once and stay within the budget."""
        for kind, scan in kinds():
            layout = self._layout(scan)
            seen = np.zeros(scan.scan_shape, int)
            for tile in layout.tiles:
                seen[tile] += 1
            must(bool(np.all(seen == 1)), f"{kind}: positions in no tile, or in two")
            n_scan = layout.n_scan_axes
            whole = all(t % c == 0 for t, c in zip(layout.tile, layout.chunk[:n_scan], strict=True))
            must(whole, f"{kind}: tiles {layout.tile} of chunks {layout.chunk}")
            must(
                int(np.prod(layout.tile)) <= 8, f"{kind}: tiles of {layout.tile} positions for a budget of 8"
            )
            must(
                Layout.from_dict(json.loads(json.dumps(layout.to_dict()))) == layout, f"{kind}: no round trip"
            )

    def law_order(self) -> None:
        """Whatever the order in which tiles are written, and however often, the store is the same byte by byte."""
        _, scan = next(kinds())
        tiles = range(len(self._layout(scan).tiles))
        first = self._written(scan, "forwards")
        again = self._written(scan, "backwards", [*reversed(tiles), *tiles[::2]])
        must(contents(first) == contents(again), "other bytes when tiles come in another order")

    def law_checksums(self) -> None:
        """A flipped byte in what is stored of the data is found when they are read, never returned."""
        _, scan = next(kinds())
        for share in (0.35, 0.5, 0.8):
            place, description, layout = self._begun(scan, f"flipped-{share}")
            files = [
                self.writer.write(place, layout, tile, scan.data[where])
                for tile, where in enumerate(layout.tiles)
            ]
            spoiled = bytearray(files[1].read_bytes())
            spoiled[int(share * len(spoiled))] ^= 0x10
            files[1].write_bytes(spoiled)
            store = self.writer.finish(place, description, layout)
            must(_is_refused(store), "data with a flipped byte were returned")

    def law_memory(self) -> None:
        """Writing a tile takes memory for a few copies of it."""
        values = np.random.default_rng(0).poisson(5.0, (16, 16, 64, 64)).astype(np.uint16)
        scan = example(values, 2)
        layout = self._layout(scan, frames_in_tile=256)
        place = self.folder / "memory"
        place.mkdir()
        self.writer.begin(place, Description.of(scan), layout)
        tile = scan.data[layout.tiles[0]]
        self.writer.write(place, layout, 0, tile)  # what is loaded once is not counted
        tracemalloc.start()
        try:
            self.writer.write(place, layout, 0, tile)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        must(peak < 5 * tile.nbytes, f"{peak / tile.nbytes:.1f} times the bytes of a tile")

    def law_foreign_types(self) -> None:
        """What cannot be stored is refused with an error that says so, before anything is written."""
        _, scan = next(kinds())
        odd = replace(scan, data=np.zeros(scan.data.shape, "datetime64[s]"))
        try:
            self._layout(odd)
        except ValueError as error:
            must("datetime64" in str(error), f"the error does not name the type: {error}")
            return
        must(False, "dates were taken for data")


def _is_refused(store: Path) -> bool:
    """Return whether reading all data of a store ends in an error."""
    try:
        np.asarray(open_scan(store).data)
    except Exception:  # noqa: BLE001 - each library has errors of its own
        return True
    return False


def contents(store: Path) -> dict[str, bytes]:
    """Return the bytes of a file, or of every file in a folder by its name."""
    if store.is_file():
        return {"": store.read_bytes()}
    return {str(f.relative_to(store)): f.read_bytes() for f in sorted(store.rglob("*")) if f.is_file()}
