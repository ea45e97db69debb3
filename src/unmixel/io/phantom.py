"""A phantom as one ``.npz`` file: the scan in the documented layout, the truth beside it; and truths of users."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from unmixel.core.errors import InputError
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


_HINT = (
    "give maps (k, *scan_shape) and patterns (k, *pattern_shape), and kinds and phases (k words each) where they are "
    "known: as arrays of an .npz file, as .npy files in a folder, or as `unmixel phantom --out` writes them"
)


def read_truth(path: str | Path, scan: Scan) -> Truth:
    """Return the truth of a scan.

    Parameters
    ----------
    path : path
        An ``.npz`` file, or a folder of ``.npy`` files, with the arrays ``maps`` and ``patterns`` and as many of the
        other fields of `Truth` as are known, each with or without ``truth_`` in front.
    scan : Scan
        Whose truth it is: gives the axes.

    Raises
    ------
    InputError
        When maps or patterns are missing, are no numbers >= 0, or do not have the shape of the scan.
    """
    known = _truth_arrays(Path(path))
    wanted = {"maps": scan.scan_shape, "patterns": scan.pattern_shape}
    for name, shape in wanted.items():
        if name not in known:
            raise InputError(
                f"truth '{path}'", expected=f"an array '{name}'", got=", ".join(known) or "none", hint=_HINT
            )
        values = known[name] = np.asarray(known[name], np.float64)
        if values.ndim != 1 + len(shape) or values.shape[1:] != shape or not np.all(values >= 0):
            raise InputError(
                f"truth '{path}', {name}",
                expected=f"finite numbers >= 0 of shape (k, {', '.join(map(str, shape))})",
                got=f"shape {values.shape}",
                hint=_HINT,
            )
    k, light = len(known["maps"]), known["patterns"].reshape(len(known["patterns"]), -1).sum(axis=1)
    if len(light) != k or not np.all(np.isfinite(light)) or not np.all(light > 0):
        raise InputError(
            f"truth '{path}'", expected=f"{k} patterns, none empty", got=f"{len(light)}", hint=_HINT
        )
    # patterns of a truth sum to 1, and maps hold the counts
    known["maps"] = known["maps"] * light.reshape(k, *(1,) * len(scan.scan_shape))
    known["patterns"] = known["patterns"] / light.reshape(k, *(1,) * len(scan.pattern_shape))
    return Truth(**(_unknown(k, scan) | {name: _plain(values) for name, values in known.items()}))


def _truth_arrays(path: Path) -> dict[str, Any]:
    """Return the arrays of a truth by the names of its fields."""
    names = {field.name for field in fields(Truth)}
    try:
        if path.is_dir():
            arrays = {file.stem: np.load(file, allow_pickle=False) for file in sorted(path.glob("*.npy"))}
        else:
            with np.load(path, allow_pickle=False) as held:
                arrays = {name: held[name] for name in held.files if name.removeprefix("truth_") in names}
    except (OSError, ValueError) as error:
        raise InputError(
            f"truth '{path}'", expected="arrays of numbers", got=str(error), hint=_HINT
        ) from error
    return {
        name.removeprefix("truth_"): one
        for name, one in arrays.items()
        if name.removeprefix("truth_") in names
    }


def _unknown(k: int, scan: Scan) -> dict[str, Any]:
    """Return the fields of a truth of which nothing is known but its maps and patterns."""
    nothing = np.full(k, np.nan)
    return {
        "kinds": ("component",) * k, "phases": ("",) * k, "rotation_deg": nothing, "symmetry_deg": nothing,
        "diameters": nothing, "centers": np.full((k, 2), np.nan), "on_border": np.zeros(k, bool),
        "scan_axes": scan.scan_axes, "pattern_axes": scan.pattern_axes, "beam_center": (), "beam_radius": 0.0,
        "probe_sigma": 0.0, "spot_sigma": 0.0, "spot_shape": "", "thickness": np.ones(scan.scan_shape),
        "descan": np.zeros((*scan.scan_shape, 2)),
    }  # fmt: skip


def _plain(values: Any) -> Any:
    """Return words as a tuple of text, single values as themselves, short rows of numbers as arrays."""
    if values.dtype.kind in "US":
        return str(values) if values.ndim == 0 else tuple(str(word) for word in values)
    return (
        values.item()
        if values.ndim == 0
        else tuple(values.tolist())
        if values.shape in ((2,), (0,))
        else values
    )
