"""What one viewer shows: scans, runs, jobs, and arrays that replies spoke of."""

from __future__ import annotations

import json
import secrets
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.result import Result
from unmixel.dataset.scan import Scan
from unmixel.io.open import open as open_scan
from unmixel.io.store import write_bundle
from unmixel.physics.cells import built_in
from unmixel.physics.cells import structures as structures_of
from unmixel.physics.crystal import Crystal
from unmixel.pipeline import stages
from unmixel.pipeline.provenance import fingerprint
from unmixel.pipeline.recipe import Recipe
from unmixel.web.jobs import Jobs, NotOpened, Work
from unmixel.web.models import Opened
from unmixel.web.paths import checked_overrides
from unmixel.web.run_models import JobRequest
from unmixel.web.run_view import RunView, is_run
from unmixel.web.scan_view import ScanView

DEFAULT_MEMORY = 2_000_000_000
"""Bytes for the stores of all scans together."""


class Shelf:
    """Arrays that a reply spoke of by a key; the oldest go when there are too many bytes.

    Parameters
    ----------
    room : int
        Bytes.
    """

    def __init__(self, room: int) -> None:
        self._room, self._kept = room, OrderedDict[str, NDArray[Any]]()
        self._lock = threading.Lock()

    def put(self, values: NDArray[Any]) -> str:
        """Keep an array and return its key."""
        key = secrets.token_hex(8)
        with self._lock:
            self._kept[key] = values
            while sum(one.nbytes for one in self._kept.values()) > self._room and len(self._kept) > 8:
                self._kept.popitem(last=False)
        return key

    def get(self, key: str) -> NDArray[Any]:
        """Return an array.

        Raises
        ------
        NotOpened
            When it is not there (any more).
        """
        with self._lock:
            if key not in self._kept:
                raise NotOpened("this picture (newer ones have taken its place; ask again)")
            return self._kept[key]


class Viewer:
    """What one viewer shows.

    Parameters
    ----------
    memory : int
        Bytes for the stores of all scans together.
    runs : Path
        Folder in which runs that are begun here get theirs, and whose runs the history lists.
    scratch : bool
        Whether temporary files may hold tiles of scans.
    structures : iterable of str
        CIF files and folders that calibration may use beside the built-in cells.
    """

    def __init__(
        self,
        *,
        memory: int = DEFAULT_MEMORY,
        runs: Path | None = None,
        scratch: bool = True,
        structures: Iterable[str] = (),
    ) -> None:
        self.memory, self.scratch = memory, scratch
        self.folder = runs if runs is not None else Path.cwd()
        self._files = tuple(structures)
        self.structures = {one.name: one for one in structures_of(self._files)}
        self.scans: dict[str, ScanView] = {}
        self.runs: dict[str, RunView] = {}
        self.shelf = Shelf(memory // 8)
        self._given: list[tempfile.TemporaryDirectory[str]] = []
        self.jobs = Jobs(self.folder, self._show_run)

    def show(self, files: Iterable[str | Scan | Result], **how: Any) -> None:
        """Open files, addresses and run folders; of a run its scan, too, where that is found unchanged.

        Parameters
        ----------
        files : iterable of str, Scan or Result
        **how
            As for `unmixel.open`, for the scans.
        """
        wanted = list(files)
        runs = [isinstance(one, Result) or (isinstance(one, str) and is_run(Path(one))) for one in wanted]
        share = self.memory * 7 // 8 // max(1, runs.count(False) or len(wanted))
        for one, is_one in zip(wanted, runs, strict=True):
            if isinstance(one, Scan):
                self._keep_scan("scan", one, share).given = True
            elif isinstance(one, str) and not is_one:
                self._keep_scan(one, open_scan(one, **how), share, how)
        for one, is_one in zip(wanted, runs, strict=True):
            if isinstance(one, Result):
                self._add_result(one)
            elif isinstance(one, str) and is_one:
                self._add_scan_of(self.add_run(Path(one)), share)

    def _add_result(self, result: Result) -> None:
        """Show a result that lies in memory, by a bundle that is deleted when the viewer closes."""
        folder = tempfile.TemporaryDirectory(prefix="unmixel-view-")
        self._given.append(folder)
        bundle = Path(folder.name) / f"result{len(self._given)}.nxs"
        write_bundle(bundle, result)
        self.add_run(bundle).given = True

    def _keep_scan(
        self, address: str, scan: Scan, memory: int, how: Mapping[str, Any] | None = None
    ) -> ScanView:
        name = address if address.startswith("demo:") else Path(address).name
        how = {} if how is None else how
        shape = "x".join(map(str, how.get("scan_shape") or ()))
        reading: tuple[str, ...] = (f"read.scan_shape={shape}",) if shape else ()
        reading += ("read.drop_flyback=true",) if how.get("drop_flyback") else ()
        view = ScanView(f"s{len(self.scans) + 1}", address, name, scan, memory, self.scratch, reading)
        self.scans[view.id] = view
        return view

    def add_run(self, folder: Path) -> RunView:
        """Open a run; the same one again where it is open already."""
        for known in self.runs.values():
            if known.folder.resolve() == folder.resolve():
                return known
        run = RunView(f"r{len(self.runs) + 1}", folder)
        self.runs[run.id] = run
        return run

    def _add_scan_of(self, run: RunView, memory: int) -> None:
        """Open the scan of a run where a file of that name holds the same bytes."""
        address = str(run.input.get("path", ""))
        for place in (address, str(run.folder.parent / Path(address).name)):
            if not address or (not address.startswith("demo:") and not Path(place).exists()):
                continue
            if fingerprint(place)["sha256"] != run.input.get("sha256"):
                continue
            how = Recipe.from_dict({"read": run.result.recipe.get("read") or {}}).read
            scan = stages.read(place, how)
            run.scan = self._keep_scan(place, scan, memory, how.model_dump()).id
            return

    def scan(self, key: str) -> ScanView:
        """Return an opened scan.

        Raises
        ------
        NotOpened
        """
        if key not in self.scans:
            raise NotOpened("a scan of that id")
        return self.scans[key]

    def run(self, key: str) -> RunView:
        """Return an opened run.

        Raises
        ------
        NotOpened
        """
        if key not in self.runs:
            raise NotOpened("a run of that id")
        return self.runs[key]

    def structure(self, name: str) -> Crystal:
        """Return a built-in cell, or a structure that the viewer was opened with.

        Raises
        ------
        InputError
        """
        found = self.structures.get(name) or built_in().get(name)
        if found is None:
            raise InputError("phase", expected="a name of the session's list", got=repr(name[:80]), hint="")
        return found

    def begin_job(self, request: JobRequest) -> Work:
        """Begin a job on an opened scan.

        Raises
        ------
        NotOpened, InputError, Busy
        """
        view = self.scan(request.scan)
        if view.given:
            raise InputError(
                "scan",
                expected="one that was opened by its path",
                got="one that lies in the notebook's memory",
                hint="run it in a cell: unmixel.run(scan); or save it and view the file",
            )
        known = {*self.structures, *built_in()}
        overrides = [*view.reading, *checked_overrides(request.overrides, known)]
        if request.candidates:
            names = [self.structure(name).name for name in request.candidates]
            files = self._files if any(name in self.structures for name in names) else ()
            chosen = [*files, *(name for name in names if name not in self.structures)]
            overrides.append(f"interpret.identify.candidates={json.dumps(chosen)}")
        order = {"overrides": overrides, "ranks": request.ranks, "restarts": request.restarts}
        return self.jobs.begin(request.kind, view.id, view.address, order)

    def _show_run(self, folder: Path, scan: str) -> str:
        """Open the run that a job made."""
        run = self.add_run(folder)
        run.scan = scan
        return run.id

    def opened(self) -> list[Opened]:
        """Return what is opened."""
        scans = [Opened(id=one.id, name=one.name, kind="scan") for one in self.scans.values()]
        return scans + [
            Opened(id=one.id, name=one.name, kind="run", scan=one.scan, status=one.status)
            for one in self.runs.values()
        ]

    def close(self) -> None:
        """End jobs and readers."""
        self.jobs.close()
        for view in self.scans.values():
            if "store" in vars(view):
                view.store.close()
        for folder in self._given:
            folder.cleanup()
