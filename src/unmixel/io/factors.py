"""Factors in a result bundle: maps, patterns, what is known of each component, convergence, residual."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from unmixel.dataset.results import Convergence, Factors, Residual
from unmixel.io.nexus import make, note, plot, put, read_axes, read_note, signal, to_json
from unmixel.io.trust import read_trust, write_trust


def write_factors(entry: Any, factors: Factors) -> None:
    """Write factors and all that they hold to an entry."""
    plot(
        entry,
        "maps",
        factors.maps,
        factors.scan_axes,
        leading=("component",),
        unit="counts",
        title="maps of the components",
    )
    plot(
        entry,
        "patterns",
        factors.patterns,
        factors.pattern_axes,
        leading=("component",),
        unit="share per pixel",
        title="patterns of the components (sum 1 over used pixels)",
    )
    components = make(entry, "components", "NXcollection", fill=factors.fill)
    put(components, "strengths", factors.strengths, units="share of the fitted counts")
    put(components, "used_pixels", factors.used_pixels)
    note(components, "flags", "application/json", to_json([list(flags) for flags in factors.flags]))
    note(components, "settings", "application/json", to_json(factors.settings))
    convergence = factors.convergence
    group = plot(
        entry,
        "convergence",
        np.asarray(convergence.objective, np.float64),
        (),
        leading=("sweep",),
        unit="1",
        title="objective after each sweep",
    )
    group.attrs["relative_error"] = convergence.relative_error
    group.attrs["n_sweeps"] = convergence.n_sweeps
    group.attrs["converged"] = convergence.converged
    group.attrs["reason"] = convergence.reason
    if factors.residual is not None:
        _write_residual(entry, factors.residual, factors)
    write_trust(entry, factors)


def _write_residual(entry: Any, residual: Residual, factors: Factors) -> None:
    group = make(entry, "residual", "NXcollection", chi2=residual.chi2, floor=residual.floor)
    title = "chi-square against Poisson"
    plot(group, "chi2_map", residual.chi2_map, factors.scan_axes, unit="1", title=f"{title}, per position")
    plot(
        group,
        "chi2_pattern",
        residual.chi2_pattern,
        factors.pattern_axes,
        unit="1",
        title=f"{title}, per pixel",
    )


def read_factors(entry: Any) -> Factors:
    """Return the factors that `write_factors` wrote."""
    components, curve = entry["components"], entry["convergence"]
    residual = None
    if "residual" in entry:
        group = entry["residual"]
        residual = Residual(
            chi2_map=signal(group["chi2_map"]),
            chi2_pattern=signal(group["chi2_pattern"]),
            chi2=float(group.attrs["chi2"]),
            floor=float(group.attrs["floor"]),
        )
    return Factors(
        maps=signal(entry["maps"]),
        patterns=signal(entry["patterns"]),
        scan_axes=read_axes(entry["maps"], 1),
        pattern_axes=read_axes(entry["patterns"], 1),
        used_pixels=components["used_pixels"][()],
        fill=str(components.attrs["fill"]),
        strengths=components["strengths"][()],
        convergence=Convergence(
            objective=tuple(float(value) for value in signal(curve)),
            relative_error=float(curve.attrs["relative_error"]),
            n_sweeps=int(curve.attrs["n_sweeps"]),
            converged=bool(curve.attrs["converged"]),
            reason=str(curve.attrs["reason"]),
        ),
        flags=tuple(tuple(flags) for flags in json.loads(read_note(components, "flags"))),
        residual=residual,
        settings=json.loads(read_note(components, "settings")),
        **read_trust(entry),
    )
