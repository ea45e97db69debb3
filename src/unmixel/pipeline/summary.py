"""A finished run in a few lines, for people and for programs."""

from __future__ import annotations

from typing import Any

import numpy as np

from unmixel.dataset.result import Result


def summary(result: Result) -> dict[str, Any]:
    """Return what a run found and where it lies, JSON-safe (after `jsonable`)."""
    factors, particles = result.factors, result.particles
    residual = factors.residual
    found: dict[str, Any] = {
        "folder": str(result.folder),
        "status": result.record.get("status"),
        "files": list(result.record.get("files", [])),
        "components": factors.n_components,
        "strengths": [float(value) for value in factors.strengths],
        "flags": [list(flags) for flags in factors.flags],
        "sweeps": factors.convergence.n_sweeps,
        "converged": factors.convergence.converged,
        "objective": factors.convergence.objective[-1] if factors.convergence.objective else None,
        "relative_error": factors.convergence.relative_error,
        "chi2": None if residual is None else residual.chi2,
        "stability": None,
        "residual_places": None if factors.leftovers is None else factors.leftovers.n_peaks,
        "groups": None,
        "phases": None if result.phases is None else result.phases.table(),
        "particles": None,
        "notes": list(result.record.get("notes", [])),
        "timings_s": dict(result.record.get("timings_s", {})),
    }
    if factors.uncertainty is not None and factors.uncertainty.stability is not None:
        found["stability"] = [float(value) for value in factors.uncertainty.stability]
    if result.groups is not None:
        labels = np.asarray(result.groups.labels)
        crystalline = result.groups.crystalline
        found["groups"] = [
            {"components": np.flatnonzero(labels == g).tolist(), "crystalline": bool(crystalline[g])}
            for g in range(result.groups.n_groups)
        ]
    if particles is not None:
        found["particles"] = {
            "count": len(particles.table),
            "unit": particles.unit,
            "mean_diameter": particles.mean_diameter,
            "mean_interval": list(particles.mean_interval),
            "median_diameter": particles.median_diameter,
            "median_interval": list(particles.median_interval),
            "number_density": particles.number_density,
            "area_fraction": particles.area_fraction,
        }
    return found


def lines(result: Result) -> list[str]:
    """Return the same in words."""
    found = summary(result)
    text = (
        f"{found['components']} components, {found['sweeps']} sweeps ({result.factors.convergence.reason}); "
    )
    text += f"relative error {found['relative_error']:.3g}"
    if found["chi2"] is not None:
        text += f", chi-square against Poisson {found['chi2']:.3g}"
    told = [text + "."]
    flagged = [f"{k} ({'; '.join(flags)})" for k, flags in enumerate(found["flags"]) if flags]
    if flagged:
        told.append(f"Components to look at with care: {', '.join(flagged)}.")
    if found["residual_places"]:
        several = "s stand" if found["residual_places"] > 1 else " stands"
        told.append(
            f"{found['residual_places']} place{several} out in the residual (see the report); "
            "--promote-residual makes components of them."
        )
    if found["groups"] is not None:
        n_crystalline = sum(group["crystalline"] for group in found["groups"])
        told.append(f"{len(found['groups'])} groups, {n_crystalline} of them crystalline.")
    if found["phases"] is not None:
        told.append(_phases(found["phases"]))
    if found["particles"] is not None:
        told.append(_particles(found["particles"]))
    told += [f"Report: {result.folder}/report.html", f"Arrays: {result.folder}/result.nxs"]
    return told


def _phases(rows: list[dict[str, Any]]) -> str:
    """Return the phases of all groups in one sentence, alike ones together."""
    named: dict[str, list[str]] = {}
    for row in rows:
        named.setdefault(str(row["phase"]), []).append(str(row["group"]))
    told = [f"{phase} (group {', '.join(groups)})" for phase, groups in named.items()]
    return f"Phases: {'; '.join(told)}." if told else "Phases: no groups."


def _particles(found: dict[str, Any]) -> str:
    text = f"{found['count']} particles"
    mean = found["mean_diameter"]
    if mean is None or not np.isfinite(mean):
        return text + "; none is whole, so there is no mean diameter."
    low, high = found["mean_interval"]
    return f"{text}; mean diameter {mean:.3g} {found['unit']} (95 % confidence {low:.3g} to {high:.3g})."
