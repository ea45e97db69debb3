"""The stages of a run, each a function from nouns to nouns."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.core.registry import load
from unmixel.dataset.bibliography import Reference
from unmixel.dataset.card import DataCard
from unmixel.dataset.result import Result
from unmixel.dataset.results import Factors
from unmixel.dataset.scan import Scan
from unmixel.engines.numpy_engine import NumpyEngine
from unmixel.factorize.state import SketchState, State
from unmixel.factorize.stretching import Widths
from unmixel.io.atomic import write_text
from unmixel.pipeline.entries import Entry
from unmixel.pipeline.recipe import Factorize, Read, Recipe
from unmixel.pipeline.resolve import instrument_from
from unmixel.pipeline.trust import judged, promoted

Tell = Callable[[str], None]
OnPass = Callable[[int, int], None]
"""Told how many parts of a pass over the data workers have done, and of how many."""


def read(given: str | Path | Scan, how: Read) -> Scan:
    """Return the scan at a path or address, or the scan itself, with what the user says of the microscope.

    Raises
    ------
    InputError
        When it cannot be read, or a scan in memory is asked to be read in some way.
    """
    if isinstance(given, Scan):
        if how.scan_shape or how.drop_flyback or how.reader or how.dataset:
            raise InputError(
                "recipe section read",
                expected="only voltage_kV and convergence_mrad for a Scan in memory",
                got="scan_shape, drop_flyback, reader or dataset",
                hint="give them to unmixel.open instead",
            )
        return instrument_from(how, given)
    from unmixel.io.open import open as open_scan

    scan = open_scan(
        str(given),
        scan_shape=how.scan_shape,
        drop_flyback=how.drop_flyback,
        reader=how.reader,
        dataset=how.dataset,
    )
    return instrument_from(how, scan)


def card(
    scan: Scan, recipe: Recipe, on_pass: OnPass | None = None
) -> tuple[DataCard, NDArray[np.bool_] | None]:
    """Return the data card of a scan as it was read, and which pixels to use where the camera is suspected.

    To the quick card of ``unmixel info`` it adds what only a look at all patterns shows: lines of the rim that
    stand out, ghosts, uneven sides. The second value is None where nothing is suspected (or there is no camera).
    """
    from unmixel.io.card import data_card

    quick = data_card(scan)
    if scan.is_spectrum or not scan.scan_shape:
        return quick, None
    from unmixel.prepare.artefacts import inspect_detector

    with _steps_walked(recipe.factorize, on_pass):
        found = inspect_detector(scan)
    rows = tuple(row for row in found.rows if row.label in ("Detector rim", "Ghosts", "Evenness"))
    suspected = found.ghosts.any() or any(found.margins)
    return replace(quick, rows=(*quick.rows, *rows)), found.use if suspected else None


def prepare(scan: Scan, recipe: Recipe, tell: Tell, on_pass: OnPass | None = None) -> Scan:
    """Return the scan after every step of the recipe, in order; `tell` hears the name of each."""
    with _steps_walked(recipe.factorize, on_pass):
        for entry in recipe.prepare:
            tell(entry.name)
            scan = entry.build("steps").apply(scan)
    return scan


def _steps_walked(how: Factorize, on_pass: OnPass | None) -> AbstractContextManager[None]:
    """Return the context in which the workers of a recipe go through the data for steps, if it has any."""
    from unmixel.prepare.passes import walked_by

    # in this process nothing is gained by an engine, which would keep blocks that are asked for once
    engine = engine_of(how, on_pass) if how.engine == "dask" else None
    # workers are begun for a budget: the same for all passes
    return walked_by(engine, int(how.memory_budget_MB * 1e6))


def _constraint(entry: Entry, scan: Scan) -> Any:
    if entry.name == "total_intensity" and isinstance(entry.parameters.get("total"), str):
        from unmixel.prepare.statistics import pattern_statistics

        sums = pattern_statistics(scan).sums
        return Entry(name=entry.name, parameters={**entry.parameters, "total": sums}).build("constraints")
    measured = entry.name == "spot_shape" and isinstance(entry.parameters.get("kernel"), str)
    if not measured:
        return entry.build("constraints")
    if "beam" not in scan.extras:
        raise InputError(
            "constraint spot_shape",
            expected="the beam that the step measure_beam measures",
            got="a prepared scan without it",
            hint="add '- measure_beam: {}' to prepare, or give a kernel",
        )
    return Entry(name=entry.name, parameters={**entry.parameters, "kernel": scan.extras["beam"]}).build(
        "constraints"
    )


def factorize(
    scan: Scan,
    recipe: Recipe,
    *,
    on_sweep: Callable[[State], None],
    on_sketch: Callable[[SketchState], None],
    resume: State | None,
    sketch: SketchState | None,
    note: Tell,
    on_pass: OnPass | None = None,
) -> Factors:
    """Return the factors of a prepared scan, going on from where an earlier factorisation and its sketch stood."""
    model = model_of(scan, recipe, on_pass)
    factors = model.factorize(scan, on_sweep=on_sweep, on_sketch=on_sketch, resume=resume, sketch=sketch)
    if factors.settings["widths"]:
        note(Widths.of(factors.settings["widths"]).sentence)
    return promoted(model, scan, factors, recipe.factorize, note) if recipe.factorize.promote else factors


def judge(scan: Scan, factors: Factors, recipe: Recipe, note: Tell, on_pass: OnPass | None = None) -> Factors:
    """Return the factors with what the residual holds and their uncertainty, as far as the recipe asks for it."""
    return judged(model_of(scan, recipe, on_pass), scan, factors, recipe.factorize, note)


def model_of(scan: Scan, recipe: Recipe, on_pass: OnPass | None = None) -> Any:
    """Return the estimator that a recipe describes for a prepared scan."""
    from unmixel.factorize.model import NMF

    how = recipe.factorize
    with _steps_walked(how, on_pass):
        constraints = tuple(_constraint(entry, scan) for entry in how.constraints)
    return NMF(
        how.components,
        constraints=constraints,
        loss=how.loss,
        solver=how.solver,
        start=how.start,
        refine=tuple(entry.build("refinements") for entry in how.refine),
        sketch_sweeps=how.sketch_sweeps,
        max_iter=how.max_iter,
        tol=how.tol,
        random_state=how.seed,
        engine=engine_of(how, on_pass),
        memory_budget=int(how.memory_budget_MB * 1e6),
    )


def engine_of(how: Factorize, on_pass: OnPass | None = None) -> Any:
    """Return the engine that a recipe names, with its workers where it has any."""
    given: dict[str, Any] = {"scheduler": how.scheduler, "workers": how.workers}
    if how.engine == "dask":
        given["progress"] = on_pass
    return load("engines", how.engine)(**{key: value for key, value in given.items() if value is not None})


def overview(scan: Scan, recipe: Recipe, on_pass: OnPass | None = None) -> dict[str, NDArray[Any]]:
    """Return the images of a prepared scan that a report shows beside the factors."""
    from unmixel.pipeline.overview import overview as images

    return images(scan, int(recipe.factorize.memory_budget_MB * 1e6), walker(recipe.factorize, on_pass))


def walker(how: Factorize, on_pass: OnPass | None = None) -> Any:
    """Return the engine of passes beside the factorisation: workers where the recipe has them, else this thread."""
    return engine_of(how, on_pass) if how.engine == "dask" else NumpyEngine(1)


def workers_told(how: Factorize) -> str | None:
    """Return where passes over the data run and where to watch them, in words; None where it is this process."""
    engine = engine_of(how)
    return engine.told(int(how.memory_budget_MB * 1e6)) if how.engine == "dask" else None


def n_workers(how: Factorize) -> int:
    """Return how many workers go through the data: 0 where it is this process alone."""
    if how.engine != "dask":
        return 0
    return int(engine_of(how).n_workers(int(how.memory_budget_MB * 1e6)))


def report(result: Any, path: Path) -> None:
    """Write the page of a result."""
    from unmixel.report.page import write_report

    write_report(result, path)


def cite(result: Result, folder: Path) -> tuple[str, ...]:
    """Write what to paste into a paper, ``methods.md`` and ``references.bib``, and return these names."""
    from unmixel.report.citation import citation_files

    texts = citation_files(result)
    for name, text in texts.items():
        write_text(folder / name, text)
    return tuple(texts)


def references(result: Result) -> tuple[Reference, ...]:
    """Return the papers that the methods of a result rest on, as its page cites them."""
    from unmixel.report.methods import methods

    return methods(result).references
