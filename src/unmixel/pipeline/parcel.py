"""A result packed for exporters: its files written anew, without what nobody else needs to know."""

from __future__ import annotations

from pathlib import Path

from unmixel.dataset.privacy import private, scrubbed
from unmixel.dataset.result import Result
from unmixel.io.ebsd import write_maps
from unmixel.io.exporters.contract import Parcel
from unmixel.io.store import read_arrays, write_bundle
from unmixel.io.tables import write_tables
from unmixel.pipeline import stages
from unmixel.pipeline.folder import RunFolder
from unmixel.pipeline.written import commented


def packed(result: Result, name: str, folder: Path, *, keep_names: bool = False) -> Parcel:
    """Return a result as a parcel: bundle, recipe, record, report and tables are written to `folder`.

    Parameters
    ----------
    result : Result
    name : str
        For files and titles.
    folder : Path
        Empty; it is there.
    keep_names : bool
        Whether user names, host names and absolute paths stay where the result has them.
    """
    bundle = None if result.folder is None else RunFolder(result.folder).bundle
    arrays = read_arrays(bundle) if bundle is not None and bundle.is_file() else {}
    if not keep_names:
        result, name = private(result), scrubbed(name)
    place = RunFolder(folder)
    write_bundle(place.bundle, result, arrays=arrays)
    header = (f"Resolved recipe of an unmixel run, exported as {name}.",)
    place.recipe.write_text(commented(result.recipe, header=header), encoding="utf-8")
    place.save_record(result.record)
    write_tables(folder, result)
    write_maps(folder, result.orientations)
    stages.report(result, place.report)
    return Parcel(result, name, folder)
