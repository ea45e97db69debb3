"""What a run folder holds, read back: of a run that has ended, and of one that has not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from unmixel.core.errors import ReadError
from unmixel.dataset.privacy import private
from unmixel.dataset.result import Result
from unmixel.io.atomic import replacing
from unmixel.io.store import read_bundle, schema_of
from unmixel.pipeline import stages
from unmixel.pipeline.folder import OURS, RunFolder


def load(folder: str | Path) -> Result:
    """Return the result that lies in a run folder (or in a ``result.nxs``), exactly as it was found.

    A run that has not ended gives what it has, and its record says how far that is: ``status`` is ``running``,
    ``interrupted`` (by whatever, a crash or a cut of power among it) or ``failed``; ``partial`` is in words what the
    factors are where the factorisation has not ended (those of ``partial.nxs``, written every 20 s or, where that would
    take more than a twentieth of the time, less often).

    Parameters
    ----------
    folder : path
        A run folder or a bundle.

    Raises
    ------
    ReadError
        When there is no result, with what there is instead; when the bundle is damaged.

    Examples
    --------
    >>> load("mgo.run").maps.shape  # doctest: +SKIP
    (12, 105, 105)
    """
    path = Path(folder)
    if path.is_file():
        return replace(read_bundle(path), folder=path.parent)
    place = RunFolder(path)
    record = record_of(place)
    for bundle in (place.bundle, place.partial):
        if bundle.is_file():
            result = read_bundle(bundle)
            told = dict(result.record if record is None else record)
            if bundle == place.partial:
                told["partial"] = result.factors.convergence.reason
            return replace(result, folder=path, record=told)
    raise no_run(path, _what_is_there(place, record))


def record_of(place: RunFolder) -> dict[str, Any] | None:
    """Return the record of a run folder, None where there is none.

    A run whose process ended without a word is told as ``interrupted``.
    """
    record = place.record()
    if record is not None and record.get("status") == "running" and not place.is_held:
        return {**record, "status": "interrupted"}
    return record


def state_of(folder: str | Path) -> dict[str, Any] | None:
    """Return how far a run got and in which layouts it is stored, without reading its arrays.

    Parameters
    ----------
    folder : path
        A run folder or a bundle.

    Returns
    -------
    dict or None
        ``status``, ``bundle_schema``, ``record_schema``, ``unmixel``, ``input``, ``started``, ``finished``, ``stage``,
        ``error``, ``checkpoint``, ``files``; None where there is neither.
    """
    path = Path(folder)
    place, record = RunFolder(path), {}
    bundle = path if path.is_file() else next(filter(Path.is_file, (place.bundle, place.partial)), path)
    schema = schema_of(bundle)
    if path.is_dir():
        record = record_of(place) or {}
    elif schema is not None:
        record = dict(read_bundle(path).record)
    if schema is None and not record:
        return None
    keys = ("started", "finished", "stage", "error", "checkpoint")
    return {
        "status": record.get("status"),
        "bundle_schema": schema,
        "record_schema": record.get("schema"),
        "unmixel": (record.get("versions") or {}).get("unmixel"),
        "input": (record.get("input") or {}).get("path"),
        **{key: record.get(key) for key in keys},
        "files": [name for name in OURS if (path / name).exists()],
    }


def _what_is_there(place: RunFolder, record: dict[str, Any] | None) -> str:
    """Return in words what a folder without factors holds."""
    if record is None:
        return "no run" if place.path.is_dir() else "no run, and no such folder"
    files = [name for name in OURS if (place.path / name).exists()]
    text = f"a run that is {record.get('status')} and has no factors yet"
    if record.get("stage"):
        text += f", last in the stage '{record['stage']}'"
    if record.get("status") == "finished":
        text = "a finished run whose result.nxs is missing"
    elif record.get("checkpoint"):
        text += f", kept as far as {record['checkpoint']}"
    if record.get("error"):
        text += f"; {record['error']}"
    return f"{text} (there: {', '.join(files)})"


def rewrite_report(folder: str | Path) -> Path:
    """Write the page of a run anew from its stored results and return its path.

    Raises
    ------
    ReadError
        When there is no result.
    """
    result = load(folder)
    place, told = RunFolder(result.folder or Path(folder)), private(result)
    with replacing(place.report) as draft:
        stages.report(told, draft)
    stages.cite(told, place.path)
    return place.report


def no_run(path: Path, got: str) -> ReadError:
    """Return what to tell of a folder that holds no run, or not what was asked for."""
    return ReadError(
        f"run folder '{path}'",
        expected="a folder that 'unmixel run' wrote",
        got=got,
        hint="run it (again with the same command, where it was interrupted)",
    )
