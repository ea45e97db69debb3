"""The contract of an exporter: one class per format, found by the entry point ``unmixel.exporters``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from unmixel.dataset.about import About

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from unmixel.dataset.bibliography import Reference
    from unmixel.dataset.result import Result


@dataclass(frozen=True)
class Parcel:
    """What is handed to an exporter: a result and the files that unmixel writes of it.

    Nothing in it tells a user name, a host name or an absolute path, unless the user asked to keep them:
    exporters add none of their own.

    Parameters
    ----------
    result : Result
    name : str
        Name for files and titles, such as ``mgo``.
    fill : callable () -> Path
        Writes the files of `folder` and returns where they are.
    about : About
        What the user says of the data: title, licence, authors, sample. What is not said there is not known: an
        exporter leaves it out, or refuses where the format must have it.
    references : tuple of Reference
        Papers that the methods of this result rest on, as the report cites them.
    """

    result: Result
    name: str
    fill: Callable[[], Path]
    about: About = About()
    references: tuple[Reference, ...] = ()

    @cached_property
    def folder(self) -> Path:
        """Folder with the files of this result, written when they are first asked for; only to be copied from.

        It holds ``result.nxs``, ``recipe.yaml``, ``record.json``, ``report.html``, ``methods.md``, ``references.bib``,
        the tables (``*.csv``) and, where there are some, the orientations (``*.ang``, ``*.ctf``).
        """
        return self.fill()


@runtime_checkable
class Exporter(Protocol):
    """Writes a result in a format of others.

    An exporter is a class without arguments. Its module imports nothing heavy at the top: libraries are
    imported in `write` and `check`, and one that is missing is a `MissingExtraError` that names the extra.

    What `write` promises (checked by `unmixel.testing.exporters.ExporterLaws`):

    - it writes `target` and nothing else; `target` does not exist yet and lies in a folder that does;
    - the same parcel gives the same file, but for what the format itself dates;
    - numbers are those of the result, to the precision of the format; units are written where the format has them;
    - a result without groups, particles, phases or orientations is exported without them.

    Attributes
    ----------
    name : str
        The registered name, as in ``unmixel export RUN --to NAME``.
    suffix : str
        What the name of the target ends with, such as ``.hspy``; empty where it is a plain folder.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]

    def write(self, parcel: Parcel, target: Path) -> None:
        """Write the parcel to `target`: a file, or a folder that `write` makes (``.zspy`` is one, too).

        Raises
        ------
        InputError
            When the format cannot hold this result: says why and what to do.
        MissingExtraError
            When an optional package is not installed.
        """
        ...

    def check(self, target: Path) -> tuple[str, ...]:
        """Return what the format's own judge finds wrong with an export, in words; empty where nothing is.

        Raises
        ------
        MissingExtraError
            When the judge is not installed.
        """
        ...
