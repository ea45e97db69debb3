"""YAML read strictly: numbers as people write them, no key twice, arrays from files beside it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml

from unmixel.core.errors import RecipeError
from unmixel.pipeline.entries import with_arrays


class _Loader(yaml.SafeLoader):
    """YAML with 1e-4 as a number and without repeated keys."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)[eE][-+]?\d+$"),
    list("-+0123456789."),
)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if key in seen:
            raise RecipeError(f"Recipe: '{key}' is there twice (line {key_node.start_mark.line + 1}).")
        seen.add(key)
    return dict(loader.construct_mapping(node, deep=True))


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def value_of(text: str) -> Any:
    """Return what a piece of YAML says: numbers, words, lists, mappings.

    Examples
    --------
    >>> value_of("1e-4"), value_of("[3, 4]"), value_of("null"), value_of("auto")
    (0.0001, [3, 4], None, 'auto')
    """
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader  # nosec B506
    except yaml.YAMLError as error:
        raise RecipeError(f"Recipe: this is no YAML: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def parse(source: str | Path) -> dict[str, Any]:
    """Return the raw data of a recipe file (or of its text); arrays named in it are read.

    Parameters
    ----------
    source : Path or str
        A file, or the YAML text itself.

    Raises
    ------
    RecipeError
        When the file is missing or holds something else than a mapping.
    """
    if isinstance(source, Path):
        folder = source.parent
        try:
            text = source.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"Recipe: '{source}' cannot be read: {_one_line(error)}") from error
    else:
        folder, text = Path(), source
    data = value_of(text)
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise RecipeError(
            "Recipe: expected sections such as 'prepare:' and 'factorize:', got something else."
        )
    return _read_arrays(data, folder)


def _read_arrays(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    data = dict(data)
    if isinstance(data.get("prepare"), list):
        data["prepare"] = [with_arrays(entry, folder) for entry in data["prepare"]]
    section = data.get("factorize")
    if isinstance(section, dict) and isinstance(section.get("constraints"), list):
        constraints = [with_arrays(entry, folder) for entry in section["constraints"]]
        data["factorize"] = {**section, "constraints": constraints}
    return _find_candidates(data, folder)


def _find_candidates(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the data with candidates for phases that lie beside the recipe file found there."""
    section = data.get("interpret")
    if not isinstance(section, dict) or not isinstance(section.get("identify"), dict):
        return data
    naming = section["identify"]
    if not isinstance(naming.get("candidates"), list):
        return data
    found = [
        str(folder / one) if isinstance(one, str) and (folder / one).exists() else one
        for one in naming["candidates"]
    ]
    return {**data, "interpret": {**section, "identify": {**naming, "candidates": found}}}


def value_text(value: Any) -> str:
    """Return a value as YAML on one line.

    Examples
    --------
    >>> value_text(None), value_text(1e-5), value_text(["center"])
    ('null', '1.0e-05', '[center]')
    """
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=sys.maxsize)
    return text.removesuffix("\n").removesuffix("\n...")
