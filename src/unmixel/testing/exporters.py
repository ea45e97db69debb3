"""The laws of an exporter: every registered one is held to them, and third parties can hold theirs.

with Parcels() as parcels:
    for law in ExporterLaws.names():
        ExporterLaws(MyExporter(), parcels).check(law)
"""

from __future__ import annotations

import json
import os
import re
import subprocess  # nosec B404
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from unmixel.core import registry
from unmixel.core.errors import InputError
from unmixel.dataset.about import About, Microscope, Person, Sample
from unmixel.io.exporters.contract import Exporter, Parcel
from unmixel.io.pieces import RAW, pieces
from unmixel.pipeline import stages
from unmixel.pipeline.export import target_name
from unmixel.pipeline.parcel import packed
from unmixel.testing.laws import Laws, must
from unmixel.testing.results import example_result

HEAVY = (
    "dask", "emdfile", "h5py", "hyperspy", "matplotlib", "pynxtools", "rocrate", "rsciio", "scipy", "skimage",
    "sklearn", "tifffile", "torch", "zarr",
)  # fmt: skip
"""What importing the module of an exporter must not load."""

USER, HOST = "ottilie-planted", "planted-host-77"
"""Who exports, and where, while the laws are tried."""

EXAMPLES: dict[str, dict[str, Any]] = {
    "whole": {},
    "bare": {"whole": False},
    "uncalibrated": {"calibrated": False},
    "spectra": {"pattern": (12,)},
    "line": {"scan": (9,)},
    "untold": {},
}
"""Results that exporters are tried on: `unmixel.testing.results.example_result` with these arguments.

Of all but ``untold``, the owner has said what can be said.
"""

ABOUT = About(
    title="Copper in glass",
    description="Random numbers",
    licence="CC-BY-4.0",
    authors=(Person("A. Nonymous", "0000-0002-1825-0097", "Institute of Examples"),),
    measured="2026-11-22T09:00:00+00:00",
    sample=Sample("G7", ("Cu",), "2026-11-01T12:00:00+00:00", "of no substance"),
    microscope=Microscope("Example", "E-1"),
)
"""What the owner of the examples says of them."""

_DATES = re.compile(rb"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?")


@dataclass
class Parcels:
    """Parcels of all examples, each packed when it is first asked for; their folders go when the context ends."""

    _place: TemporaryDirectory[str] = field(default_factory=TemporaryDirectory, repr=False)
    _packed: dict[str, Parcel] = field(default_factory=dict, repr=False)

    def __enter__(self) -> Parcels:
        return self

    def __exit__(self, *_: object) -> None:
        self._place.cleanup()

    def of(self, example: str) -> Parcel:
        """Return the parcel of an example."""
        if example not in self._packed:
            folder = Path(self._place.name) / example
            folder.mkdir()
            about = None if example == "untold" else ABOUT
            with nullcontext() if example == "whole" else mock.patch.object(stages, "report", _short_page):
                self._packed[example] = packed(
                    example_result(**EXAMPLES[example]), "sample", folder, about=about
                )
                _ = self._packed[example].folder  # written while its page is a short one
        return self._packed[example]


def _short_page(_: Any, path: Path) -> None:
    """Stand in for the report, which takes seconds to draw: one example with a real one is enough."""
    path.write_text("<!doctype html><title>sample</title>", encoding="utf-8")


@contextmanager
def _planted() -> Iterator[None]:
    """Let who exports, and where, be names that can be looked for."""
    names = dict.fromkeys(("USER", "LOGNAME", "USERNAME"), USER) | {
        "HOSTNAME": HOST,
        "HOME": f"/home/{USER}",
    }
    with (
        mock.patch.dict(os.environ, names),
        mock.patch("getpass.getuser", return_value=USER),
        mock.patch("os.getlogin", return_value=USER),
        mock.patch("socket.gethostname", return_value=HOST),
        mock.patch("platform.node", return_value=HOST),
    ):
        yield


@dataclass(frozen=True)
class ExporterLaws(Laws):
    """Laws that an exporter must keep.

    A law that needs an optional package which is not installed ends in a `MissingExtraError`.

    Parameters
    ----------
    exporter : Exporter
    parcels : Parcels

    Examples
    --------
    >>> from unmixel.io.exporters.csv import CsvExporter
    >>> with Parcels() as parcels:
    ...     ExporterLaws(CsvExporter(), parcels).check("contract")
    """

    exporter: Exporter
    parcels: Parcels

    @contextmanager
    def _target(self) -> Iterator[Path]:
        with TemporaryDirectory() as folder:
            yield Path(folder) / target_name("sample", self.exporter)

    def law_contract(self) -> None:
        """A class without arguments, with name, suffix, `write` and `check`; registered under its own name."""
        exporter = self.exporter
        must(isinstance(exporter, Exporter), f"{exporter} has no name, suffix, write or check")
        must(type(exporter)().name == exporter.name, "two instances have different names")
        must(exporter.suffix == "" or exporter.suffix.startswith("."), f"suffix {exporter.suffix!r}")
        if exporter.name in registry.names("exporters"):
            kind = registry.load("exporters", exporter.name)
            must(kind is type(exporter), f"'{exporter.name}' is registered as {kind}")

    def law_light_import(self) -> None:
        """Importing its module loads no library of formats."""
        code = f"import {type(self.exporter).__module__}, sys, json; print(json.dumps(list(sys.modules)))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # nosec B603
        loaded = {name.split(".")[0] for name in json.loads(done.stdout)} & set(HEAVY)
        must(not loaded, f"import loads {', '.join(sorted(loaded))}")

    def law_writes_its_target(self) -> None:
        """It writes the target and nothing else, and leaves the parcel as it is."""
        parcel = self.parcels.of("whole")
        before, here = dict(pieces(parcel.folder)), sorted(Path.cwd().iterdir())
        with self._target() as target:
            self.exporter.write(parcel, target)
            found = [path.name for path in target.parent.iterdir()]
        must(found == [target.name], f"asked for {target.name}, wrote {', '.join(found) or 'nothing'}")
        must(dict(pieces(parcel.folder)) == before, "the parcel was changed")
        must(sorted(Path.cwd().iterdir()) == here, "something was written to the current folder")

    def law_less_is_enough(self) -> None:
        """A result without groups, particles, phases and orientations is exported without them."""
        with self._target() as target:
            self.exporter.write(self.parcels.of("bare"), target)
            must(target.exists(), "nothing was written")

    def law_other_shapes(self) -> None:
        """Spectra, line scans, results without calibration or facts are written, or refused with what to do."""
        for example in ("uncalibrated", "spectra", "line", "untold"):
            with self._target() as target:
                try:
                    self.exporter.write(self.parcels.of(example), target)
                except InputError as error:
                    must(bool(error.hint), f"{example}: the error says nothing to do: {error}")
                else:
                    must(target.exists(), f"{example}: nothing was written")

    def law_same_again(self) -> None:
        """The same parcel gives the same file, but for dates."""
        parcel, told = self.parcels.of("whole"), []
        for _ in range(2):
            with self._target() as target:
                self.exporter.write(parcel, target)
                told.append({name: _DATES.sub(b"", data) for name, data in _members(target)})
        first, second = told
        differ = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
        must(not differ, f"a second export differs in {', '.join(differ[:5])}")

    def law_tells_nobody(self) -> None:
        """Nothing tells who exported, on which machine, from which folder or to which."""
        parcel = self.parcels.of("whole")
        with _planted(), self._target() as target:
            self.exporter.write(parcel, target)
            secrets = [USER, HOST, str(parcel.folder), str(target.parent), str(Path.cwd())]
            found = [
                f"{secret} in {name}"
                for name, data in pieces(target)
                for secret in secrets
                if secret.encode() in data or secret in name
            ]
        must(not found, f"it tells {'; '.join(found[:5])}")

    def law_judged(self) -> None:
        """The format's own judge finds nothing wrong with what it wrote, and something with an empty target."""
        for example in ("whole", "bare"):
            with self._target() as target:
                self.exporter.write(self.parcels.of(example), target)
                is_file = target.is_file()
                found = self.exporter.check(target)
                must(not found, f"{example}: {'; '.join(found[:5])}")
        with self._target() as target:
            if is_file:
                target.touch()
            else:
                target.mkdir()
            must(bool(self.exporter.check(target)), "nothing is found wrong with an empty target")


def _members(target: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the pieces of an export that are no container of others: those hold times of their own."""
    return ((name, data) for name, data in pieces(target) if not name.endswith(RAW))
