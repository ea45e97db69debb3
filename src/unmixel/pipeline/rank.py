"""How many components a scan holds, prepared and constrained as a recipe says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from unmixel.dataset.rank import RankChoice
from unmixel.dataset.scan import Scan
from unmixel.pipeline import stages
from unmixel.pipeline.recipe import Recipe
from unmixel.pipeline.resolve import Request, settle


def _silent(text: str) -> None:
    """Say nothing."""


def rank(
    path_or_scan: str | Path | Scan,
    recipe: Recipe | Mapping[str, Any] | str | Path | None = None,
    *,
    ranks: Iterable[int] | None = None,
    restarts: int = 2,
    overrides: Sequence[str] = (),
    tell: stages.Tell = _silent,
) -> RankChoice:
    """Return how many components a scan holds after the steps, and under the constraints, of a recipe.

    Parameters
    ----------
    path_or_scan : str, Path or Scan
    recipe : Recipe, mapping, path or None
        As for `unmixel.run`; its own number of components is not looked at.
    ranks, restarts
        As for `unmixel.rank`.
    overrides : sequence of str
        ``key=value``.
    tell : callable(str)
        Hears notes and the name of each step.

    Raises
    ------
    RecipeError, InputError
        As `unmixel.run` and `unmixel.rank`.
    """
    from unmixel.factorize.rank import rank as choose

    request = Request.of(recipe, overrides)
    scan = stages.read(path_or_scan, request.read())
    chosen, why = request.recipe_for(scan)
    settled, notes = settle(chosen, scan)
    for text in (why, *notes):
        tell(text)
    prepared = stages.prepare(scan, settled, tell)
    tell("rank")
    return choose(
        prepared,
        ranks,
        restarts=restarts,
        model=stages.model_of(prepared, settled),
        seed=settled.factorize.seed,
    )
