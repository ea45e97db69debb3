"""Run a recipe on a scan, from the file to the run folder; go on where a run was stopped; read a run back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from unmixel.core.errors import InputError, RunExistsError
from unmixel.dataset.card import DataCard
from unmixel.dataset.privacy import private
from unmixel.dataset.result import Result
from unmixel.dataset.results import Factors
from unmixel.dataset.scan import Scan
from unmixel.factorize.state import State
from unmixel.io.atomic import replacing, write_text
from unmixel.io.ebsd import write_maps
from unmixel.io.store import read_bundle, write_bundle
from unmixel.io.tables import write_tables
from unmixel.pipeline import stages
from unmixel.pipeline.answers import answered
from unmixel.pipeline.code import code
from unmixel.pipeline.folder import Checkpoints, RunFolder, told
from unmixel.pipeline.kept import load, no_run
from unmixel.pipeline.logbook import Logbook
from unmixel.pipeline.naming import Naming
from unmixel.pipeline.partial import Pace, so_far
from unmixel.pipeline.progress import Progress, Silent
from unmixel.pipeline.provenance import fingerprint, versions
from unmixel.pipeline.recipe import Recipe
from unmixel.pipeline.resolve import Request, settle
from unmixel.pipeline.signals import interruptible, shielded
from unmixel.pipeline.written import beside, plain, write


def run(
    path_or_scan: str | Path | Scan,
    recipe: Recipe | Mapping[str, Any] | str | Path | None = None,
    *,
    out: str | Path | None = None,
    force: bool = False,
    overrides: Sequence[str] = (),
    progress: Progress | None = None,
    command: str | None = None,
    keep_every_s: float = 20.0,
) -> Result:
    """Separate a scan into components, group and measure them, and write everything to a run folder.

    An unfinished run of the same recipe on the same input in the same folder is taken up where it stopped.

    Parameters
    ----------
    path_or_scan : str, Path or Scan
        File, zarr folder, ``demo:...`` address, or a scan in memory.
    recipe : Recipe, mapping, path or None
        What to do. None takes the recipe that ships with unmixel and suits the data; a mapping or YAML
        file may leave out sections and fields, which then come from it too (``extends: none`` leaves them
        at their bare defaults).
    out : path, optional
        Run folder; ``<stem>.run`` in the current directory by default.
    force : bool
        Overwrite a run that is there.
    overrides : sequence of str
        ``key=value`` with dotted keys, such as ``"factorize.components=8"``; they go before the recipe.
    progress : Progress, optional
        Hears of stages, sweeps and remarks.
    command : str, optional
        Command to record in place of this call.
    keep_every_s : float
        Least time in seconds between two writings of what an unfinished factorisation has found.

    Returns
    -------
    Result

    Raises
    ------
    RecipeError, InputError
        When recipe or data do not fit; nothing is written then.
    RunExistsError
        When the folder is taken.

    Examples
    --------
    >>> result = run("demo:glass?scan=16x16&detector=24x24&dose=4000", overrides=["factorize.components=3"])
    ... # doctest: +SKIP
    """
    log = Logbook(progress or Silent())
    request = Request.of(recipe, overrides)
    folder = RunFolder.of(out, path_or_scan)
    earlier = folder.check(force=force)
    log.values["command"] = command or _call(path_or_scan, recipe, overrides)
    with interruptible():
        job = _begin(path_or_scan, request, folder, log)
        _check_same(earlier, job)
        with folder.claimed():
            return job.go(earlier, force=force, keep_every_s=keep_every_s)


@dataclass
class _Job:
    """A run that knows what it will do: scan, settled recipe, folder, logbook."""

    scan: Scan
    recipe: Recipe
    folder: RunFolder
    log: Logbook
    identity: dict[str, str]
    result: Result | None = None
    result_so_far: Callable[[Factors], Result] | None = None
    prepared: Scan | None = None
    pace: Pace = field(default_factory=Pace)

    def go(self, earlier: Mapping[str, Any] | None, *, force: bool, keep_every_s: float) -> Result:
        """Do everything; whatever ends it early leaves a record that says so."""
        if force:
            self.folder.clear()
        marks = Checkpoints.of(self.folder, "/".join(self.identity.values()), every_s=keep_every_s)
        try:
            self._stages(earlier, marks)
        except KeyboardInterrupt:
            with shielded():
                self._last_words(marks, "interrupted")
            raise
        except Exception as error:
            self._last_words(marks, "failed", error=f"{type(error).__name__}: {error}")
            raise
        assert self.result is not None
        self.folder.clear_unfinished()
        for key in ("checkpoint", "checkpoint_sweep"):
            self.log.values.pop(key, None)
        self.log.end("finished")
        return replace(self.result, record=told(self.log.values))

    def _last_words(self, marks: Checkpoints, status: str, **error: str) -> None:
        """Keep what there is of a run that ends early, each part as far as the disk allows."""
        with suppress(OSError):  # what ended the run is the error to tell
            self.log.values |= marks.save()
        with suppress(OSError):
            self._show(marks)
        with suppress(OSError):
            self.log.end(status, **error)

    def _stages(self, earlier: Mapping[str, Any] | None, marks: Checkpoints) -> None:
        self.log.folder = self.folder
        self.result = self._kept(earlier)
        self.log.write()
        header = (
            "Resolved recipe of an unmixel run. It reproduces the run:",
            f"  unmixel run {told(self.log.values)['input']['path']} --recipe recipe.yaml",
        )
        write_text(self.folder.recipe, write(beside(self.recipe, self.folder.path), header=header))
        self.folder.save_given(self.log.values["input"]["path"], self.log.values["command"])
        if self.result is None:
            self.result = self._separate(earlier, marks)
            self._store(self.result, self.folder.bundle)
        with self.log.stage("interpret"):
            self.result = answered(self.result, self.recipe, self._prepared, self.log)
        with self.log.stage("write"):
            written = private(self.result)
            self.log.values["files"] = [
                "recipe.yaml",
                "result.nxs",
                *write_tables(self.folder.path, written),
                *write_maps(self.folder.path, written.orientations),
                *(["use_pixels.npy"] if self.folder.pixels.exists() else []),
            ]
            self._store(self.result, self.folder.bundle, status="finished")
        with self.log.stage("report"):
            record = {**self.log.values, "status": "finished"}
            shown = private(replace(self.result, record=record))
            self.result = replace(shown, folder=self.folder.path)
            with replacing(self.folder.report) as draft:
                stages.report(shown, draft)
            self.log.values["files"] += ["report.html", *stages.cite(shown, self.folder.path)]

    def _kept(self, earlier: Mapping[str, Any] | None) -> Result | None:
        """Return the factors of an unfinished run that had them already, or None."""
        if earlier is None or not self.folder.bundle.is_file():
            return None
        try:
            kept = read_bundle(self.folder.bundle)
        except InputError as error:
            self.log.note(f"The factors are found again, as the earlier ones cannot be used: {error}")
            return None
        if kept.record.get("identity") != self.identity:
            return None
        self.log.goes_on_from(earlier, "its factors are there")
        for key in ("steps", "timings_s"):
            self.log.values[key] = kept.record.get(key)
        for text in kept.record.get("notes", []):
            self.log.note(text)
        if kept.record.get("code") != self.log.values["code"]:
            self.log.note(
                "The factors were found with another state of the code than what follows from them."
            )
        return replace(kept, folder=self.folder.path, recipe=plain(self.recipe))

    def _separate(self, earlier: Mapping[str, Any] | None, marks: Checkpoints) -> Result:
        """Read, prepare and factorise."""
        with self.log.stage("card"):
            card, use = stages.card(self.scan, self.recipe, self.log.passed)
            if use is not None:
                self.folder.save_pixels(use)
                self.log.note(
                    f"The detector shows {np.count_nonzero(~use)} suspicious pixels (see the data card); they are "
                    "in the fit. To leave them out, copy use_pixels.npy and begin prepare with "
                    "'- mask_image: {image: use_pixels.npy}'."
                )
        with self.log.stage("prepare"):
            prepared = self._prepared()
            self.log.values["steps"] = [asdict(step) for step in prepared.history]
            for step in prepared.history:
                for text in step.values.get("warnings", ()):
                    self.log.note(f"Warning of {step.name}: {text}")
        with self.log.stage("overview"):
            images = stages.overview(prepared, self.recipe, self.log.passed)
            extras = {**images, **{name: np.asarray(value) for name, value in prepared.extras.items()}}
        with self.log.stage("factorize"):
            if earlier is not None:
                self._go_on(earlier, marks)
            self.result_so_far = self._with(extras, card)
            told = stages.workers_told(self.recipe.factorize)
            if told:
                # not into the record: addresses of machines are nobody's business
                self.log.progress.note(f"Passes over the data: {told}.")
            factors = stages.factorize(
                prepared,
                self.recipe,
                on_sweep=self._hear(marks),
                on_sketch=lambda state: self._keep(marks, marks.sketch.offer(state)),
                resume=marks.state.last,
                sketch=marks.sketch.last,
                note=self.log.note,
                on_pass=self.log.passed,
            )
        with self.log.stage("judge"):
            factors = stages.judge(prepared, factors, self.recipe, self.log.note, self.log.passed)
        return self._with(extras, card)(factors)

    def _with(self, extras: Mapping[str, Any], card: DataCard) -> Callable[[Factors], Result]:
        """Return what makes a result of factors, finished or not."""
        found: dict[str, Any] = {
            "card": card,
            "extras": extras,
            "recipe": plain(self.recipe),
            "folder": self.folder.path,
        }
        return partial(Result, calibration=self._prepared().calibration, **found)

    def _show(self, marks: Checkpoints) -> None:
        """Write the factors of the last state, so that anybody can look at an unfinished run."""
        state = marks.state.last
        if state is None or self.result_so_far is None or self.result is not None:
            return
        filled = any(entry.name == "spot_shape" for entry in self.recipe.factorize.constraints)
        factors = so_far(self._prepared(), state, fill="model" if filled else "zero")
        if factors is not None:
            self._store(self.result_so_far(factors), self.folder.partial)

    def _prepared(self) -> Scan:
        """Return the scan after all steps, which are run once."""
        if self.prepared is None:
            self.prepared = stages.prepare(self.scan, self.recipe, self.log.step, self.log.passed)
        return self.prepared

    def _go_on(self, earlier: Mapping[str, Any], marks: Checkpoints) -> None:
        """Read what an unfinished run left of its factorisation, and say so."""
        marks.sketch.load()
        marks.state.load()
        if marks.told:
            self.log.goes_on_from(earlier, marks.told["checkpoint"])
        for name in marks.useless:
            self.log.note(
                f"{name} in the run folder cannot be used: it is damaged, or of another version of unmixel. What it "
                "stood for is done again."
            )
        self.log.write()

    def _keep(self, marks: Checkpoints, written: bool) -> None:
        if written:
            self.log.update(**marks.told)

    def _hear(self, marks: Checkpoints) -> Any:
        limit = self.recipe.factorize.max_iter

        def on_sweep(state: State) -> None:
            due = marks.state.offer(state)
            self._keep(marks, due)
            if due and self.pace.allows:
                with self.pace.work():
                    self._show(marks)
            if state.sweep and not state.settled.size:
                self.log.progress.sweep(state.sweep, limit, state.objective[-1])

        return on_sweep

    def _store(self, result: Result, bundle: Path, **record: Any) -> None:
        recorded = replace(result, record={**self.log.values, **record})
        write_bundle(bundle, private(recorded), arrays=self.recipe.arrays())


def _begin(given: str | Path | Scan, request: Request, folder: RunFolder, log: Logbook) -> _Job:
    """Read the scan's description, settle the recipe and fill the head of the record; writes nothing."""
    with log.stage("read"):
        scan = stages.read(given, request.read())
        recipe, why = request.recipe_for(scan)
        log.note(why)
        recipe, notes = settle(recipe, scan)
        for text in notes:
            log.note(text)
        source = asdict(scan.source)
        mark = fingerprint(given)
    log.values["input"] = {
        **source, **mark, "shape": list(scan.data.shape), "dtype": str(scan.data.dtype), "n_bytes":
        scan.n_bytes,
    }  # fmt: skip
    identity = {"recipe_sha256": recipe.digest(), "input_sha256": mark["sha256"]}
    log.values |= {
        "identity": identity,
        "versions": versions(recipe),
        "code": code(recipe, scan.source.reader.split(" ")[0]),
        "seed": recipe.factorize.seed,
        "steps": [],
    }
    log.values["recipe_from"] = request.origin
    if recipe.interpret.identify is not None:
        log.values["candidates"] = Naming.of(recipe.interpret.identify).described()
    return _Job(scan, recipe, folder, log, identity)


def _check_same(earlier: Mapping[str, Any] | None, job: _Job) -> None:
    """Refuse to lose an unfinished run of something else."""
    if earlier is None or earlier.get("identity") == job.identity:
        return
    if not any(path.exists() for path in (job.folder.bundle, job.folder.checkpoint, job.folder.sketch)):
        return  # it ended before there was anything to keep
    known = earlier.get("identity") or {}
    other = [
        what for what in ("recipe", "input") if known.get(f"{what}_sha256") != job.identity[f"{what}_sha256"]
    ]
    raise RunExistsError(
        f"The folder '{job.folder.path}' holds an unfinished run ({earlier.get('status')}) with another "
        f"{' and another '.join(other)}. Give the same command to go on with it, choose another folder with "
        "--out, or overwrite it with --force."
    )


def _call(given: str | Path | Scan, recipe: Any, overrides: Sequence[str]) -> str:
    """Return this call in words, for the record."""
    what = "scan" if isinstance(given, Scan) else repr(str(given))
    parts = [what]
    if recipe is not None:
        parts.append(repr(str(recipe)) if isinstance(recipe, (str, Path)) else "recipe")
    if overrides:
        parts.append(f"overrides={list(overrides)!r}")
    return f"unmixel.run({', '.join(parts)})"


def resume(folder: str | Path, *, progress: Progress | None = None) -> Result:
    """Finish a run that was interrupted or failed; a finished one is only read.

    Parameters
    ----------
    folder : path
        Run folder.
    progress : Progress, optional

    Raises
    ------
    ReadError
        When there is no run, or its input was in memory.
    """
    place = RunFolder(Path(folder))
    record, given = place.record(), place.load_given()
    if record is None:
        raise no_run(place.path, "no record.json that can be read")
    if record.get("status") == "finished" and place.bundle.is_file():
        return load(folder)
    if not place.recipe.is_file():
        raise no_run(place.path, "a run that ended before its recipe was written")
    if given is None:  # older runs tell it in their record
        given = {"input": record.get("input", {}).get("path", "memory"), "command": record.get("command")}
    if given["input"] == "memory":
        raise no_run(
            place.path, "a run of a scan in memory, which only unmixel.run(scan, ...) can go on with"
        )
    return run(
        given["input"],
        Recipe.load(place.recipe),
        out=folder,
        progress=progress,
        command=given["command"],
    )
