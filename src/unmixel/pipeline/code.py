"""Which code a run was made with: hashes of the sources of unmixel and of every foreign plug-in that ran."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from unmixel.core import registry
from unmixel.pipeline.entries import Entry
from unmixel.pipeline.recipe import Recipe

_NO_SOURCE = (".pyc", ".pyo")


def code(recipe: Recipe, reader: str = "") -> dict[str, Any]:
    """Return what the record says of the code: unmixel itself, and plug-ins that other packages brought.

    Parameters
    ----------
    recipe : Recipe
        Settled: names every plug-in that runs.
    reader : str
        Name of the reader of the input.

    Examples
    --------
    >>> found = code(Recipe())
    >>> len(found["unmixel"]["sha256"]), found["plugins"]
    (64, {})
    """
    plugins = {
        f"{group}:{name}": described(group, name)
        for group, name in used(recipe, reader)
        if not registry.is_built_in(group, name)
    }
    return {"unmixel": {"version": version("unmixel"), **sources("unmixel")}, "plugins": plugins}


def used(recipe: Recipe, reader: str = "") -> Iterator[tuple[str, str]]:
    """Yield kind and name of every plug-in that a recipe and a reader stand for, as far as they are installed."""
    how, group = recipe.factorize, recipe.interpret.group
    named = [("steps", entry.name) for entry in recipe.prepare]
    named += [("constraints", entry.name) for entry in how.constraints]
    named += [("refinements", entry.name) for entry in how.refine]
    named += [("losses", how.loss), ("solvers", how.solver), ("starts", how.start), ("engines", how.engine)]
    named += [("clusterers", group.name)] if isinstance(group, Entry) else []
    named += [("readers", reader)]
    for kind, name in dict.fromkeys(named):
        if name in registry.names(kind):
            yield kind, name


def described(group: str, name: str) -> dict[str, Any]:
    """Return distribution, version and the hash of the sources of a plug-in."""
    distribution, _, number = registry.origin(group, name).partition(" ")
    return {"distribution": distribution, "version": number, **sources(registry.module(group, name))}


@cache
def sources(module: str) -> dict[str, Any]:
    """Return the SHA-256 of all files of the package that a module belongs to, and how many they are.

    Names and contents of all files of the top-level package are hashed in the order of their names, compiled
    ones left out: equal trees give equal hashes wherever they lie.

    Parameters
    ----------
    module : str
        Dotted name.
    """
    top = find_spec(module.split(".")[0])
    digest, files = hashlib.sha256(), _files(top)
    for name, path in files:
        digest.update(f"{name} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return {"sha256": digest.hexdigest(), "files": len(files)}


def _files(spec: Any) -> list[tuple[str, Path]]:
    """Return names within the package and places of its files, sorted by name."""
    if spec is None or (spec.origin is None and not spec.submodule_search_locations):
        return []
    if not spec.submodule_search_locations:
        return [(Path(spec.origin).name, Path(spec.origin))]
    found = [
        (path.relative_to(root).as_posix(), path)
        for root in map(Path, spec.submodule_search_locations)
        for path in root.rglob("*")
        if path.is_file() and path.suffix not in _NO_SOURCE and "__pycache__" not in path.parts
    ]
    return sorted(found)
