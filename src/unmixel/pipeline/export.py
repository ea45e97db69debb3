"""Write a run in the formats of others, for who does not have unmixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from unmixel.core import registry
from unmixel.core.errors import InputError, RunExistsError, UnmixelError
from unmixel.dataset.about import About
from unmixel.dataset.result import Result
from unmixel.io.about import read_about
from unmixel.io.atomic import replacing
from unmixel.io.exporters.contract import Exporter, Parcel
from unmixel.pipeline.folder import stem
from unmixel.pipeline.kept import load
from unmixel.pipeline.parcel import packed


@dataclass(frozen=True)
class Exported:
    """What became of one export.

    Parameters
    ----------
    format : str
        Registered name of the exporter.
    path : Path
        File or folder; it is there unless `error` says why not.
    findings : tuple of str or None
        What the format's own judge finds wrong; None where it was not asked.
    error : str
        Why there is no export; empty where there is one.
    unchecked : str
        Why the judge that was to be asked was not; empty otherwise.
    """

    format: str
    path: Path
    findings: tuple[str, ...] | None = None
    error: str = ""
    unchecked: str = ""


def export(
    run: str | Path | Result,
    to: str | Sequence[str],
    *,
    out: str | Path | None = None,
    check: bool = False,
    force: bool = False,
    keep_names: bool = False,
    about: About | str | Path | None = None,
) -> tuple[Exported, ...]:
    """Write a run in one or more formats, each whole or not at all.

    What is written tells no user name, host name or absolute path, unless `keep_names` says so. Where one format
    cannot be written (a package is missing, or it cannot hold this result), the others are: look at `error` of each.

    Parameters
    ----------
    run : path or Result
        A run folder, its ``result.nxs``, or the result itself.
    to : str or sequence of str
        Registered names of exporters; one text may name several, parted by commas: ``"hspy,csv"``.
    out : path, optional
        Folder to write to; ``<run>.export`` in the current directory by default.
    check : bool
        Ask the format's own judge about each export.
    force : bool
        Replace exports that are there.
    keep_names : bool
        Leave user names, host names and absolute paths where the result has them. Records that `run` writes have none.
    about : About, path or None
        What only the owner of the data can say (title, licence, authors, sample), or the YAML file that says it;
        ``nxs`` needs some of it.

    Returns
    -------
    tuple of Exported
        In the order of `to`.

    Raises
    ------
    PluginError
        When there is no exporter of that name; nothing is written then.
    ReadError
        When there is no result, or no such file of facts.
    InputError
        When the file of facts holds a fact of another name or kind.
    RunExistsError
        When an export is there already; nothing is written then.

    Examples
    --------
    >>> [done.path.name for done in export("mgo.run", "hspy,csv")]  # doctest: +SKIP
    ['mgo.hspy', 'mgo-csv']
    """
    exporters = [registry.load("exporters", name)() for name in _names(to)]
    told = read_about(about) if isinstance(about, (str, Path)) else about
    result = run if isinstance(run, Result) else load(run)
    name = _name(result)
    folder = Path(f"{name}.export") if out is None else Path(out)
    plan = [Exported(exporter.name, folder / target_name(name, exporter)) for exporter in exporters]
    _check_free(folder, plan, force=force)
    with TemporaryDirectory(prefix="unmixel-") as place:
        parcel = packed(result, name, Path(place), about=told, keep_names=keep_names)
        folder.mkdir(parents=True, exist_ok=True)
        return tuple(
            _written(exporter, parcel, one, check=check)
            for exporter, one in zip(exporters, plan, strict=True)
        )


def _names(to: str | Sequence[str]) -> list[str]:
    """Return the names of formats, each once."""
    texts = [to] if isinstance(to, str) else list(to)
    found = [name.strip() for text in texts for name in text.split(",") if name.strip()]
    if not found:
        raise InputError(
            "formats",
            expected=f"one or more of {', '.join(registry.names('exporters'))}",
            got="none",
            hint="name them as in 'hspy,csv'",
        )
    return list(dict.fromkeys(found))


def _name(result: Result) -> str:
    """Return what an export is called: as the run folder, or as the scan where there is none."""
    given = result.record.get("input", {}).get("path", "")
    return stem(str(given) if result.folder is None else result.folder.resolve().name)


def target_name(name: str, exporter: Exporter) -> str:
    """Return the name of an export: the suffix of its format, or the format's name where that is a plain folder.

    Examples
    --------
    >>> from unmixel.io.exporters.csv import CsvExporter
    >>> target_name("mgo", CsvExporter())
    'mgo-csv'
    """
    return f"{name}{exporter.suffix}" if exporter.suffix else f"{name}-{exporter.name}"


def _check_free(folder: Path, plan: list[Exported], *, force: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise RunExistsError(f"'{folder}' is a file. Choose another folder with --out.")
    there = [one.path.name for one in plan if one.path.exists()]
    if there and not force:
        raise RunExistsError(
            f"The folder '{folder}' holds {', '.join(there)} already. Choose another one with --out, or replace "
            f"{'it' if len(there) == 1 else 'them'} with --force."
        )


def _written(exporter: Exporter, parcel: Parcel, plan: Exported, *, check: bool) -> Exported:
    """Write one export beside its place, move it there, and ask its judge where that is wanted."""
    try:
        with replacing(plan.path) as draft:
            exporter.write(parcel, draft)
    except UnmixelError as error:
        return replace(plan, error=str(error))
    if not check:
        return plan
    try:
        return replace(plan, findings=exporter.check(plan.path))
    except UnmixelError as error:
        return replace(plan, unchecked=str(error))
