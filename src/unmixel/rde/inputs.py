"""Input files of a tile by what they are for: the scan, a recipe, candidate structures, files beside the scan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from unmixel.rde.errors import NoScanError

RECIPES = ("recipe.yaml", "recipe.yml")
BESIDE = frozenset({
    ".csv", ".docx", ".hdr", ".htm", ".html", ".jpeg", ".jpg", ".json", ".log", ".md", ".pdf", ".png", ".tsv", ".txt",
    ".xls", ".xlsx", ".yaml", ".yml",
})  # fmt: skip
"""Suffixes of files that stay beside a scan and are none themselves."""


@dataclass(frozen=True)
class Inputs:
    """What a tile is made from.

    Parameters
    ----------
    scan : Path
    recipe : Path or None
    structures : tuple of Path
        CIF files.
    """

    scan: Path
    recipe: Path | None = None
    structures: tuple[Path, ...] = ()

    @classmethod
    def of(cls, files: Iterable[Path], *, named: str = "") -> Inputs:
        """Return the files of a tile by what they are for.

        Parameters
        ----------
        files : iterable of Path
        named : str
            Name of the scan, where several files could be it.

        Raises
        ------
        NoScanError
            When there is no scan, or several and none is named.

        Examples
        --------
        >>> names = ("MgO.cif", "recipe.yaml", "scan.hdr", "scan.mib")
        >>> Inputs.of(map(Path, names)).scan.name
        'scan.mib'
        """
        files = sorted(files)
        recipes = [file for file in files if file.name.lower() in RECIPES]
        structures = tuple(file for file in files if file.suffix.lower() == ".cif")
        return cls(_scan(files, named), recipes[0] if recipes else None, structures)


def _scan(files: list[Path], named: str) -> Path:
    if named:
        found = [file for file in files if file.name == named]
    else:
        found = [file for file in files if file.suffix.lower() not in BESIDE | {".cif"}]
        if len(found) > 1:  # an EMPAD scan is opened by its .xml; other .xml files only describe
            described = any(file.suffix.lower() == ".raw" for file in found)
            off = ".raw" if described and any(file.suffix.lower() == ".xml" for file in found) else ".xml"
            found = [file for file in found if file.suffix.lower() != off]
    if len(found) == 1:
        return found[0]
    got = ", ".join(file.name for file in (found or files)) or "no file"
    hint = (
        "name the scan in the invoice field data_file, or let every file be a tile (extended_mode: MultiDataTile)"
        if found
        else "upload the scan with its recipe.yaml and .cif files; where every file is a tile (MultiDataTile), put "
        "them into tasksupport instead"
    )
    what = f"a file of the name '{named}'" if named else "one scan among the input files"
    raise NoScanError("input files", expected=what, got=got, hint=hint)
