"""What a run can say of itself: versions, the fingerprint of its input."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from unmixel.core import registry
from unmixel.dataset.scan import Scan
from unmixel.pipeline.code import used
from unmixel.pipeline.recipe import Recipe

FULL_LIMIT = 256_000_000
"""Inputs up to this many bytes are hashed whole; of larger ones, pieces."""

_PIECE = 1_000_000
_PIECES = 64
_PACKAGES = (
    "unmixel", "numpy", "scipy", "dask", "h5py", "zarr", "rosettasciio", "scikit-learn", "scikit-image",
    "matplotlib", "pydantic", "gemmi", "array-api-compat", "torch",
)  # fmt: skip


def versions(recipe: Recipe) -> dict[str, str]:
    """Return versions of Python, of the packages that numbers may depend on, and of foreign plug-ins."""
    found = {"python": platform.python_version(), "platform": f"{platform.system()} {platform.machine()}"}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    for group, name in used(recipe):
        if not registry.is_built_in(group, name):
            found[f"{group}:{name}"] = registry.origin(group, name)
    return found


def fingerprint(given: str | Path | Scan) -> dict[str, Any]:
    """Return what identifies an input: SHA-256 and, in words, what it covers.

    Parameters
    ----------
    given : str, Path or Scan
        File, folder (zarr) or address (``demo:...``); or a scan, whose values are hashed.

    Returns
    -------
    dict
        ``sha256``, ``covers`` (in words) and ``bytes``.

    Examples
    --------
    >>> fingerprint(Scan.from_array(np.zeros((2, 3, 4), np.uint8)))["covers"]
    'all values of the array'
    """
    if isinstance(given, Scan):
        return _values(given)
    place = Path(given)
    if place.is_file():
        return _file(place)
    if place.is_dir():
        return _folder(place)
    text = str(given).encode()
    return {"sha256": hashlib.sha256(text).hexdigest(), "covers": "the address", "bytes": len(text)}


def _file(path: Path) -> dict[str, Any]:
    digest, size = hashlib.sha256(), path.stat().st_size
    _feed(digest, path, size, limit=FULL_LIMIT)
    covers = (
        "the whole file" if size <= FULL_LIMIT else f"its size and {_PIECES} pieces of 1 MB, evenly spread"
    )
    return {"sha256": digest.hexdigest(), "covers": covers, "bytes": size}


def _feed(digest: Any, path: Path, size: int, *, limit: int) -> None:
    """Feed a whole file to a hash, or its size and evenly spread pieces where it is larger than `limit`."""
    with path.open("rb") as stream:
        if size <= limit:
            while piece := stream.read(_PIECE):
                digest.update(piece)
            return
        digest.update(str(size).encode())
        for start in np.linspace(0, max(0, size - _PIECE), _PIECES).astype(np.int64):
            stream.seek(int(start))
            digest.update(stream.read(_PIECE))


def _folder(path: Path) -> dict[str, Any]:
    members = sorted(member for member in path.rglob("*") if member.is_file())
    sizes = [member.stat().st_size for member in members]
    digest = hashlib.sha256()
    for member, size in zip(members, sizes, strict=True):
        digest.update(f"{member.relative_to(path).as_posix()} {size}\n".encode())
    total = sum(sizes)
    whole = total <= FULL_LIMIT
    picked = (
        range(len(members)) if whole else np.unique(np.linspace(0, len(members) - 1, _PIECES).astype(int))
    )
    for index in picked:
        _feed(digest, members[int(index)], sizes[int(index)], limit=FULL_LIMIT if whole else _PIECE)
    covers = f"names, sizes and contents of all {len(members)} files"
    if not whole:
        covers = f"names and sizes of all {len(members)} files, contents of {len(picked)} of them"
    return {"sha256": digest.hexdigest(), "covers": covers, "bytes": total}


def _values(scan: Scan) -> dict[str, Any]:
    """Hash shape, axes and values (or evenly spread positions of a large scan)."""
    digest = hashlib.sha256(
        repr((scan.data.shape, str(scan.data.dtype), scan.scan_axes, scan.pattern_axes)).encode()
    )
    for weights in (scan.pixel_weights, scan.position_weights):
        digest.update(b"none" if weights is None else np.ascontiguousarray(weights).tobytes())
    digest.update(json.dumps([step.name for step in scan.history]).encode())
    if scan.n_bytes <= FULL_LIMIT or not scan.scan_axes:
        digest.update(np.ascontiguousarray(scan.data).tobytes())
        return {"sha256": digest.hexdigest(), "covers": "all values of the array", "bytes": scan.n_bytes}
    rows = np.unique(np.linspace(0, scan.n_positions - 1, _PIECES).astype(int))
    for row in rows:
        index = tuple(int(i) for i in np.unravel_index(row, scan.scan_shape))
        digest.update(np.ascontiguousarray(scan.data[index]).tobytes())
    return {
        "sha256": digest.hexdigest(),
        "covers": f"{len(rows)} positions, evenly spread",
        "bytes": scan.n_bytes,
    }
