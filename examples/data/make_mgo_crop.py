"""How mgo_crop.hspy was made from the published scan; run again only to change the crop.

    python examples/data/make_mgo_crop.py PATH/TO/mgo_nanoparticles.zspy

The crop keeps the scan step and every count: detector pixels are summed 3 x 3, nothing is scaled or rounded.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import zarr

ROWS = slice(16, 44)
COLUMNS = slice(24, 60)
BIN = 3
TITLE = "MgO nano-cubes, crop"
HERE = Path(__file__).parent


def binned(frames: np.ndarray) -> np.ndarray:
    """Return frames (y, x, v, u) with detector pixels summed BIN x BIN, as unsigned integers."""
    y, x, v, u = frames.shape
    blocks = frames.reshape(y, x, v // BIN, BIN, u // BIN, BIN)
    return blocks.sum(axis=(3, 5)).astype(np.uint16)


def axis_of(attributes: dict[str, Any], *, start: int, size: int, bin_by: int) -> dict[str, Any]:
    """Return the axis of the crop: coordinates stay those of the whole scan."""
    scale = attributes["scale"]
    return {
        "_type": "UniformDataAxis",
        "name": attributes["name"],
        "units": attributes["units"],
        "navigate": bin_by == 1,
        "is_binned": False,
        "size": size,
        "scale": scale * bin_by,
        "offset": attributes["offset"] + scale * (start + (bin_by - 1) / 2),
    }


def write_tree(group: h5py.Group, tree: dict[str, Any]) -> None:
    """Write a nested dictionary as HDF5 groups and attributes, as HyperSpy's format has it."""
    for name, value in tree.items():
        if isinstance(value, dict):
            write_tree(group.create_group(name), value)
        else:
            group.attrs[name] = value


def main(source: Path) -> None:
    """Write mgo_crop.hspy beside this script."""
    group = zarr.open_group(source, mode="r", zarr_format=2)["Experiments/MgO Nano-Crystals"]
    whole = group["data"][ROWS, COLUMNS]
    counts = np.rint(whole).astype(np.uint32)
    if not np.array_equal(counts, whole):
        raise SystemExit("the scan no longer holds whole numbers: look at it before cropping")
    data = binned(counts)
    starts, bins = (ROWS.start, COLUMNS.start, 0, 0), (1, 1, BIN, BIN)
    axes = [
        axis_of(dict(group[f"axis-{i}"].attrs), start=starts[i], size=data.shape[i], bin_by=bins[i])
        for i in range(4)
    ]
    crop = {
        "source": "T. Bergh (NTNU), Zenodo record 15490547, CC-BY-4.0",
        "scan_rows": [ROWS.start, ROWS.stop],
        "scan_columns": [COLUMNS.start, COLUMNS.stop],
        "detector_bin": BIN,
        "detector_bin_mode": "sum",
    }
    metadata = {
        "General": {
            "title": TITLE,
            "authors": "T. Bergh",
            "doi": "10.5281/zenodo.15490547",
            "notes": "CC-BY-4.0; cropped in the scan, detector summed 3 x 3: see original_metadata",
        },
        "Signal": {"signal_type": "electron_diffraction", "quantity": "counts"},
        "Acquisition_instrument": {
            "TEM": {
                "microscope": "JEOL",
                "beam_energy": 300.0,
                "convergence_angle": 0.7,
                "scan_rotation": 277.0,
                "Detector": {"Diffraction": {"camera_length": 21.0, "exposure_time": 10.0}},
            }
        },
    }
    target = HERE / "mgo_crop.hspy"
    with h5py.File(target, "w") as file:
        file.attrs.update({"file_format": "HyperSpy", "file_format_version": "3.3"})
        home = file.create_group(f"Experiments/{TITLE}")
        chunks = (data.shape[0] // 2, *data.shape[1:])
        home.create_dataset(
            "data", data=data, chunks=chunks, compression="gzip", compression_opts=9, shuffle=True
        )
        for index, axis in enumerate(axes):
            home.create_group(f"axis-{index}").attrs.update(axis)
        write_tree(home.create_group("metadata"), metadata)
        write_tree(home.create_group("original_metadata"), {"crop": crop})
        write_tree(home.create_group("attributes"), {"_lazy": False, "ragged": False})
        home.create_group("learning_results")
    print(f"{target.name}: {data.shape}, {data.dtype}, at most {data.max()}, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
