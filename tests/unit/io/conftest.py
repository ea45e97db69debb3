"""Small files that are square nowhere, written by hand so that nothing of the readers is trusted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SHAPE = (13, 29, 31, 26)
UNITS = ("nm", "nm", "1/nm", "1/nm")


@pytest.fixture(scope="session")
def counts() -> np.ndarray:
    return np.random.default_rng(11).poisson(3.0, SHAPE).astype(np.uint16)


def axis_of(index: int, size: int, n_scan: int, units: tuple[str, ...]) -> dict[str, Any]:
    return {
        "_type": "UniformDataAxis",
        "name": ("y", "x", "ky", "kx")[index],
        "size": size,
        "scale": 2.0 if index < n_scan else 0.5,
        "offset": 1.0,
        "units": units[index],
        "navigate": index < n_scan,
    }


@pytest.fixture
def write_hspy(tmp_path: Path):
    """Return a function that writes a HyperSpy HDF5 file and returns its path."""
    import h5py

    def write(
        data, *, n_scan: int = 2, units=UNITS, name: str = "scan.hspy", titles=("scan",), **dataset
    ) -> Path:
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            file.attrs.update({"file_format": "HyperSpy", "file_format_version": "3.1"})
            for title in titles:
                group = file.create_group(f"Experiments/{title}")
                chunks = dataset.pop("chunks", True)
                if isinstance(data, tuple):
                    group.create_dataset("data", shape=data, chunks=chunks, **dataset)
                else:
                    group.create_dataset("data", data=data, chunks=chunks, **dataset)
                group.create_group("metadata/General").attrs["title"] = title
                group.create_group("metadata/Signal").attrs["signal_type"] = "electron_diffraction"
                tem = group.create_group("metadata/Acquisition_instrument/TEM")
                tem.attrs["beam_energy"] = 300.0
                group.create_group("original_metadata/vendor").attrs["serial"] = 17
                for index, size in enumerate(group["data"].shape):
                    told = axis_of(index, size, n_scan, units)
                    group.create_group(f"axis-{index}").attrs.update(told)
        return path

    return write


@pytest.fixture
def write_zspy(tmp_path: Path):
    """Return a function that writes a HyperSpy zarr folder and returns its path."""
    import zarr

    def write(data, *, n_scan: int = 2, units=UNITS, chunks=(4, 7, 31, 26)) -> Path:
        path = tmp_path / "scan.zspy"
        root = zarr.open_group(str(path), mode="w", zarr_format=2)
        root.attrs.update({"file_format": "ZSpy", "file_format_version": "3.1"})
        group = root.create_group("Experiments/scan")
        shape = data if isinstance(data, tuple) else data.shape
        dtype = "uint8" if isinstance(data, tuple) else data.dtype
        array = group.create_array("data", shape=shape, chunks=chunks, dtype=dtype)
        if not isinstance(data, tuple):
            array[...] = data
        group.create_group("metadata/General").attrs["title"] = "scan"
        group.create_group("metadata/Signal").attrs["signal_type"] = "electron_diffraction"
        group.create_group("original_metadata")
        for index, size in enumerate(shape):
            group.create_group(f"axis-{index}").attrs.update(
                json.loads(json.dumps(axis_of(index, size, n_scan, units)))
            )
        return path

    return write


@pytest.fixture
def write_mib(tmp_path: Path):
    """Return a function that writes a Merlin file of 16-bit frames and, when asked, its header file."""

    def write(
        frames: np.ndarray, *, per_trigger: int | None = None, planned: int | None = None, pauses=None
    ) -> Path:
        path = tmp_path / "scan.mib"
        start = np.datetime64("2024-07-02T13:46:44.000000000")
        at = 0
        with path.open("wb") as file:
            for index, frame in enumerate(frames):
                at += 0 if index == 0 else (1_000_000 if pauses is None else int(pauses[index - 1]))
                stamp = str(start + np.timedelta64(at, "ns")).replace("T", " ")[:26]
                text = (
                    f"MQ1,{index + 1:06d},00384,01,{frame.shape[1]:04d},{frame.shape[0]:04d},U16,   1x1,01,"
                    f"{stamp},0.001000,0,0,0,1.200000E+2,5.110000E+2,"
                )
                extra = f",MQ1A,{stamp.replace(' ', 'T')}000Z,1000000ns,12,"
                file.write((text + extra).encode("latin-1").ljust(384, b"\x00"))
                file.write(frame.astype(">u2").tobytes())
        if per_trigger is not None:
            n = len(frames) if planned is None else planned
            path.with_suffix(".hdr").write_text(
                "HDR,\t\n"
                f"Frames in Acquisition (Number):\t{n}\n"
                f"Frames per Trigger (Number):\t{per_trigger}\n"
                "End\t"
            )
        return path

    return write
