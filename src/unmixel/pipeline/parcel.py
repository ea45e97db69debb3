"""A result packed for exporters: its files written anew, without what nobody else needs to know."""

from __future__ import annotations

import json
from pathlib import Path

from unmixel.dataset.about import About
from unmixel.dataset.privacy import private, scrubbed
from unmixel.dataset.result import Result
from unmixel.io.ebsd import write_maps
from unmixel.io.exporters.contract import Parcel
from unmixel.io.nexus import jsonable
from unmixel.io.store import read_arrays, write_bundle
from unmixel.io.tables import write_tables
from unmixel.pipeline import stages
from unmixel.pipeline.folder import RunFolder
from unmixel.pipeline.written import commented


def packed(
    result: Result, name: str, folder: Path, *, about: About | None = None, keep_names: bool = False
) -> Parcel:
    """Return a result as a parcel: bundle, recipe, record, report, citations and tables go to `folder` when asked for.

    Parameters
    ----------
    result : Result
    name : str
        For files and titles.
    folder : Path
        Empty; it is there.
    about : About, optional
        What the owner of the data says of them.
    keep_names : bool
        Whether user names, host names and absolute paths stay where the result has them.
    """
    bundle = None if result.folder is None else RunFolder(result.folder).bundle
    if not keep_names:
        result, name = private(result), scrubbed(name)

    def fill() -> Path:
        place = RunFolder(folder)
        arrays = read_arrays(bundle) if bundle is not None and bundle.is_file() else {}
        write_bundle(place.bundle, result, arrays=arrays)
        header = (f"Resolved recipe of an unmixel run, exported as {name}.",)
        place.recipe.write_text(commented(result.recipe, header=header), encoding="utf-8")
        record = json.dumps(jsonable(result.record), indent=2, ensure_ascii=False, allow_nan=False)
        (folder / "record.json").write_text(record + "\n", encoding="utf-8")
        write_tables(folder, result)
        write_maps(folder, result.orientations)
        stages.report(result, place.report)
        stages.cite(result, folder)
        return folder

    return Parcel(result, name, fill, about or About(), stages.references(result))
