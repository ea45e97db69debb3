"""PCA, plain and constrained NMF of one prepared scan, side by side."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.core.units import memory
from unmixel.dataset.results import Factors
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import as_array
from unmixel.io.nexus import jsonable
from unmixel.pipeline import stages
from unmixel.pipeline.recipe import Recipe
from unmixel.pipeline.resolve import Request, settle
from unmixel.web.run_models import CompareMethod, Comparison

METHODS = ("pca", "plain", "constrained")
MOST_BYTES = 2_000_000_000
"""Bytes of the prepared data as float32 up to which PCA, which holds them all, is offered."""

MOST_DRAWN = 8
"""Components of each in the figure: smaller pictures could not be looked at."""

WORDS = {
    "pca": "Directions in which patterns differ most: patterns and maps of both signs, which is no diffraction.",
    "plain": "Nothing is negative; noise may be modelled, and patterns may have dips.",
    "constrained": "Nothing is negative, and what the recipe asks for besides.",
}


def compare(address: str, overrides: Sequence[str], folder: Path, tell: Callable[[str], None]) -> None:
    """Prepare a scan as its recipe says, separate it in three ways and write what was found to a folder.

    Parameters
    ----------
    address : str
    overrides : sequence of str
        ``key=value``.
    folder : Path
    tell : callable(str)
        Hears what is done.

    Raises
    ------
    InputError
        When the prepared data do not fit into the memory that PCA may take.
    """
    request = Request.of(None, overrides)
    scan = stages.read(address, request.read())
    recipe, _ = settle(request.recipe_for(scan)[0], scan)
    ready = stages.prepare(scan, recipe, tell)
    tell("pca")
    found = {"pca": _pca(ready, recipe)}
    plain = Recipe.from_dict(
        {
            **recipe.to_dict(),
            "factorize": {**recipe.to_dict()["factorize"], "constraints": ["nonnegative"], "refine": []},
        }
    )
    for method, one in (("plain", plain), ("constrained", recipe)):
        tell(method)
        factors: Factors = stages.model_of(ready, one).factorize(ready)
        found[method] = factors.maps, factors.patterns, factors.convergence.relative_error
    for method, arrays in found.items():
        _keep(folder, method, *arrays)
    _draw(folder, ready, found)


def _draw(folder: Path, scan: Scan, found: dict[str, tuple[NDArray[Any], NDArray[Any], float]]) -> None:
    """Write the figure of all methods: the first components of each, a row for each."""
    from unmixel.report.canvas import png, svg
    from unmixel.report.side_by_side import figure_side_by_side

    most = min(MOST_DRAWN, *(len(maps) for maps, _, _ in found.values()))
    figure = figure_side_by_side(
        {name: (maps[:most], patterns[:most]) for name, (maps, patterns, _) in found.items()},
        scan_axes=scan.scan_axes,
        pattern_axes=scan.pattern_axes,
        used_pixels=None if scan.pixel_weights is None else scan.pixel_weights > 0,
        columns=[f"{k + 1}" for k in range(most)],
    )
    (folder / "methods.svg").write_bytes(svg(figure))
    (folder / "methods.png").write_bytes(png(figure))


def _pca(scan: Scan, recipe: Recipe) -> tuple[NDArray[Any], NDArray[Any], float]:
    """Return maps, patterns and relative error of the leading components of the weighted data; no mean is taken off."""
    from sklearn.decomposition import TruncatedSVD

    if 4 * scan.n_positions * scan.n_pixels > MOST_BYTES:
        raise InputError(
            "scan",
            expected=f"at most {memory(MOST_BYTES)} of prepared data, which PCA holds all at once",
            got=memory(4 * scan.n_positions * scan.n_pixels),
            hint="bin the detector: add '- bin: {pattern: 2}' to prepare",
        )
    weights = np.ones(scan.pattern_shape) if scan.pixel_weights is None else scan.pixel_weights
    used, root = (weights > 0).ravel(), np.sqrt(weights[weights > 0])
    table = (
        np.asarray(as_array(scan.data, len(scan.scan_axes)), np.float32).reshape(scan.n_positions, -1)[
            :, used
        ]
        * root
    )
    n = min(recipe.factorize.components, *(size - 1 for size in table.shape))
    svd = TruncatedSVD(n, algorithm="randomized", random_state=recipe.factorize.seed)
    scores = svd.fit_transform(table).T
    signs = np.sign(scores[np.arange(n), np.abs(scores).argmax(axis=1)])[:, None]  # strongest place: positive
    patterns = np.zeros((n, scan.n_pixels))
    patterns[:, used] = signs * svd.components_ / root
    left = np.sum(np.square(table, dtype=np.float64)) - np.sum(np.square(scores, dtype=np.float64))
    error = float(np.sqrt(max(left, 0.0) / np.sum(np.square(table, dtype=np.float64))))
    maps = (signs * scores).reshape(n, *scan.scan_shape)
    return maps, patterns.reshape(n, *scan.pattern_shape), error


def _keep(folder: Path, method: str, maps: NDArray[Any], patterns: NDArray[Any], error: float) -> None:
    values = np.concatenate([maps.ravel(), patterns.ravel()])
    np.savez(
        folder / f"{method}.npz", maps=np.asarray(maps, np.float32), patterns=np.asarray(patterns, np.float32)
    )
    told = {
        "method": method,
        "words": WORDS[method],
        "n_components": len(maps),
        "relative_error": error,
        "negative_share": float(np.mean(values < 0)),
    }
    (folder / f"{method}.json").write_text(json.dumps(jsonable(told)), encoding="utf-8")


def comparison_of(folder: Path) -> Comparison:
    """Return what a comparison found."""
    texts = [(folder / f"{method}.json").read_text(encoding="utf-8") for method in METHODS]
    return Comparison(methods=[CompareMethod.model_validate_json(text) for text in texts])


def compared_arrays(folder: Path, method: str, side: str) -> NDArray[Any]:
    """Return the maps or the patterns of one method."""
    with np.load(folder / f"{method}.npz", allow_pickle=False) as kept:
        found: NDArray[Any] = kept[side]
    return found
