"""From what the user asked for to a recipe without open ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from unmixel.core.errors import InputError, RecipeError
from unmixel.dataset.scan import Scan
from unmixel.pipeline.entries import DEFERRED, Entry, check, nearest
from unmixel.pipeline.naming import Naming
from unmixel.pipeline.overrides import apply, reading
from unmixel.pipeline.recipe import Read, Recipe
from unmixel.pipeline.yamlfile import parse

SHIPPED = {2: "diffraction", 1: "spectrum"}
"""Number of pattern axes -> recipe that ships with unmixel."""

_SAMPLES = 8
"""Positions that are looked at to tell counts from other numbers."""


@dataclass(frozen=True)
class Request:
    """What the user asked for, before the data are known.

    Parameters
    ----------
    data : dict
        Raw data of a recipe, possibly with sections left out.
    overrides : tuple of str
        ``key=value``.
    origin : str
        Where the recipe came from, in words.
    complete : bool
        Whether nothing may be filled in from a shipped recipe.
    """

    data: Mapping[str, Any]
    overrides: tuple[str, ...] = ()
    origin: str = "the shipped recipe"
    complete: bool = False

    @classmethod
    def of(
        cls, recipe: Recipe | Mapping[str, Any] | str | Path | None, overrides: Sequence[str] = ()
    ) -> Request:
        """Return the request that any form of recipe stands for.

        A `Recipe` is complete. A mapping or a YAML file may leave out sections and fields, which then come
        from the shipped recipe that suits the data, unless it says ``extends: none``.

        Raises
        ------
        RecipeError
            When it is none of these, or `extends` names no recipe.
        """
        if isinstance(recipe, Recipe):
            return cls(recipe.to_dict(), tuple(overrides), "a Recipe object", complete=True)
        if recipe is None:
            return cls({}, tuple(overrides))
        if isinstance(recipe, Mapping):
            return cls(dict(recipe), tuple(overrides), "a mapping")
        if isinstance(recipe, (str, Path)):
            return cls(parse(Path(recipe)), tuple(overrides), f"the file {Path(recipe).name}")
        raise RecipeError(
            f"Recipe: expected a Recipe, a mapping, a file or None, got {type(recipe).__name__}."
        )

    def read(self) -> Read:
        """Return how to read, which must be known before anything else."""
        data = apply({"read": self.data.get("read") or {}}, reading(self.overrides))
        return Recipe.from_dict({"read": data["read"]}).read

    def recipe_for(self, scan: Scan) -> tuple[Recipe, str]:
        """Return the recipe for a scan and, in one sentence, where its parts come from.

        Raises
        ------
        RecipeError
            When an entry is unknown or out of range.
        """
        data = dict(self.data)
        wanted = str(data.pop("extends", "none" if self.complete else "auto"))
        why = f"Recipe: {self.origin}."
        if wanted != "none":
            name, reason = _choice(wanted, scan)
            data = _filled(shipped(name), data)
            why = f"Recipe: '{name}', which ships with unmixel, {reason}."
            if self.data:
                why += f" What {self.origin} says goes before it."
        return Recipe.from_dict(apply(data, self.overrides)), why


def shipped(name: str) -> dict[str, Any]:
    """Return the raw data of a recipe that ships with unmixel: ``diffraction``, ``spectrum`` or ``glass``.

    Examples
    --------
    >>> [next(iter(step)) for step in shipped("spectrum")["prepare"]]
    ['poisson_weights']
    """
    text = files("unmixel.pipeline").joinpath("recipes", f"{name}.yaml").read_text(encoding="utf-8")
    return parse(text)


def _choice(wanted: str, scan: Scan) -> tuple[str, str]:
    n_axes = len(scan.pattern_axes)
    if wanted != "auto":
        if wanted not in SHIPPED.values():
            known = ["auto", "none", *SHIPPED.values()]
            raise RecipeError(
                f"Recipe: nothing to extend named '{wanted}'.{nearest(wanted, known)} Known: {known}."
            )
        return wanted, "as asked"
    if n_axes not in SHIPPED:
        raise InputError(
            "scan",
            expected="one or two pattern axes (spectra or diffraction patterns)",
            got=f"{n_axes} of them",
            hint="give a recipe with 'extends: none'",
        )
    kind = "diffraction patterns" if n_axes == 2 else "spectra"
    return SHIPPED[n_axes], f"because each position holds {kind} ({n_axes} pattern axes)"


def _filled(base: dict[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the fields of `data` in front, section by section; lists are replaced whole."""
    merged = dict(base)
    for name, value in data.items():
        old = merged.get(name)
        merged[name] = {**old, **value} if isinstance(old, dict) and isinstance(value, Mapping) else value
    return merged


def instrument_from(read: Read, scan: Scan) -> Scan:
    """Return the scan with what the user says of the microscope in place of what the file says."""
    said = {key: getattr(read, key) for key in ("voltage_kV", "convergence_mrad")}
    given = {key: value for key, value in said.items() if value is not None}
    return replace(scan, instrument=replace(scan.instrument, **given)) if given else scan


def settle(recipe: Recipe, scan: Scan) -> tuple[Recipe, tuple[str, ...]]:
    """Return the recipe with every open value settled by the data, and what was decided.

    ``fwhm: auto`` becomes a number of nm, or the constraint is left out where the probe is unknown; steps
    with ``when`` stay or go; ``group: auto`` becomes a name; candidates for phases get whole paths.
    ``kernel: measured`` and ``total: measured`` stay, because every run measures them anew.

    Raises
    ------
    RecipeError
        When ``kernel: measured`` is asked for and nothing measures it.
    """
    notes: list[str] = []
    steps = [_conditional(entry, scan, notes) for entry in recipe.prepare]
    constraints = [_settled(entry, recipe, scan, notes) for entry in recipe.factorize.constraints]
    group = recipe.interpret.group
    if group == "auto":
        group = Entry(name="spectrum" if scan.is_spectrum else "rotation", parameters={})
        notes.append(
            f"Grouping: '{group.name}', because the data are {'spectra' if scan.is_spectrum else 'patterns'}."
        )
    naming = recipe.interpret.identify
    if naming is not None:
        naming, told = Naming.of(naming).settled(scan)
        notes += told
    data = recipe.to_dict()
    data["interpret"]["identify"] = naming
    data["prepare"] = [entry for entry in steps if entry is not None]
    data["factorize"]["constraints"] = [entry for entry in constraints if entry is not None]
    data["interpret"]["group"] = group
    return Recipe.from_dict(data), tuple(notes)


def _conditional(entry: Entry, scan: Scan, notes: list[str]) -> Entry | None:
    if "when" not in entry.parameters:
        return entry
    if not holds_counts(scan):
        notes.append(
            f"The step {entry.name} is left out, because the data are not counts (whole numbers >= 0)."
        )
        return None
    return Entry(name=entry.name, parameters={k: v for k, v in entry.parameters.items() if k != "when"})


def holds_counts(scan: Scan) -> bool:
    """Return whether the data are whole numbers >= 0, judged by their dtype or a few positions."""
    kind = np.dtype(scan.data.dtype).kind
    if kind == "u":
        return True
    if kind not in "if":
        return False
    places = np.unique(np.linspace(0, scan.n_positions - 1, min(_SAMPLES, scan.n_positions)).astype(int))
    for place in places:
        index = np.unravel_index(place, scan.scan_shape) if scan.scan_shape else ()
        values = np.asarray(scan.data[tuple(int(i) for i in index)])
        if not np.all(np.isfinite(values)) or values.min() < 0 or np.any(values != np.rint(values)):
            return False
    return True


def _settled(entry: Entry, recipe: Recipe, scan: Scan, notes: list[str]) -> Entry | None:
    words = {
        key: word
        for (group, name, key), word in DEFERRED.items()
        if (group, name) == ("constraints", entry.name)
    }
    open_keys = [
        key
        for key, word in words.items()
        if isinstance(value := entry.parameters.get(key), str) and value == word
    ]
    if not open_keys:
        return entry
    if entry.name == "spot_shape":
        if "beam" not in scan.extras and all(step.name != "measure_beam" for step in recipe.prepare):
            raise RecipeError(
                "Recipe: spot_shape needs the measured beam ('kernel: measured'), and no step measures it. "
                "Add '- measure_beam: {}' to prepare, give a kernel, or set "
                "factorize.constraints.spot_shape=null."
            )
        return entry
    if entry.name == "total_intensity":
        return entry
    width, why = airy_fwhm_nm(scan)
    notes.append(why)
    if width is None:
        return None
    return check(
        "constraints", Entry(name=entry.name, parameters={**entry.parameters, "fwhm": width, "unit": "nm"})
    )


def airy_fwhm_nm(scan: Scan) -> tuple[float | None, str]:
    """Return the full width of the diffraction-limited probe in nm, and in words how it is known or why not.

    ``0.51 lambda / alpha`` (Airy disk): aberrations, source size and beam spreading make the real probe
    wider.
    """
    from unmixel.physics.probe import probe_fwhm

    voltage, angle = scan.instrument.voltage_kV, scan.instrument.convergence_mrad
    missing = [word for word, value in (("voltage", voltage), ("convergence angle", angle)) if not value]
    if not scan.scan_axes or any(axis.unit != "nm" for axis in scan.scan_axes):
        missing.append("scan step in nm")
    if missing or voltage is None or angle is None:
        known_how = "Say them with read.voltage_kV and read.convergence_mrad, or give resolution.fwhm in px."
        return None, f"The constraint resolution is left out: {', '.join(missing)} not known. {known_how}"
    width = round(probe_fwhm(angle, voltage) / 10, 6)
    step = min(abs(axis.scale) for axis in scan.scan_axes)
    effect = " It is finer than the scan step, so it hardly limits the maps." if width < step else ""
    return width, (
        f"Resolution: {width:.4g} nm, the full width of a diffraction-limited probe (0.51 lambda / alpha) at "
        f"{voltage:g} kV and {angle:g} mrad.{effect}"
    )
