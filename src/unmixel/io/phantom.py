"""A phantom as one ``.npz`` file: the scan in the documented layout, the truth beside it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from unmixel.dataset.scan import Scan
from unmixel.dataset.truth import Truth
from unmixel.io.atomic import replacing
from unmixel.io.nexus import jsonable


def write_phantom(path: Path, scan: Scan, truth: Truth) -> None:
    """Write scan and truth to an ``.npz`` file that `unmixel.open` reads.

    The layout: ``data`` (scan axes first), ``axes`` and ``metadata`` as JSON text, and every array of the
    truth under its name with ``truth_`` in front: ``truth_maps`` (k, y, x), ``truth_patterns`` (k, v, u),
    ``truth_kinds`` (k), ``truth_phases``, ``truth_rotation_deg``, ``truth_diameters`` and so on.

    Parameters
    ----------
    path : Path
        Replaced if it exists.
    scan : Scan
        Drawn whole now.
    truth : Truth
    """
    axes = [
        {"name": axis.name, "scale": axis.scale, "offset": axis.offset, "unit": axis.unit}
        for axis in (*scan.scan_axes, *scan.pattern_axes)
    ]
    metadata = {"phantom": jsonable(truth.settings), "instrument": jsonable(asdict(scan.instrument))}
    arrays: Any = {f"truth_{name}": values for name, values in truth.arrays().items()}
    with replacing(path) as draft, draft.open("wb") as stream:
        np.savez(
            stream,
            data=np.asarray(scan.data),
            axes=np.array(json.dumps(axes)),
            metadata=np.array(json.dumps(metadata)),
            **arrays,
        )
