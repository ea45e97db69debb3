"""Plans and outlooks in words: rows of a table, sentences, and a JSON-safe record."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import unmixel
from unmixel.core.units import memory
from unmixel.dataset.planning import Confirmation, Outlook, Plan, Sample

Row = tuple[str, str, str]
"""What, its value, a remark."""


def names(sample: Sample) -> str:
    """Return the structures of a sample as people read them: files without their place on the disk."""
    return ", ".join(Path(given).name for given in sample.structures)


def span(seconds: float) -> str:
    """Return a time as text.

    Examples
    --------
    >>> span(4.356), span(5400)
    ('4.36 s', '1.5 h')
    """
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"


def headline(plan: Plan) -> str:
    """Return in a sentence what is recommended, or why nothing is."""
    size, wanted = plan.sample.diameter_nm, plan.goal.probability
    if plan.acquisition is None:
        return (
            f"No dose finds a precipitate of {size:g} nm with a probability of {wanted:g}: {plan.most:.2f} is the most "
            "that is predicted. Ask for a lower probability, or scan more positions: each holds another chance."
        )
    found = plan.acquisition
    return (
        f"{found.dose:,.0f} electrons per pattern and {found.side} x {found.side} positions find a precipitate of "
        f"{size:g} nm with a probability of {wanted:g}, and {plan.goal.precipitates} of them in the scan."
    )


def rows(plan: Plan) -> list[Row]:
    """Return the recommended acquisition as a table; without a recommendation only what was asked for."""
    sample, setup = plan.sample, plan.setup
    asked = (
        f"{sample.diameter_nm:g} nm, {names(sample)}",
        f"in {sample.foil_nm:g} nm of glass, {sample.volume_share:.3g} of the volume, "
        + ("on a low-index zone axis" if sample.orientations == "zone" else "in any orientation"),
    )
    camera = f"{setup.detector[0]} x {setup.detector[1]} px of {setup.pixel:.3g} 1/angstrom"
    told: list[Row] = [
        ("precipitates", *asked),
        ("microscope", f"probe {setup.probe_nm:g} nm, step {setup.step_nm:g} nm", camera),
    ]
    one = plan.acquisition
    if one is None:
        return told
    told += [
        (
            "dose per pattern",
            f"{one.dose:,.0f} electrons",
            f"between {one.dose_low:,.0f} and {one.dose_high:,.0f} within the stated error"
            if one.dose_high is not None
            else f"at least {one.dose_low:,.0f}; for such a detector no upper end is known",
        ),
        ("dose per area", f"{one.e_per_A2:.3g} e/angstrom^2", "mean over the scan"),
        (
            "positions",
            f"{one.side} x {one.side} = {one.positions:,}",
            f"hold {one.precipitates:.3g} precipitates, of which {plan.goal.precipitates} are found",
        ),
        ("file", memory(one.file_bytes), f"{one.file_bytes / 1e9:.3g} GB, uncompressed"),
        (
            "time",
            span(one.seconds),
            f"{plan.goal.dwell_s:.3g} s per position ({1 / plan.goal.dwell_s:,.0f} frames per second), without flyback",
        ),
        ("beam current", f"{one.current_pA:.3g} pA", "for that dose in that time"),
    ]
    if sample.orientations == "zone" and not math.isnan(plan.at_random):
        told.append(
            (
                "any orientation",
                f"{plan.at_random:.2f}",
                "probability at this dose; far from an axis spots are weak",
            )
        )
    if plan.confirmation is not None:
        told.append(("confirmed", f"{plan.confirmation.observed:.2f}", confirmation(plan.confirmation)))
    return told


def confirmation(done: Confirmation) -> str:
    """Return in a sentence what simulated scans came to."""
    return (
        f"{'held' if done.held else 'did not hold'}: {done.found} of {done.precipitates} found in {done.scans} "
        f"simulated scans (95 %: {done.observed_low:.2f} to {done.observed_high:.2f}); "
        f"predicted {done.predicted:.2f} ({done.low:.2f} to {done.high:.2f})"
    )


def sentences(seen: Outlook) -> list[str]:
    """Return what a scan can at best show."""
    what = (
        f"{names(seen.sample)} on a zone axis" if seen.sample.orientations == "zone" else names(seen.sample)
    )
    told = [
        f"{seen.source}: {seen.electrons:,.0f} electrons per pattern outside the direct beam, steps of "
        f"{seen.setup.step_nm:.3g} nm, probe {seen.setup.probe_nm:.3g} nm."
    ]
    largest = float(seen.diameters_nm[-1])
    if seen.smallest_nm is None:
        told.append(
            f"No precipitate ({what}) up to {largest:.3g} nm is found with a probability of {seen.probability:g} in "
            f"{seen.sample.foil_nm:g} nm of glass: take more electrons, or a thinner foil."
        )
    else:
        told.append(
            f"Precipitates ({what}) from {seen.smallest_nm:.2g} nm on are found with a probability of "
            f"{seen.probability:g} in {seen.sample.foil_nm:g} nm of glass; {seen.most_components} of them fit side by "
            "side."
        )
    plain = "none" if seen.plain_nm is None else f"only those from {seen.plain_nm:.2g} nm on"
    told.append(
        f"Without the physics (probe, spot shape, a crystal is in one place), {plain} would stand clear of the noise "
        "of the whole scan."
    )
    if seen.above_edge is not None:
        told.append(
            f"Number of components of this scan above that edge: {seen.above_edge}. It is no upper limit: "
            "`unmixel rank` says what held-out electrons confirm."
        )
    return [*told, *seen.warnings]


def described(made: Plan | Outlook) -> dict[str, Any]:
    """Return everything of a plan or an outlook, JSON-safe but for numbers of numpy; without places on the disk."""
    whole = asdict(made)
    whole["sample"]["structures"] = [Path(given).name for given in made.sample.structures]
    kind = {"kind": "plan" if isinstance(made, Plan) else "outlook", "unmixel": unmixel.__version__}
    if isinstance(made, Plan):
        return kind | {"verdict": headline(made)} | whole
    return kind | {"verdict": " ".join(sentences(made))} | whole
