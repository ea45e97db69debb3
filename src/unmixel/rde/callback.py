"""The structuring callback: from the input files and the invoice of a tile to RDE's folders."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Any

from unmixel.physics.crystal import Crystal
from unmixel.pipeline import stages
from unmixel.pipeline.folder import stem
from unmixel.pipeline.parcel import packed
from unmixel.pipeline.progress import Silent
from unmixel.pipeline.resolve import Request
from unmixel.pipeline.run import run
from unmixel.pipeline.yamlfile import parse
from unmixel.rde.errors import structured
from unmixel.rde.facts import technique
from unmixel.rde.inputs import RECIPES, Inputs
from unmixel.rde.invoice import Invoice
from unmixel.rde.layout import Folders, lay_out

LIBRARY = "cif"
"""Folder in ``tasksupport`` with CIF files for the invoice's field `elements` to choose from."""


@dataclass(frozen=True)
class Job:
    """What is to be done for a tile.

    Parameters
    ----------
    scan : Path
    recipe : mapping, Path or None
        As `unmixel.run` takes it.
    overrides : tuple of str
        ``key=value``.
    """

    scan: Path
    recipe: Any = None
    overrides: tuple[str, ...] = ()

    @classmethod
    def of(cls, files: Iterable[Path], invoice: Invoice, tasksupport: Path) -> Job:
        """Return what files and invoice ask for.

        A recipe among the files goes before that of the template (in `tasksupport`); what the invoice says goes before
        both.

        Raises
        ------
        NoScanError
            When the files hold no scan.
        RecipeError
            When the recipe is no YAML.
        """
        inputs = Inputs.of(files, named=invoice.text("data_file"))
        shared = [tasksupport / name for name in RECIPES if (tasksupport / name).is_file()]
        recipe: Any = inputs.recipe or (shared[0] if shared else None)
        given = {} if recipe is None else parse(recipe)
        if invoice.extends and "extends" not in given:
            recipe = {**given, "extends": invoice.extends}
        overrides = invoice.overrides
        candidates = _candidates(inputs, invoice, given, tasksupport / LIBRARY)
        if candidates:
            overrides = (f"interpret.identify.candidates={dumps(candidates)}", *overrides)
        return cls(inputs.scan, recipe, overrides)


def _candidates(inputs: Inputs, invoice: Invoice, given: dict[str, Any], library: Path) -> list[str]:
    """Return all candidate structures where files or invoice name any: theirs, then those of the recipe."""
    elements = set(invoice.elements)
    made = [
        file
        for file in sorted(library.glob("*.cif"))
        if elements and Crystal.from_cif(file).elements <= elements
    ]
    new = [*map(str, (*inputs.structures, *made)), *invoice.candidates]
    if not new:
        return []
    known = ((given.get("interpret") or {}).get("identify") or {}).get("candidates") or []
    uploaded = {file.name for file in inputs.structures}
    return list(dict.fromkeys([*new, *(str(one) for one in known if Path(str(one)).name not in uploaded)]))


def structure(paths: Any) -> None:
    """Structure the data of a tile; see `unmixel.rde.dataset`."""
    with structured():
        mode = str(getattr(paths.config.system, "extended_mode", None) or "").lower()
        if mode == "rdeformat":
            _take_over_thumbnail(paths)
            return
        invoice = Invoice.read(Path(paths.invoice) / "invoice.json")
        job = Job.of(map(Path, paths.rawfiles), invoice, Path(paths.tasksupport))
        with TemporaryDirectory(prefix="unmixel-") as place:
            done, parcel = Path(place) / "run", Path(place) / "parcel"
            parcel.mkdir()
            result = run(job.scan, job.recipe, out=done, overrides=job.overrides, progress=Log())
            for file in done.glob("use_pixels.npy"):  # a remark of the run tells to copy it
                copyfile(file, parcel / file.name)
            scan = stages.read(job.scan, Request.of(job.recipe, job.overrides).read())
            folders = Folders(
                *map(Path, (paths.struct, paths.main_image, paths.other_image, paths.thumbnail, paths.meta))
            )
            lay_out(packed(result, stem(job.scan.name), parcel), folders, technique=technique(scan))


def _take_over_thumbnail(paths: Any) -> None:
    """Copy the thumbnails of an export that was registered as it is: rdetoolkit copies all else."""
    for file in map(Path, paths.rawfiles):
        if "thumbnail" in file.parts:
            copyfile(file, Path(paths.thumbnail) / file.name)


class Log(Silent):
    """Tells the progress of a run to rdetoolkit's log of the job."""

    def __init__(self) -> None:
        self._log = logging.getLogger("rdetoolkit.unmixel")

    def stage(self, name: str) -> None:
        """Log the stage."""
        self._log.info("stage: %s", name)

    def sweep(self, sweep: int, limit: int, objective: float) -> None:
        """Log every tenth sweep."""
        if sweep % 10 == 0:
            self._log.info("sweep %d of at most %d: objective %.6g", sweep, limit, objective)

    def note(self, text: str) -> None:
        """Log the remark."""
        self._log.warning("%s", text)
