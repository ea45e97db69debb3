"""How two runs differ: in what they were told, and in what they found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.pipeline.folder import told
from unmixel.web.run_models import CompareRunsReply
from unmixel.web.run_view import RunView, known


def runs_compared(first: RunView, second: RunView) -> CompareRunsReply:
    """Return how two runs differ.

    Each component of the first is paired with one of the second, so that the sum of pattern cosine times map cosine is
    largest (Kuhn, Nav. Res. Logist. Q. 2, 83 (1955)).

    Raises
    ------
    InputError
        When their maps or patterns have different shapes.
    """
    one, two = first.result, second.result
    if one.maps.shape[1:] != two.maps.shape[1:] or one.patterns.shape[1:] != two.patterns.shape[1:]:
        raise InputError(
            "runs",
            expected="two runs whose maps and patterns have the same shapes",
            got=f"{one.maps.shape[1:]} | {one.patterns.shape[1:]} and {two.maps.shape[1:]} | {two.patterns.shape[1:]}",
            hint="compare runs of one scan, binned and cropped alike",
        )
    from scipy.optimize import linear_sum_assignment

    patterns, maps = _cosines(one.patterns, two.patterns), _cosines(one.maps, two.maps)
    rows, columns = linear_sum_assignment(-patterns * maps)
    return CompareRunsReply(
        first=first.id,
        second=second.id,
        recipe=_differences(told(one.recipe), told(two.recipe)),
        pairs=[(int(a), int(b)) for a, b in zip(rows, columns, strict=True)],
        pattern_cosine=patterns[rows, columns].tolist(),
        map_cosine=maps[rows, columns].tolist(),
        relative_error=(
            known(one.factors.convergence.relative_error),
            known(two.factors.convergence.relative_error),
        ),
    )


def _cosines(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float64]:
    flat = [np.nan_to_num(np.asarray(one, np.float64).reshape(len(one), -1)) for one in (first, second)]
    units = [one / np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-300) for one in flat]
    return np.asarray(units[0] @ units[1].T)


def _differences(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    flat = dict(_leaves(one)), dict(_leaves(two))
    keys = sorted({*flat[0], *flat[1]})
    return {key: (flat[0].get(key), flat[1].get(key)) for key in keys if flat[0].get(key) != flat[1].get(key)}


def _leaves(value: Mapping[str, Any], trail: str = "") -> Iterator[tuple[str, Any]]:
    for key, one in value.items():
        if isinstance(one, Mapping) and one:
            yield from _leaves(one, f"{trail}{key}.")
        else:
            yield f"{trail}{key}", one
