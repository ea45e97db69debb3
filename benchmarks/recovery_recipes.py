"""The competitors of the recovery benchmark: each a function from a phantom's scan to factors; none sees the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recovery_cases import Case

if TYPE_CHECKING:
    from unmixel.dataset.results import Factors
    from unmixel.dataset.scan import Scan
    from unmixel.factorize.descent import StopRule
    from unmixel.pipeline.recipe import Recipe

GLASS = Path(__file__).parents[1] / "examples" / "glass.yaml"
SPARSE = 2.0


@dataclass(frozen=True, eq=False)
class Task:
    """What a recipe may know.

    Parameters
    ----------
    scan : Scan
        As the microscope gives it, in memory; descan taken out where the case says that it is known.
    case : Case
        Its number of components and how wrong its kernels are.
    beam : ndarray of bool, shape pattern_shape
        The direct beam of the yardstick's definition, for recipes that cannot find it by themselves.
    """

    scan: Scan
    case: Case
    beam: Any


def settled(task: Task, file: Path | None, *overrides: str) -> Recipe:
    """Return the recipe of a file (None: the one that ships), with every open end settled by the data."""
    from unmixel.pipeline.resolve import Request, settle

    recipe, _ = Request.of(file, overrides).recipe_for(task.scan)
    return settle(recipe, task.scan)[0]


def prepared(task: Task, recipe: Recipe) -> Scan:
    """Return the scan after the recipe's steps, the beam measured and its kernel as wrong as the case wants."""
    from unmixel.physics.kernels import stretched_kernel
    from unmixel.pipeline import stages

    scan = stages.prepare(task.scan, recipe, lambda name: None)
    extras = {**scan.extras, "beam": stretched_kernel(scan.extras["beam"], task.case.spot)}
    return replace(scan, extras=extras)


def with_kernels(recipe: Recipe, case: Case) -> Recipe:
    """Return the settled recipe with the probe's width as wrong as the case wants."""
    from unmixel.pipeline.recipe import Recipe

    data = recipe.to_dict()
    constraints = []
    for entry in data["factorize"]["constraints"]:
        name, parameters = next(iter(entry.items()))
        if name == "resolution":
            parameters = {**parameters, "fwhm": case.probe * parameters["fwhm"]}
        constraints.append({name: parameters})
    data["factorize"]["constraints"] = constraints
    return Recipe.from_dict(data)


def sklearn(task: Task) -> Factors:
    """scikit-learn's NMF on the counts as they are, direct beam masked."""
    import warnings

    import numpy as np
    from sklearn.decomposition import NMF

    from unmixel.dataset.results import Convergence, Factors

    scan, k = task.scan, task.case.components
    used = ~task.beam
    if scan.pixel_weights is not None:
        used &= np.asarray(scan.pixel_weights) > 0
    X = np.asarray(scan.data, np.float32).reshape(scan.n_positions, -1)[:, used.ravel()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that 300 iterations were not enough
        model = NMF(k, init="nndsvda", solver="cd", max_iter=300, random_state=0)
        maps = model.fit_transform(X).T.astype(np.float64)
    light = np.maximum(model.components_.sum(axis=1, dtype=np.float64), 1e-30)
    patterns = np.zeros((k, *scan.pattern_shape))
    patterns[:, used] = model.components_ / light[:, None]
    maps *= light[:, None]
    order = np.argsort(-maps.sum(axis=1), kind="stable")
    strengths = maps.sum(axis=1)[order] / max(float(maps.sum()), 1e-30)
    error = float(model.reconstruction_err_ / np.linalg.norm(X))
    return Factors(
        maps=maps[order].reshape(k, *scan.scan_shape),
        patterns=patterns[order],
        scan_axes=scan.scan_axes,
        pattern_axes=scan.pattern_axes,
        used_pixels=used,
        fill="zero",
        strengths=strengths,
        convergence=Convergence((), error, int(model.n_iter_), model.n_iter_ < 300, "scikit-learn's"),
        flags=((),) * k,
    )


def plain(task: Task) -> Factors:
    """Our NMF on whitened counts without any constraint but non-negativity."""
    from unmixel import NMF

    return NMF(task.case.components).factorize(prepared(task, settled(task, None)))


def physics(task: Task) -> Factors:
    """Resolution from the convergence angle, spot shape as measured, sparse maps: one plain fit."""
    from unmixel import NMF, Resolution, Sparse, SpotShape

    recipe = settled(task, None)
    scan = prepared(task, recipe)
    (width,) = (c.parameters for c in recipe.factorize.constraints if c.name == "resolution")
    constraints = (
        Resolution(task.case.probe * width["fwhm"], width["unit"]),
        SpotShape(scan.extras["beam"]),
        Sparse(SPARSE, spare=1),
    )
    return NMF(task.case.components, constraints=constraints).factorize(scan)


def as_a_run(scan: Scan, recipe: Recipe) -> Factors:
    """Return the factors of a prepared scan as a run finds them, without its checkpoints and its log."""
    from unmixel.pipeline import stages

    return stages.factorize(
        scan,
        recipe,
        on_sweep=lambda state: None,
        on_sketch=lambda state: None,
        resume=None,
        sketch=None,
        note=lambda text: None,
    )


def _whole(task: Task, *overrides: str) -> Factors:
    """Return what a run with the recipe for a glass finds."""
    recipe = with_kernels(settled(task, GLASS, *overrides), task.case)
    return as_a_run(prepared(task, recipe), recipe)


def shipped(task: Task) -> Factors:
    """The recipe for a glass as it ships, through the stages of a run."""
    few = task.case.components < 40
    return _whole(task, *([f"factorize.components={task.case.components}"] if few else []))


def doubled(task: Task) -> Factors:
    """The same, and nothing ends it before twice its limits: some twenty times the sweeps on the sketch."""
    recipe = settled(task, GLASS)
    took = shipped(task).convergence.n_sweeps
    few = task.case.components < 40
    return _whole(
        task,
        "factorize.tol=0",
        f"factorize.max_iter={2 * max(1, took)}",
        f"factorize.sketch_sweeps={2 * recipe.factorize.sketch_sweeps}",
        *([f"factorize.components={task.case.components}"] if few else []),
    )


def patient() -> type[StopRule]:
    """Return the rule that is met once the usual one has been met and as many sweeps again are done."""
    from unmixel.factorize.descent import StopRule

    class Patient(StopRule):
        def met(self, objective: list[float]) -> bool:
            first = next((n for n in range(1, len(objective) + 1) if StopRule.met(self, objective[:n])), None)
            return first is not None and len(objective) - 1 >= 2 * (first - 1)

    return Patient


def twice(task: Task) -> Factors:
    """The same with twice the sweeps in every solve that it took there: each goes on for as many again."""
    from unmixel.factorize import model

    usual, model.StopRule = model.StopRule, patient()  # a rule is no setting of a recipe
    try:
        return shipped(task)
    finally:
        model.StopRule = usual


RECIPES: dict[str, Callable[[Task], Factors]] = {
    recipe.__name__: recipe for recipe in (sklearn, plain, physics, shipped, twice, doubled)
}
