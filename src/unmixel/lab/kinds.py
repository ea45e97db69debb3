"""The kinds of ideas: what tells each from the others, and how it enters a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from unmixel.core.errors import InputError
from unmixel.pipeline.entries import nearest


@dataclass(frozen=True)
class Kind:
    """One kind of idea.

    Parameters
    ----------
    name : str
        The user's word.
    group : str
        Entry-point group without ``unmixel.``.
    verbs : tuple of str
        Methods that a class of this kind has; no other kind has them all.
    enters : str
        How it gets into the recipe, in words.
    aliases : tuple of str
        Other words for it.
    """

    name: str
    group: str
    verbs: tuple[str, ...]
    enters: str
    aliases: tuple[str, ...] = ()


KINDS = {
    kind.name: kind
    for kind in (
        Kind("constraint", "constraints", ("bind",), "is added to the constraints"),
        Kind("loss", "losses", ("weigh", "descent"), "takes the place of the loss"),
        Kind("solver", "solvers", ("check", "update"), "takes the place of the solver"),
        Kind("start", "starts", ("make",), "takes the place of the start"),
        Kind("step", "steps", ("apply",), "is added to the preparation, before the weights are made"),
        Kind("refinement", "refinements", ("refine",), "is added to the refinements"),
        Kind(
            "clusterer",
            "clusterers",
            ("group",),
            "takes the place of the grouping",
            ("distance", "grouping"),
        ),
        Kind("identifier", "identifiers", ("identify",), "names the groups"),
        Kind("score", "scores", ("score",), "scores the results"),
    )
}

WEIGHTS = "poisson_weights"
"""The step before which an idea's step goes: weights are made of data that are prepared."""


def kind_of(word: str) -> Kind:
    """Return the kind that a word stands for.

    Raises
    ------
    InputError
        With all kinds.

    Examples
    --------
    >>> kind_of("distance").name
    'clusterer'
    """
    for kind in KINDS.values():
        if word in (kind.name, *kind.aliases):
            return kind
    known = [word for kind in KINDS.values() for word in (kind.name, *kind.aliases)]
    raise InputError(
        "kind of idea",
        expected=f"one of {', '.join(known)}",
        got=f"'{word}'",
        hint=nearest(word, known).strip(),
    )


def kinds_like(plugin: type) -> tuple[Kind, ...]:
    """Return the kinds whose methods a class has (or the one that its class variable `idea` names).

    Examples
    --------
    >>> class Idea:
    ...     def apply(self, scan):
    ...         return scan
    >>> [kind.name for kind in kinds_like(Idea)]
    ['step']
    """
    said = vars(plugin).get("idea")
    if isinstance(said, str):
        return (kind_of(said),)
    return tuple(
        kind for kind in KINDS.values() if all(callable(getattr(plugin, verb, None)) for verb in kind.verbs)
    )


def with_idea(
    recipe: Mapping[str, Any], kind: Kind, name: str, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a whole recipe with an idea in it; one that only looks at results leaves the recipe as it is.

    Parameters
    ----------
    recipe : mapping
        As `Recipe.to_dict` gives it; not changed.
    kind : Kind
    name : str
        Of the idea, as it is registered.
    parameters : mapping
        Of its constructor. A loss, solver or start is made from its defaults.

    Examples
    --------
    >>> bare = {"prepare": [{"poisson_weights": {}}], "factorize": {"constraints": []}}
    >>> with_idea(bare, KINDS["step"], "mine", {"width": 2})["prepare"]
    [{'mine': {'width': 2}}, {'poisson_weights': {}}]
    """
    changed = deepcopy(dict(recipe))
    how = changed.setdefault("factorize", {})
    entry = {name: dict(parameters)}
    match kind.name:
        case "constraint":
            how["constraints"] = [*how.get("constraints", ()), entry]
        case "refinement":
            how["refine"] = [*how.get("refine", ()), entry]
        case "loss" | "solver" | "start":
            how[kind.name] = name
        case "clusterer":
            changed["interpret"] = {**changed.get("interpret", {}), "group": entry}
        case "step":
            steps = list(changed.get("prepare", ()))
            names = [one if isinstance(one, str) else next(iter(one)) for one in steps]
            place = names.index(WEIGHTS) if WEIGHTS in names else len(steps)
            changed["prepare"] = [*steps[:place], entry, *steps[place:]]
    return changed
