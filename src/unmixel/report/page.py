"""The report: one HTML file that needs nothing else, not even a network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unmixel.core.units import memory, printed
from unmixel.dataset.record import is_simulated
from unmixel.dataset.result import Result
from unmixel.report import sections
from unmixel.report.citation import bibtex
from unmixel.report.convergence import figure_convergence
from unmixel.report.dendrogram import figure_dendrogram
from unmixel.report.methods import methods
from unmixel.report.recorded import again, command, entries, gain, input_name, mapping, show, source, steps
from unmixel.report.trust import figure_leftovers, leftover_words, places
from unmixel.report.views import sample_noun
from unmixel.report.words import (
    convergence_words,
    headline,
    is_complete,
    residual_words,
    sentence,
)

if TYPE_CHECKING:
    from jinja2 import Environment

LIGHTS = {"green": ("✓", "good"), "yellow": ("!", "check"), "red": ("✕", "problem"), "none": ("", "")}
"""Light of a data card -> its sign and its word, so that no one needs to see the colour."""

CONTENTS = (
    ("card", "Data card"),
    ("done", "What was done"),
    ("scan", "Images of the scan"),
    ("convergence", "Convergence"),
    ("components", "Components"),
    ("residual", "Residual"),
    ("dendrogram", "Dendrogram"),
    ("groups", "Groups"),
    ("phases", "Phases"),
    ("particles", "Particles"),
    ("methods", "Methods"),
    ("repeat", "How to repeat it"),
    ("provenance", "Provenance"),
)


def write_report(result: Result, path: Path) -> Path:
    """Write a result as one self-contained HTML page.

    Nothing is computed anew: the page shows what the result holds, and says in words what it does not hold.

    Parameters
    ----------
    result : Result
        Finished or not.
    path : Path
        File to write; overwritten when it is there.

    Returns
    -------
    Path
        The file written.

    Examples
    --------
    >>> write_report(unmixel.load("mgo.run"), Path("report.html"))  # doctest: +SKIP
    PosixPath('report.html')
    """
    path = Path(path)
    path.write_text(page(result), encoding="utf-8")
    return path


def page(result: Result) -> str:
    """Return the page of a result as HTML text."""
    script = (files("unmixel.report") / "templates" / "report.js").read_text(encoding="utf-8")
    return (
        environment()
        .get_template("report.html")
        .render(
            script=script,
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
            contents=CONTENTS,
            lights=LIGHTS,
            result=result,
            **_head(result),
            **_body(result),
            **_tail(result),
        )
    )


def environment() -> Environment:
    """Return where pages are made: the templates, and the words they may ask for."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("unmixel.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"show": show, "unit": printed, "number": _number, "sentence": sentence}
    return made


def _head(result: Result) -> dict[str, Any]:
    """Return what stands above the components."""
    record = result.record
    return {
        "title": input_name(result) or "a scan",
        "headline": headline(result),
        "simulated": is_simulated(record),
        "complete": is_complete(record),
        "status": str(record.get("status", "not recorded")),
        "error": str(record.get("error") or ""),
        "steps": steps(result),
        "remarks": [
            str(note) for note in (*entries(source(result).get("notes")), *entries(record.get("notes")))
        ],
        "noun": sample_noun(result.factors.pattern_axes),
        "masked": int(np.count_nonzero(~np.asarray(result.factors.used_pixels, bool))),
        "pixels": int(np.size(result.factors.used_pixels)),
        "scan_pictures": sections.scan_pictures(result),
        "convergence_words": convergence_words(result),
        "convergence_picture": sections.Picture.of(
            figure_convergence(result), "Objective against sweep, and its relative fall per sweep"
        ),
    }


def _body(result: Result) -> dict[str, Any]:
    """Return components, residual, groups and particles."""
    residual, groups, particles = result.factors.residual, result.groups, result.particles
    used, noun = result.factors.used_pixels, sample_noun(result.factors.pattern_axes)
    tree = groups is not None and result.factors.n_components > 1
    return {
        "expected": gain(result),
        "many": result.factors.n_components > sections.MANY,
        "components": sections.component_cards(result),
        "residual_pictures": sections.residual_pictures(result),
        "residual_words": ()
        if residual is None
        else residual_words(residual, used, noun=noun, expected=gain(result)),
        "leftovers": result.factors.leftovers,
        "leftover_words": leftover_words(result, noun),
        "leftover_picture": None
        if result.factors.leftovers is None
        else sections.Picture.of(figure_leftovers(result), "Deviation of chi-square over scan and detector"),
        "places": places(result),
        "place_pictures": sections.place_pictures(result),
        "uncertainty": result.factors.uncertainty,
        "tree": sections.Picture.of(figure_dendrogram(result), _tree_alt(result)) if tree else None,
        "groups": sections.group_cards(result),
        "phase_cards": sections.phase_cards(result),
        "position_picture": sections.position_picture(result),
        "orientation_picture": sections.orientation_picture(result),
        "orientation_words": sections.orientation_words(result),
        "phase_notes": () if result.phases is None else result.phases.notes,
        "candidates": () if result.phases is None else result.phases.candidates,
        "particles": particles,
        "particle_facts": {} if particles is None else sections.particle_facts(particles),
        "particle_pictures": sections.particle_pictures(result),
        "histogram": sections.histogram(result),
        "largest": () if particles is None else sections.largest_particles(particles),
    }


def _tree_alt(result: Result) -> str:
    cut = 0 if result.groups is None else result.groups.n_groups
    return f"Tree of {result.factors.n_components} components, cut into {cut} groups"


def _tail(result: Result) -> dict[str, Any]:
    """Return methods, commands and provenance."""
    record = result.record
    shell, python = again(result)
    written = methods(result)
    return {
        "methods": written,
        "bibtex": bibtex(written),
        "command": command(result),
        "shell": shell,
        "python": python,
        "recipe": sections.recipe_text(result.recipe) if result.recipe else "",
        "versions": dict(mapping(record.get("versions"))),
        "timings": {
            str(k): v for k, v in mapping(record.get("timings_s")).items() if isinstance(v, (int, float))
        },
        "settings": {key: _setting(value) for key, value in result.factors.settings.items()},
        "provenance": _provenance(result),
    }


def _setting(value: Any) -> Any:
    return [show(item) for item in value] if isinstance(value, (list, tuple)) else show(value)


def _provenance(result: Result) -> dict[str, str]:
    """Return where the data came from and when the run took place, each with its name."""
    given, record = source(result), result.record
    names = {
        "path": "Input", "format": "Format", "reader": "Reader", "scan_shape_from": "Scan shape from",
        "sha256": "SHA-256 of the input", "hash": "Hash of the input", "covers": "The hash covers",
    }  # fmt: skip
    rows = {label: show(given[key]) for key, label in names.items() if given.get(key)}
    if isinstance(given.get("n_bytes"), (int, float)):
        rows["Size in memory"] = memory(given["n_bytes"])
    identity = mapping(record.get("identity"))
    if identity.get("recipe_sha256"):
        rows["SHA-256 of the recipe"] = str(identity["recipe_sha256"])
    for key, label in (
        ("seed", "Seed"),
        ("started", "Started"),
        ("finished", "Finished"),
        ("status", "Status"),
    ):
        if record.get(key) is not None:
            rows[label] = show(record[key])
    for index, earlier in enumerate(entries(record.get("resumed")), start=1):
        rows[f"Earlier part {index}"] = ", ".join(f"{k} {show(v)}" for k, v in _items(earlier))
    return rows


def _items(value: Any) -> list[tuple[str, Any]]:
    return [(str(key), item) for key, item in value.items()] if isinstance(value, Mapping) else []


def _number(value: float) -> str:
    return f"{value:.4g}" if np.isfinite(value) else "unknown"
