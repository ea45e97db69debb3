"""The verb: better values for a recipe, searched on a suite and confirmed on seeds that the search never saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unmixel.lab.alone import Alone
from unmixel.lab.idea import Idea
from unmixel.lab.ledger import Ledger
from unmixel.lab.sandbox import Limits
from unmixel.lab.searching import Search, Tuned, searched
from unmixel.lab.space import space
from unmixel.lab.suites import Suite, Suites
from unmixel.pipeline.resolve import Request


def tune(
    recipe: str | Path | Mapping[str, Any],
    over: Sequence[str],
    *,
    suite: str = "quick",
    n_settings: int = 30,
    lab: str | Path | None = None,
    seed: int = 0,
    tell: Callable[[str], None] = lambda text: None,
) -> Tuned:
    """Search for values that make the first metric of a suite better, and find out whether they do on new seeds.

    Every setting is measured on all scans of the suite, seed by seed; one that is worse than the median of the others
    is given up early. The best one and the recipe as it is are then measured on as many seeds that no search has seen,
    so that what was picked by luck is found out. The same call goes on with a search that was interrupted.

    Parameters
    ----------
    recipe : path, mapping, or id of a trial
        Its values as they are make the baseline. What it leaves out comes from the shipped recipe.
    over : sequence of str
        What to search: ``"factorize.components=4..12"`` (whole numbers), ``"factorize.solver=hals|admm"``,
        ``"factorize.constraints.sparse.weight=1e-3..1"`` (on a logarithmic scale from two decades on).
    suite : str
    n_settings : int, >= 1
    lab : path, optional
        Folder of ledger and suites; UNMIXEL_LAB or ``./unmixel-lab`` where it is not given.
    seed : int
        Of the choice of settings.
    tell : callable(str)
        Hears how it goes.

    Raises
    ------
    InputError, RecipeError
        When a range cannot be understood, the recipe has no such key, or nothing can be measured.
    MissingExtraError
        When optuna is not installed.

    Examples
    --------
    >>> tune("mine.yaml", ["factorize.constraints.sparse.weight=1e-2..10"])  # doctest: +SKIP
    """
    folder = Path(lab) if lab is not None else Ledger.here().folder
    ledger, wanted = Ledger(folder), Suites(folder).get(suite)
    given = _given(recipe, wanted, ledger)
    search = Search(given.name, given.recipe, space(over, given.recipe), wanted, max(1, n_settings), seed)
    for one in search.space:
        tell(one.words)
    return searched(search, Alone(wanted, given.carried, Limits()), ledger=ledger, tell=tell)


@dataclass(frozen=True)
class _Given:
    """A whole recipe, what it is called, and the ideas that it names."""

    name: str
    recipe: Mapping[str, Any]
    carried: tuple[Idea, ...] = ()


def _given(what: str | Path | Mapping[str, Any], suite: Suite, ledger: Ledger) -> _Given:
    """Return the recipe of a file, a mapping or a trial."""
    if (
        isinstance(what, (str, Path))
        and not Path(what).exists()
        and Path(what).suffix not in (".yaml", ".yml")
    ):
        trial = ledger.get(str(what))
        codes = {**trial.carried, **({trial.name: trial.code} if trial.code else {})}
        return _Given(
            trial.name, trial.recipe, tuple(Idea(f"{name}.py", code) for name, code in codes.items())
        )
    scan, _ = suite.cases[0].draw(suite.seeds[0])
    recipe, _ = Request.of(what).recipe_for(scan)
    return _Given(Path(what).stem if isinstance(what, (str, Path)) else "recipe", recipe.to_dict())
