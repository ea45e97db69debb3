"""What a result's record and settings say, read with patience: any part may be missing or older."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from unmixel.dataset.result import Result


def mapping(value: Any) -> Mapping[str, Any]:
    """Return `value` where it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def entries(value: Any) -> Iterable[Any]:
    """Return `value` where it is a list or tuple, else nothing."""
    return value if isinstance(value, (list, tuple)) else ()


@dataclass(frozen=True)
class Named:
    """A plug-in as the settings name it.

    Parameters
    ----------
    name : str
        Empty where nothing is known.
    parameters : mapping
    """

    name: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, value: Any) -> Named:
        """Return what a setting names: ``"hals"``, ``{"name": "hals", ...}`` or ``{"hals": {...}}``.

        Examples
        --------
        >>> Named.of({"resolution": {"fwhm": 2.0}})
        Named(name='resolution', parameters={'fwhm': 2.0})
        >>> Named.of({"name": "hals", "inner_steps": 3})
        Named(name='hals', parameters={'inner_steps': 3})
        """
        if isinstance(value, str):
            return cls(value)
        found = mapping(value)
        if "name" in found:
            return cls(str(found["name"]), {key: item for key, item in found.items() if key != "name"})
        if len(found) == 1:
            (name, parameters), *_ = found.items()
            return cls(str(name), mapping(parameters))
        return cls()


@dataclass(frozen=True)
class Step:
    """One step of preparation as the record keeps it."""

    name: str
    parameters: Mapping[str, Any]
    effect: str
    values: Mapping[str, Any]


def source(result: Result) -> Mapping[str, Any]:
    """Return what the record says of the input."""
    return mapping(result.record.get("input"))


def steps(result: Result) -> tuple[Step, ...] | None:
    """Return the steps that were run, in order; None where the record does not say."""
    kept = result.record.get("steps")
    if not isinstance(kept, (list, tuple)):
        return None
    read = (mapping(step) for step in kept)
    return tuple(
        Step(
            str(step.get("name", "unnamed step")),
            mapping(step.get("parameters")),
            str(step.get("effect") or ""),
            mapping(step.get("values")),
        )
        for step in read
    )


def input_name(result: Result) -> str:
    """Return the name of the input without its folders; empty for a scan in memory or an unknown one."""
    path = str(source(result).get("path") or "")
    if path.startswith("demo:") or not path:
        return path
    return "" if path == "memory" else PurePath(path.replace("\\", "/")).name


def gain(result: Result) -> float:
    """Return the gain that Poisson weighting used (what noise leaves as chi-square), 1 without it."""
    for step in steps(result) or ():
        used = step.values.get("gain") if step.name == "poisson_weights" else None
        if isinstance(used, (int, float)) and math.isfinite(used) and used > 0:
            return float(used)
    return 1.0


def constraints(result: Result) -> tuple[Named, ...]:
    """Return the constraints of the factorisation; non-negativity, which always holds, is left out."""
    found = (Named.of(value) for value in entries(result.factors.settings.get("constraints")))
    return tuple(one for one in found if one.name and one.name != "nonnegative")


def show(value: Any) -> str:
    """Return a parameter for people: numbers short, lists inline, long ones by their length.

    Examples
    --------
    >>> show(0.30000000000000004), show([1, 2.5]), show(None), show(True)
    ('0.3', '[1, 2.5]', 'none', 'yes')
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)):
        return (
            f"{len(value)} values" if len(value) > 12 else "[" + ", ".join(show(item) for item in value) + "]"
        )
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {show(item)}" for key, item in value.items()) + "}"
    return str(value)


def command(result: Result) -> str:
    """Return the command that started the run, empty where the record has none."""
    kept = result.record.get("command")
    if isinstance(kept, (list, tuple)):
        return shlex.join(str(part) for part in kept)
    return str(kept or "")


def again(result: Result) -> tuple[str, str]:
    """Return shell command and Python lines that repeat the run from the recipe in its folder."""
    path = str(source(result).get("path") or "FILE")
    call = 'import unmixel\n\nresult = unmixel.run({}, "recipe.yaml", out="again.run")'
    if path == "memory" or command(result).startswith("unmixel.run(scan"):
        return "", call.format("scan") + "  # scan: your array"
    shell = f"unmixel run {shlex.quote(path)} --recipe recipe.yaml --out again.run"
    return shell, call.format(repr(path))
