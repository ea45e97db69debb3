"""How far the factors of a run can be trusted: what is left in the residual, standard errors, agreement of halves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from unmixel.core.errors import InputError
from unmixel.dataset.matrix import Matrix
from unmixel.dataset.results import Factors
from unmixel.dataset.scan import Scan
from unmixel.pipeline.recipe import Factorize

Tell = Callable[[str], None]


def promoted(model: Any, scan: Scan, factors: Factors, how: Factorize, note: Tell) -> Factors:
    """Return the factors of a second fit, in which what stands out in the residual has become components.

    Parameters
    ----------
    model : NMF
        That of the first fit.
    scan : Scan
    factors : Factors
        Of the first fit.
    how : Factorize
        ``promote``: the largest number of them.
    note : callable(str)
        Told what was done.
    """
    from sklearn.base import clone

    from unmixel.factorize import leftovers as left

    engine = _walker(model, how)
    found = left.leftovers(
        factors, Matrix.from_scan(scan), peaks=how.promote, budget=_budget(how), engine=engine
    )
    if not found.n_peaks:
        note("Nothing in the residual stands out of the noise: no structure was promoted to a component.")
        return factors
    start = left.promoted(factors, found, how.promote)
    k = len(start.maps)
    again = clone(model).set_params(n_components=k, start=start, **_plain(model), **_as_wide(model, factors))
    second: Factors = again.factorize(scan)
    note(
        f"{_named(found.n_peaks)} of the residual became a component each and all {k} were fitted again; significance "
        + ", ".join(f"{z:.1f}" for z in found.significance)
        + "."
    )
    told = {"promoted": found.n_peaks, "first_fit_components": factors.n_components}
    return replace(second, settings={**second.settings, **told})


def _plain(model: Any) -> dict[str, Any]:
    """Return the settings under which a fit keeps the components that it is given."""
    return {"refine": ()} if "refine" in model.get_params(deep=False) else {}


def _as_wide(model: Any, factors: Factors) -> dict[str, Any]:
    """Return the setting under which a fit has the widths that the fit of these factors found."""
    from unmixel.factorize.stretching import Widths

    told = factors.settings.get("widths")
    return {"constraints": Widths.of(told).applied(model.constraints)} if told else {}


def _named(count: int) -> str:
    return f"{count} structure{'' if count == 1 else 's'}"


def _budget(how: Factorize) -> int:
    return int(how.memory_budget_MB * 1e6)


def _walker(model: Any, how: Factorize) -> Any:
    """Return who goes through the data: the workers of the fit where it has any, else all cores of this process."""
    return model.engine if how.engine == "dask" else "numpy"


def judged(model: Any, scan: Scan, factors: Factors, how: Factorize, note: Tell) -> Factors:
    """Return the factors with what the recipe asks for: places in the residual, errors, agreement.

    Parameters
    ----------
    model : NMF
        As the recipe makes it: fits the halves.
    scan : Scan
        The prepared scan.
    factors : Factors
    how : Factorize
        ``uncertainty`` and ``residual_peaks``.
    note : callable(str)
        Told what could not be done.
    """
    from unmixel.factorize.leftovers import leftovers
    from unmixel.factorize.uncertainty import standard_errors

    matrix = Matrix.from_scan(scan)
    if how.residual_peaks:
        engine = _walker(model, how)
        found = leftovers(factors, matrix, peaks=how.residual_peaks, budget=_budget(how), engine=engine)
        factors = replace(factors, leftovers=found)
    if how.uncertainty == "none":
        return factors
    errors = standard_errors(factors, matrix)
    if how.uncertainty == "stability":
        errors = _agreement(model, matrix, factors, errors, note)
    return replace(factors, uncertainty=errors)


def _agreement(model: Any, matrix: Matrix, factors: Factors, errors: Any, note: Tell) -> Any:
    """Return the errors with the agreement of two fits: of two halves of the counts, or from two random starts."""
    from sklearn.base import clone

    from unmixel.factorize.start import GivenStart
    from unmixel.factorize.uncertainty import restarts, stability

    own = clone(model).set_params(**_as_wide(model, factors))
    if "promoted" in factors.settings:
        start = GivenStart(factors.maps / 2, factors.patterns)
        own.set_params(n_components=factors.n_components, start=start, **_plain(model))

    def refit(data: Matrix, **settings: Any) -> tuple[Any, Any]:
        again = clone(own).set_params(**settings)
        maps = again.fit_transform(data)
        return np.ascontiguousarray(maps.T), again.components_

    try:
        return stability(errors, factors, matrix, refit, seed=int(model.random_state))
    except InputError as error:
        note(
            "Stability is that of two fits from random starts, not of halves of the counts, because the data cannot "
            f"be halved: {' '.join(str(error).split())}"
        )
    fits = [refit(matrix, start="random", random_state=int(model.random_state) + i) for i in (1, 2)]
    return restarts(errors, factors, (fits[0], fits[1]), matrix)
