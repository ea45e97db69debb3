"""The result bundle: everything a run found in one HDF5/NeXus file, written and read back exactly.

The paths are documented in docs/reference/bundle.md; ``unmixel_schema`` at the root says which version
they follow. Each noun has a room of its own beside this one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError, ReadError
from unmixel.dataset.card import CardRow, DataCard
from unmixel.dataset.result import Result
from unmixel.io.atomic import write_bytes
from unmixel.io.calibration import read_calibration, write_calibration
from unmixel.io.factors import read_factors, write_factors
from unmixel.io.groups import read_groups, write_groups
from unmixel.io.nexus import make, note, put, read_note, text, to_json
from unmixel.io.orientations import read_grains, read_orientations, write_orientations
from unmixel.io.particles import read_particles, write_particles
from unmixel.io.phases import read_phases, write_phases
from unmixel.io.positions import read_positions, write_positions
from unmixel.io.seal import opened, sealed
from unmixel.io.upgrade import SCHEMA, upgrade

_GROWTH = 1 << 22
"""Bytes by which the image of a file in memory grows."""


def write_bundle(path: Path, result: Result, *, arrays: Mapping[str, NDArray[Any]] | None = None) -> None:
    """Write a result to an HDF5/NeXus file, whole or not at all.

    The file is made in memory (it is compressed, so smaller than the arrays), sealed, and written in one piece.

    Parameters
    ----------
    path : Path
        File to write, replaced if it exists.
    result : Result
        Groups, particles and card may be missing; its folder is not told.
    arrays : mapping of str to ndarray, optional
        Arrays that the recipe holds, by the name under which the written recipe refers to them.

    Raises
    ------
    WriteError
        When the disk is full or the system refuses; a file that was there is as it was.

    Examples
    --------
    >>> from pathlib import Path
    >>> write_bundle(Path("result.nxs"), result)  # doctest: +SKIP
    """
    write_bytes(path, sealed(SCHEMA, _image(result, arrays or {})))


def _image(result: Result, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the HDF5 file of a result, made in memory."""
    import h5py

    with h5py.File("bundle", "w", driver="core", backing_store=False, block_size=_GROWTH) as file:
        file.attrs["NX_class"] = "NXroot"
        file.attrs["default"] = "entry"
        file.attrs["creator"] = "unmixel"
        file.attrs["unmixel_schema"] = SCHEMA
        entry = make(file, "entry", "NXentry", default="maps")
        _write_nouns(entry, result)
        if result.card is not None:
            note(entry, "card", "application/json", to_json(result.card.to_dict()))
        note(entry, "recipe", "application/json", to_json(result.recipe))
        note(entry, "record", "application/json", to_json(result.record))
        _write_steps(entry, result.record.get("steps") or ())
        _write_arrays(entry, "extras", result.extras)
        _write_arrays(entry, "arrays", arrays)
        file.flush()
        image: bytes = file.id.get_file_image()
    return image


def _write_nouns(entry: Any, result: Result) -> None:
    write_factors(entry, result.factors)
    if result.groups is not None:
        write_groups(entry, result.groups)
    if result.particles is not None:
        write_particles(entry, result.particles, result.factors)
    if result.phases is not None:
        write_phases(entry, result.phases)
    if result.orientations is not None:
        write_orientations(entry, result.orientations, result.grains)
    if result.positions is not None:
        write_positions(entry, result.positions)
    if result.calibration is not None:
        write_calibration(entry, result.calibration)


def _write_steps(entry: Any, steps: Sequence[Mapping[str, Any]]) -> None:
    """Write every step of preparation as NeXus has it, for other programs; what is read back is the record."""
    for number, step in enumerate(steps, start=1):
        process = make(entry, f"step_{number}", "NXprocess")
        text(process, "program", f"unmixel: {step['name']}")
        put(process, "sequence_index", number)
        note(process, "parameters", "application/json", to_json(step["parameters"]))
        note(process, "effect", "text/plain", str(step["effect"]))


def _write_arrays(entry: Any, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    if arrays:
        collection = make(entry, name, "NXcollection")
        for key, array in arrays.items():
            put(collection, key, array)


def read_bundle(path: Path) -> Result:
    """Return the result that lies in a bundle, arrays and all other values as they were written.

    Raises
    ------
    ReadError
        When the file is missing, damaged, no bundle, or written by a newer unmixel.
    """
    import h5py

    try:
        content = path.read_bytes()
        seal, image = opened(content, path)
        # a seal that is damaged cannot be told from none, but its HDF5 part is found behind it all the same
        with h5py.File(BytesIO(image), "r+") as file:
            schema = _checked_schema(file, path)
            if schema > 1 and seal is None:
                raise _no_bundle(path, "no seal, or a damaged one, at its beginning")
            upgrade(file, schema)
            return _read_entry(file["entry"])
    except ReadError:
        raise
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise _no_bundle(path, f"{type(error).__name__}: {' '.join(str(error).split())}") from error


def _no_bundle(path: Path, got: str) -> ReadError:
    return ReadError(
        f"result bundle '{path}'",
        expected="an HDF5/NeXus file that unmixel wrote",
        got=got,
        hint="check the path, copy the file again, or run again",
    )


def schema_of(path: Path) -> int | None:
    """Return the version of the layout of a bundle, without a look at what it holds; None where it is no bundle."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return int(file.attrs["unmixel_schema"])
    except (OSError, KeyError, ValueError, TypeError, RuntimeError):
        return None


def _checked_schema(file: Any, path: Path) -> int:
    schema = file.attrs.get("unmixel_schema")
    if schema is None or not 1 <= int(schema) <= SCHEMA:
        newer = schema is not None and int(schema) > SCHEMA
        raise ReadError(
            f"result bundle '{path}'",
            expected=f"unmixel_schema 1 to {SCHEMA} at the root",
            got="none" if schema is None else str(schema),
            hint="install a newer unmixel" if newer else "give a file that unmixel wrote",
        )
    return int(schema)


def _read_entry(entry: Any) -> Result:
    card = None
    if "card" in entry:
        raw = json.loads(read_note(entry, "card"))
        card = DataCard(raw["title"], tuple(CardRow(**row) for row in raw["rows"]), raw["values"])
    return Result(
        factors=read_factors(entry),
        groups=read_groups(entry["groups"]) if "groups" in entry else None,
        particles=read_particles(entry["particles"]) if "particles" in entry else None,
        phases=read_phases(entry["phases"]) if "phases" in entry else None,
        orientations=read_orientations(entry["orientations"]) if "orientations" in entry else None,
        grains=read_grains(entry["orientations"]) if "orientations" in entry else None,
        positions=read_positions(entry["positions"]) if "positions" in entry else None,
        calibration=read_calibration(entry["calibration"]) if "calibration" in entry else None,
        card=card,
        recipe=json.loads(read_note(entry, "recipe")),
        record=json.loads(read_note(entry, "record")),
        extras={name: entry["extras"][name][()] for name in entry["extras"]} if "extras" in entry else {},
    )


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays that the recipe of a bundle refers to, by their names; none where it has none."""
    import h5py

    with h5py.File(path, "r") as file:
        arrays = file["entry"].get("arrays", {})
        return {name: arrays[name][()] for name in arrays}


def read_array(path: Path, name: str = "") -> NDArray[Any]:
    """Return one array of a ``.npy``, ``.npz`` or HDF5 file.

    Parameters
    ----------
    path : Path
    name : str
        Key of the npz file or path inside the HDF5 file.

    Raises
    ------
    InputError
        When the file holds no such array.
    """
    if path.suffix == ".npy":
        return np.asarray(np.load(path, allow_pickle=False))
    try:
        if path.suffix == ".npz":
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                return np.asarray(archive[name])
        import h5py

        with h5py.File(path, "r") as file:
            return np.asarray(file[name][()])
    except KeyError as error:
        raise InputError(
            "array", expected=f"an array '{name}' in {path.name}", got="none", hint="check it"
        ) from error
