"""Change single values of a recipe by their dotted names: ``factorize.components=8``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unmixel.core import registry
from unmixel.core.errors import RecipeError
from unmixel.pipeline.entries import nearest
from unmixel.pipeline.recipe import Recipe, section_of
from unmixel.pipeline.yamlfile import value_of

_LISTS = {"prepare": "steps", "constraints": "constraints"}
"""Lists of plug-ins in a recipe and the group that their names come from."""


def apply(data: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return raw recipe data with values replaced.

    Parameters
    ----------
    data : dict
        As a recipe file holds it; not changed.
    overrides : sequence of str
        ``key=value`` with a dotted key and a value in YAML. An entry of a list is meant by its name
        (``factorize.constraints.sparse.weight=3``) or its place (``prepare.0.center.when=counts``); an
        entry set to ``null`` is removed, a constraint that is not there yet is added.

    Raises
    ------
    RecipeError
        When a key is unknown; the message names the nearest one.

    Examples
    --------
    >>> apply({"factorize": {"components": 12}}, ["factorize.components=4"])
    {'factorize': {'components': 4}}
    >>> apply({"prepare": [{"center": {}}]}, ["prepare.center=null"])
    {'prepare': []}
    """
    for text in overrides:
        key, equals, value = text.partition("=")
        parts = [part.strip() for part in key.split(".")]
        if not equals or not all(parts):
            raise RecipeError(f"--set {text}: expected key=value, such as factorize.components=8.")
        _known(parts, text)
        data = _set(data, parts, value_of(value), text, trail=())
    return data


def reading(overrides: Sequence[str]) -> list[str]:
    """Return the overrides that concern reading, which are needed before the recipe is chosen."""
    return [text for text in overrides if text.split("=")[0].split(".")[0].strip() == "read"]


def _known(parts: list[str], text: str) -> None:
    """Refuse a section or field that no recipe has."""
    known = [name for name in Recipe.model_fields if name != "version"]
    if parts[0] not in known:
        raise RecipeError(
            f"--set {text}: no section '{parts[0]}'.{nearest(parts[0], known)} Known: {', '.join(known)}."
        )
    if parts[0] == "prepare" or len(parts) < 2:
        return
    fields = list(section_of((parts[0], parts[1])).model_fields)
    if parts[1] not in fields:
        guess = nearest(parts[1], fields)
        raise RecipeError(
            f"--set {text}: '{parts[0]}' has no '{parts[1]}'.{guess} Known: {', '.join(fields)}."
        )


def _set(node: Any, parts: list[str], value: Any, text: str, *, trail: tuple[str, ...]) -> Any:
    if not parts:
        return value
    if isinstance(node, (list, tuple)) or (node is None and trail[-1:] in (("prepare",), ("constraints",))):
        return _set_in_list(list(node or []), parts, value, text, trail=trail)
    if node is None or node == "auto":
        node = {}
    if not isinstance(node, dict):
        raise RecipeError(f"--set {text}: '{'.'.join(trail)}' holds one value, nothing under it.")
    changed = dict(node)
    if trail == ("interpret", "group") and parts[0] not in changed:
        changed = {}
    changed[parts[0]] = _set(changed.get(parts[0]), parts[1:], value, text, trail=(*trail, parts[0]))
    return changed


def _set_in_list(
    node: list[Any], parts: list[str], value: Any, text: str, *, trail: tuple[str, ...]
) -> list[Any]:
    """Replace, add or remove one ``{name: parameters}`` of a list."""
    names = [next(iter(entry)) if isinstance(entry, dict) and entry else str(entry) for entry in node]
    group = _LISTS.get(trail[-1] if trail else "", "")
    place, rest = _place(names, parts, group, text)
    name = rest[0] if place == len(node) else names[place]
    if value is None and len(rest) == 1:
        return [entry for index, entry in enumerate(node) if index != place]
    if len(parts) == 1 and parts[0].isdigit():
        return [*node[:place], value, *node[place + 1 :]]
    old = node[place] if place < len(node) and isinstance(node[place], dict) else {name: {}}
    new = _set(old, rest, {} if value is True and len(rest) == 1 else value, text, trail=(*trail, str(place)))
    return [*node[:place], new, *node[place + 1 :]]


def _place(names: list[str], parts: list[str], group: str, text: str) -> tuple[int, list[str]]:
    """Return the place in the list and the rest of the key, which starts with the entry's name."""
    word = parts[0]
    if word.isdigit():
        if int(word) >= len(names):
            raise RecipeError(f"--set {text}: the list has {len(names)} entries, counted from 0.")
        name = names[int(word)]
        rest = parts[1:] if len(parts) > 1 else [name]
        if rest[0] != name:
            raise RecipeError(f"--set {text}: entry {word} is '{name}', not '{rest[0]}'.")
        return int(word), rest
    if names.count(word) > 1:
        places = ", ".join(str(i) for i, name in enumerate(names) if name == word)
        raise RecipeError(
            f"--set {text}: '{word}' is there more than once; say which by its place: {places}."
        )
    if word in names:
        return names.index(word), parts
    if group == "constraints" and word in registry.names("constraints"):
        return len(names), parts
    if group == "steps" and word in registry.names("steps"):
        raise RecipeError(
            f"--set {text}: the recipe has no step '{word}', and steps have an order. "
            "Write a recipe file with the step where it belongs (--recipe)."
        )
    raise RecipeError(
        f"--set {text}: no '{word}' there.{nearest(word, names)} There are: {', '.join(names) or 'none'}."
    )
