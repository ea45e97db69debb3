"""What a run would do, without doing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unmixel.core.units import memory
from unmixel.dataset.scan import Scan
from unmixel.engines.base import host_dtype
from unmixel.engines.blocks import free_memory
from unmixel.pipeline import stages
from unmixel.pipeline.cost import USUAL_SWEEPS, Cost, Job, predict, rates_of
from unmixel.pipeline.recipe import Factorize, Recipe
from unmixel.pipeline.resolve import Request, settle
from unmixel.pipeline.written import plain, write

_GEOMETRIC = ("bin", "crop")
_COPIES = 8
"""Copies of maps and patterns that a solver holds at its peak, roughly."""


@dataclass(frozen=True)
class Plan:
    """A run that has not begun.

    Parameters
    ----------
    recipe : dict
        Settled, JSON-safe.
    recipe_text : str
        The same as YAML with the meaning of each field.
    notes : tuple of str
        What was decided and why.
    scan_shape, pattern_shape : tuple of int
        As the file holds them.
    prepared_scan_shape, prepared_pattern_shape : tuple of int
        After cropping and binning.
    n_bytes : dict of str to int
        ``data``, ``budget``, ``factors``, ``peak`` (estimated) and ``free``.
    cost : Cost
        What the factorisation will take, at rates measured here and now.
    """

    recipe: dict[str, Any]
    recipe_text: str
    notes: tuple[str, ...]
    scan_shape: tuple[int, ...]
    pattern_shape: tuple[int, ...]
    prepared_scan_shape: tuple[int, ...]
    prepared_pattern_shape: tuple[int, ...]
    n_bytes: dict[str, int]
    cost: Cost

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-safe."""
        keys = ("scan_shape", "pattern_shape", "prepared_scan_shape", "prepared_pattern_shape")
        shapes = {key: list(getattr(self, key)) for key in keys}
        return {
            "recipe": self.recipe,
            "notes": list(self.notes),
            **shapes,
            "bytes": self.n_bytes,
            "cost": self.cost.to_dict(),
        }

    def rows(self) -> list[tuple[str, str]]:
        """Return what is told beside the recipe, label and value."""
        size = self.n_bytes
        verdict = "enough" if size["peak"] < size["free"] else "NOT ENOUGH; lower factorize.memory_budget_MB"
        return [
            *(("note", text) for text in self.notes),
            ("shape as read", _shape(self.scan_shape, self.pattern_shape)),
            ("shape after crop and bin", _shape(self.prepared_scan_shape, self.prepared_pattern_shape)),
            ("data in memory would take", memory(size["data"])),
            (
                "memory needed, estimated",
                f"{memory(size['peak'])} (blocks of data {memory(size['budget'])} at most)",
            ),
            ("memory free", f"{memory(size['free'])}: {verdict}"),
            *self.cost.rows(),
            ("done", "nothing; this was a dry run"),
        ]


def _shape(scan: tuple[int, ...], pattern: tuple[int, ...]) -> str:
    return " x ".join(map(str, scan)) + " | " + " x ".join(map(str, pattern))


def plan(
    path_or_scan: str | Path | Scan,
    recipe: Recipe | Mapping[str, Any] | str | Path | None = None,
    *,
    overrides: Sequence[str] = (),
) -> Plan:
    """Return what `unmixel.run` would do with the same arguments, and what it would take.

    Reads the head of the file, and blocks of data for half a second to know how fast they come.

    Parameters
    ----------
    path_or_scan : str, Path or Scan
    recipe : Recipe, mapping, path or None
    overrides : sequence of str

    Raises
    ------
    RecipeError, InputError
        As `unmixel.run`.
    """
    request = Request.of(recipe, overrides)
    scan = stages.read(path_or_scan, request.read())
    chosen, why = request.recipe_for(scan)
    settled, notes = settle(chosen, scan)
    prepared = scan
    for entry in settled.prepare:
        if entry.name in _GEOMETRIC:
            prepared = entry.build("steps").apply(prepared)
    return Plan(
        recipe=plain(settled),
        recipe_text=write(settled),
        notes=(why, *notes),
        scan_shape=scan.scan_shape,
        pattern_shape=scan.pattern_shape,
        prepared_scan_shape=prepared.scan_shape,
        prepared_pattern_shape=prepared.pattern_shape,
        n_bytes=_memory(prepared, settled),
        cost=_cost(prepared, settled.factorize),
    )


def _cost(scan: Scan, how: Factorize) -> Cost:
    budget, workers = int(how.memory_budget_MB * 1e6), stages.n_workers(how)
    sweeps = min(how.max_iter, USUAL_SWEEPS)
    job = Job.of(scan, how.components, budget=budget, workers=workers, sweeps=sweeps)
    return predict(job, rates_of(scan, how.components, budget=budget, workers=workers))


def _memory(scan: Scan, recipe: Recipe) -> dict[str, int]:
    budget = int(recipe.factorize.memory_budget_MB * 1e6)
    width = 8 if host_dtype(scan.data.dtype) == "float64" else 4
    factors = recipe.factorize.components * (scan.n_positions + scan.n_pixels) * width
    return {
        "data": scan.n_bytes,
        "budget": budget,
        "factors": factors,
        "peak": min(budget, 2 * scan.n_bytes) + _COPIES * factors,
        "free": free_memory(),
    }
