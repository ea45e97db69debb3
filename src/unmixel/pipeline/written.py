"""A recipe as plain data and as YAML text, with the meaning of every field beside it."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unmixel.pipeline.recipe import Recipe
from unmixel.pipeline.yamlfile import value_text


def plain(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe as JSON-safe data; arrays become addresses in the result file beside it."""
    addresses = {id(array): f"result.nxs#entry/arrays/{name}" for name, array in recipe.arrays().items()}

    def convert(value: Any) -> Any:
        if id(value) in addresses:
            return addresses[id(value)]
        if isinstance(value, Mapping):
            return {str(key): convert(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [convert(item) for item in value]
        return value.item() if hasattr(value, "item") else value

    converted: dict[str, Any] = convert(recipe.to_dict())
    return converted


def beside(recipe: Recipe, folder: Path) -> Recipe:
    """Return the recipe with candidates in files told from a folder, where the recipe is to lie.

    A recipe file looks for them beside itself, so it can be moved together with what it names, and tells no
    absolute path.
    """
    naming = recipe.interpret.identify
    if naming is None:
        return recipe
    candidates = [_from(folder, one) for one in naming["candidates"]]
    section = recipe.interpret.model_copy(update={"identify": {**naming, "candidates": candidates}})
    return recipe.model_copy(update={"interpret": section})


def _from(folder: Path, one: str) -> str:
    if not Path(one).is_absolute():
        return one
    try:
        return Path(os.path.relpath(one, folder.resolve())).as_posix()
    except ValueError:  # another drive of Windows
        return one


def write(recipe: Recipe, *, header: tuple[str, ...] = ()) -> str:
    """Return the recipe as YAML text with the meaning of every field above it.

    Parameters
    ----------
    recipe : Recipe
    header : tuple of str
        Lines for the top, written as comments.
    """
    return commented(plain(recipe), header=header)


def commented(data: Mapping[str, Any], *, header: tuple[str, ...] = ()) -> str:
    """Return the plain data of a recipe as YAML text, with the meaning of every field that recipes have above it.

    Parameters
    ----------
    data : mapping
        As `plain` gives it, and as a result holds it; what recipes do not have stands at the end.
    header : tuple of str
        Lines for the top, written as comments.

    Examples
    --------
    >>> commented({"factorize": {"seed": 3}}).splitlines()[-1]
    '  seed: 3'
    """
    lines = [f"# {line}" for line in header]
    for name, info in Recipe.model_fields.items():
        if name not in data:
            continue
        fields: Mapping[str, Any] | None = getattr(info.annotation, "model_fields", None)
        words = info.description or (getattr(info.annotation, "__doc__", None) or "").strip()
        lines += ["", *_comment(words, 0)]
        if fields is None:
            lines += _dump({name: data[name]}, 0)
            continue
        lines.append(f"{name}:")
        for key, value in data[name].items():
            words = (fields[key].description or "") if key in fields else ""
            lines += [*_comment(words, 2), *_dump({key: value}, 2)]
    others = {key: value for key, value in data.items() if key not in Recipe.model_fields}
    lines += ["", *_dump(others, 0)] if others else []
    return "\n".join(lines).lstrip("\n") + "\n"


def _comment(text: str, indent: int) -> list[str]:
    pad = " " * indent + "# "
    return textwrap.wrap(text, width=110, initial_indent=pad, subsequent_indent=pad)


def _dump(data: dict[str, Any], indent: int) -> list[str]:
    """Return ``key: value`` lines; the entries of a list get a line each."""
    lines: list[str] = []
    for key, value in data.items():
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            lines += [f"{key}:", *(f"  - {value_text(item)}" for item in value)]
        else:
            lines.append(f"{key}: {value_text(value)}")
    return [" " * indent + part for line in lines for part in line.splitlines()]
