"""Every registered writer keeps the laws; a spoiled one is caught."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unmixel.core import registry
from unmixel.io.writers.hyperspy_hdf5 import HyperspyHdf5
from unmixel.io.writers.hyperspy_zarr import HyperspyZarr
from unmixel.io.writers.sharded_zarr import ShardedZarr
from unmixel.testing.writers import WriterLaws


@pytest.mark.parametrize("law", WriterLaws.names())
@pytest.mark.parametrize("name", registry.names("writers"))
def test_writer_keeps_the_law(name: str, law: str, tmp_path: Path) -> None:
    WriterLaws(registry.load("writers", name)(), tmp_path).check(law)


def test_all_our_writers_are_registered() -> None:
    assert set(registry.names("writers")) >= {"hspy", "zarr", "zspy"}


class Rounding(HyperspyHdf5):
    def write(self, folder, layout, tile, values):
        return super().write(folder, layout, tile, np.nan_to_num(values))


class Forgetful(HyperspyZarr):
    def begin(self, folder, description, layout):
        said = {**description.said, "original_metadata": {}}
        super().begin(folder, replace(description, said=said), layout)


class Telling(HyperspyZarr):
    def begin(self, folder, description, layout):
        source = {**description.said["source"], "path": "folder/scan.bin"}
        super().begin(folder, replace(description, said={**description.said, "source": source}), layout)


class Restless(ShardedZarr):
    def write(self, folder, layout, tile, values):
        path = super().write(folder, layout, tile, values)
        (folder / "store.zarr" / f"{tile}").write_bytes(os.urandom(8))
        return path


class Unchecked(ShardedZarr):
    def begin(self, folder, description, layout):
        super().begin(folder, description, layout)
        file = folder / "store.zarr" / "data" / "zarr.json"
        text = file.read_text()
        import json

        told = json.loads(text)
        inner = told["codecs"][0]["configuration"]
        inner["codecs"] = [{"name": "bytes", "configuration": {"endian": "little"}}]
        file.write_text(json.dumps(told))


class Hungry(ShardedZarr):
    def lay_out(self, scan, sample, budget):
        layout = super().lay_out(scan, sample, budget)
        return replace(layout, tile=tuple(2 * n for n in layout.tile))


class Greedy(ShardedZarr):
    def write(self, folder, layout, tile, values):
        copies = [np.array(values) for _ in range(5)]
        return super().write(folder, layout, tile, copies[-1])


@pytest.mark.parametrize(
    ("writer", "law"),
    [
        (Rounding, "data"),
        (Forgetful, "description"),
        (Telling, "description"),
        (Restless, "order"),
        (Unchecked, "checksums"),
        (Hungry, "layout"),
        (Greedy, "memory"),
    ],
)
def test_a_spoiled_writer_is_caught(writer: type, law: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        WriterLaws(writer(), tmp_path).check(law)
