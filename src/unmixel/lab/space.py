"""What a search may change: keys of a recipe and the values they may take."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unmixel.core.errors import InputError, RecipeError
from unmixel.pipeline.overrides import apply
from unmixel.pipeline.recipe import Recipe
from unmixel.pipeline.yamlfile import value_of, value_text

_DECADES = 100.0
"""High over low from which a range is searched on a logarithmic scale: two decades."""

_RANGE = re.compile(r"(.+?)\.\.(.+)")
_SHAPE = "key=low..high, or key=a|b|c"


@dataclass(frozen=True)
class Range:
    """A key whose value is a number between two ends, both of them included.

    Parameters
    ----------
    key : str
        Dotted key of the recipe.
    low, high : float or int
        Whole numbers where only whole ones are wanted.
    """

    key: str
    low: float
    high: float

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are wanted."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def logarithmic(self) -> bool:
        """Whether the logarithm is searched evenly: the range is positive and spans two decades or more."""
        return self.low > 0 and self.high / self.low >= _DECADES

    @property
    def ends(self) -> tuple[Any, ...]:
        """Values that stand for all of them when they are checked."""
        return self.low, self.high

    @property
    def words(self) -> str:
        """How it is searched, for people."""
        kind = "whole numbers" if self.whole else "numbers"
        return f"{self.key}: {kind} from {self.low:g} to {self.high:g}" + (
            ", on a logarithmic scale" if self.logarithmic else ""
        )


@dataclass(frozen=True)
class Choice:
    """A key whose value is one of a few.

    Parameters
    ----------
    key : str
    values : tuple
        Of YAML values.
    """

    key: str
    values: tuple[Any, ...]

    @property
    def ends(self) -> tuple[Any, ...]:
        """Values that stand for all of them when they are checked: all of them."""
        return self.values

    @property
    def words(self) -> str:
        """What may be chosen, for people."""
        return f"{self.key}: one of {', '.join(map(value_text, self.values))}"


Dimension = Range | Choice


def dimension(text: str) -> Dimension:
    """Return what an argument of ``--over`` stands for.

    Parameters
    ----------
    text : str
        ``key=low..high`` or ``key=a|b|c``.

    Raises
    ------
    InputError
        When it is neither.

    Examples
    --------
    >>> dimension("factorize.components=4..12").whole
    True
    >>> dimension("factorize.constraints.sparse.weight=1e-3..1e0").logarithmic
    True
    >>> dimension("factorize.solver=hals|admm").values
    ('hals', 'admm')
    """
    key, equals, value = (part.strip() for part in text.partition("="))
    if not (key and equals and value):
        raise _wrong(text, "give the key, '=' and its values")
    if "|" in value:
        values = tuple(value_of(part) for part in value.split("|"))
        if len(values) != len({value_text(one) for one in values}) or None in values:
            raise _wrong(text, "name every choice once")
        return Choice(key, values)
    found = _RANGE.fullmatch(value)
    if not found:
        raise _wrong(text, "a single value needs no search: set it in the recipe")
    low, high = (value_of(part) for part in found.groups())
    if not all(isinstance(end, (int, float)) and not isinstance(end, bool) for end in (low, high)):
        raise _wrong(text, "both ends are numbers")
    if not low < high:
        raise _wrong(text, "the lower end comes first")
    both_whole = isinstance(low, int) and isinstance(high, int)
    return Range(key, low, high) if both_whole else Range(key, float(low), float(high))


def _wrong(text: str, hint: str) -> InputError:
    return InputError(f"--over {text}", expected=_SHAPE, got=f"'{text}'", hint=hint)


def space(texts: Sequence[str], recipe: Mapping[str, Any]) -> tuple[Dimension, ...]:
    """Return what several arguments of ``--over`` stand for, each end of each tried in the recipe.

    Parameters
    ----------
    texts : sequence of str
    recipe : mapping
        Raw data of a whole recipe.

    Raises
    ------
    InputError
        When there is none, a text cannot be understood, or a key comes twice.
    RecipeError
        When the recipe has no such key, or a value is out of range; near keys are named.
    """
    found = tuple(dimension(text) for text in texts)
    if not found:
        raise InputError("--over", expected=f"at least one: {_SHAPE}", got="none")
    keys = [one.key for one in found]
    if len(set(keys)) < len(keys):
        raise InputError("--over", expected="each key once", got=", ".join(keys))
    for one in found:
        for value in one.ends:
            try:
                Recipe.from_dict(with_values(recipe, {one.key: value}))
            except RecipeError as error:
                told = str(error).replace("--set ", "--over ", 1)
                raise RecipeError(f"{told} (tried: {one.key}={value_text(value)})") from error
    return found


def with_values(recipe: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the raw data of a recipe with values set.

    Parameters
    ----------
    recipe : mapping
        Not changed.
    values : mapping of str to value
        By dotted keys.

    Examples
    --------
    >>> with_values({"factorize": {"components": 12}}, {"factorize.components": 4})
    {'factorize': {'components': 4}}
    """
    return apply(dict(recipe), [f"{key}={value_text(value)}" for key, value in values.items()])
