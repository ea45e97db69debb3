"""A parcel laid out in RDE's folders."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from shutil import copyfile

from unmixel.io.exporters.contract import Parcel
from unmixel.rde.facts import Facts
from unmixel.rde.images import main_picture, other_pictures, thumbnail
from unmixel.rde.metadata import json_text, metadata


@dataclass(frozen=True)
class Folders:
    """RDE's folders for what a tile became; raw data have one of their own.

    Parameters
    ----------
    structured : Path
        Bundle, tables, recipe, record, report.
    main_image, other_image, thumbnail : Path
        PNG pictures.
    meta : Path
        ``metadata.json``.
    """

    structured: Path
    main_image: Path
    other_image: Path
    thumbnail: Path
    meta: Path

    @classmethod
    def under(cls, root: Path) -> Folders:
        """Return the folders of RDE's names under a folder."""
        return cls(*(root / one.name for one in fields(cls)))


def lay_out(parcel: Parcel, folders: Folders, *, technique: str = "") -> None:
    """Write a parcel to RDE's folders, which are made where they are not there.

    Parameters
    ----------
    parcel : Parcel
    folders : Folders
    technique : str
        How the scan was measured; empty takes what its axes say.
    """
    for one in fields(folders):
        getattr(folders, one.name).mkdir(parents=True, exist_ok=True)
    for file in sorted(parcel.folder.iterdir()):
        if file.is_file():
            copyfile(file, folders.structured / file.name)
    result, name = parcel.result, parcel.name
    (folders.main_image / f"{name}_overview.png").write_bytes(main_picture(result))
    (folders.thumbnail / f"{name}.png").write_bytes(thumbnail(result))
    for kind, picture in other_pictures(result):
        (folders.other_image / f"{name}_{kind}.png").write_bytes(picture)
    text = json_text(metadata(Facts(result, technique)))
    (folders.meta / "metadata.json").write_text(text, encoding="utf-8")
