"""Keys of a demo address: declared once with meaning, unit and range; parsed, checked, documented."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from unmixel.core.errors import InputError

Spec = TypeVar("Spec")


@dataclass(frozen=True)
class Limits:
    """What values a key may take.

    Parameters
    ----------
    low, high : float
        Bounds, inclusive unless `open_low`.
    open_low : bool
        Whether `low` itself is refused.
    words : tuple of str
        The allowed words; empty for numbers.
    """

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    words: tuple[str, ...] = ()

    def allow(self, value: Any) -> bool:
        """Return whether `value` (a number, a word or a tuple of numbers) is within the limits."""
        if self.words:
            return value in self.words
        values = value if isinstance(value, tuple) else (value,)
        return all(
            math.isfinite(v) and v <= self.high and (v > self.low if self.open_low else v >= self.low)
            for v in values
        )

    def __str__(self) -> str:
        if self.words:
            return " or ".join(self.words)
        text = f"{'>' if self.open_low else '>='} {self.low:g}" if self.low > -math.inf else ""
        return f"{text} and <= {self.high:g}" if self.high < math.inf else text


def at_least(low: float) -> Limits:
    """Return limits ``value >= low``."""
    return Limits(low=low)


def above(low: float) -> Limits:
    """Return limits ``value > low``."""
    return Limits(low=low, open_low=True)


def between(low: float, high: float) -> Limits:
    """Return limits ``low <= value <= high``."""
    return Limits(low=low, high=high)


def one_of(*words: str) -> Limits:
    """Return limits: one of some words."""
    return Limits(words=words)


def key(default: Any, meaning: str, unit: str, limits: Limits) -> Any:
    """Return a dataclass field for one key of an address."""
    return dataclasses.field(default=default, metadata={"meaning": meaning, "unit": unit, "limits": limits})


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return "x".join(str(n) for n in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _size(text: str) -> tuple[int, ...]:
    rows, columns = text.lower().split("x")
    return int(rows), int(columns)


_KINDS: Mapping[type, tuple[str, Callable[[str], Any]]] = {
    tuple: ("a size such as 64x48, each number", _size),
    int: ("a whole number", int),
    float: ("a number", float),
    str: ("the word", str),
}


def _parsed(field: dataclasses.Field[Any], text: str) -> Any:
    """Return the text of one key as the type of its default, within its limits."""
    limits, unit = field.metadata["limits"], field.metadata["unit"]
    kind, convert = _KINDS[type(field.default)]
    try:
        value = convert(text)
    except ValueError:
        value = None
    if value is None or not limits.allow(value):
        raise InputError(
            f"key {field.name}",
            expected=f"{kind} {limits}{f' ({unit})' if unit else ''}",
            got=repr(text),
            hint=f"{field.name} is: {field.metadata['meaning']}; its default is {_shown(field.default)}",
        )
    return value


def from_keys(spec: type[Spec], keys: Mapping[str, str], *, address: str) -> Spec:
    """Return a specification with the values of an address, every other key at its default.

    Parameters
    ----------
    spec : frozen dataclass of `key` fields
    keys : mapping of str to str
        As written in the address.
    address : str
        Start of the address, for messages.

    Raises
    ------
    InputError
        At an unknown key (with the nearest one) or a value out of range.
    """
    fields = {field.name: field for field in dataclasses.fields(spec)}  # type: ignore[arg-type]
    for name in keys:
        if name not in fields:
            near = difflib.get_close_matches(name, fields, n=1)
            raise InputError(
                address,
                expected=f"some of {', '.join(fields)}",
                got=repr(name),
                hint=f"did you mean '{near[0]}'?" if near else "leave the key out",
            )
    return spec(**{name: _parsed(fields[name], text) for name, text in keys.items()})


def describe(spec: type[Any]) -> tuple[tuple[str, str, str, str, str], ...]:
    """Return (key, default, unit, range, meaning) of every key, as text.

    Examples
    --------
    >>> from unmixel.io.glass import GlassSpec
    >>> describe(GlassSpec)[2]
    ('dose', '40000', 'electrons', '> 0', 'mean electrons per pattern, direct beam included')
    """
    return tuple(
        (f.name, _shown(f.default), f.metadata["unit"], str(f.metadata["limits"]), f.metadata["meaning"])
        for f in dataclasses.fields(spec)
    )
