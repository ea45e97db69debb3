"""The words of the recipe's fields and plug-ins, for the command line, the viewer and the reference page."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import groupby
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from unmixel.core import registry
from unmixel.pipeline.fields import as_identify, as_match, as_measure
from unmixel.pipeline.recipe import Factorize, Interpret, Read, Recipe
from unmixel.pipeline.yamlfile import value_text

_SECTIONS: dict[str, type[BaseModel]] = {"read": Read, "factorize": Factorize, "interpret": Interpret}

PLUGINS = {
    "prepare": "steps",
    "factorize.constraints": "constraints",
    "factorize.refine": "refinements",
    "interpret.group": "clusterers",
}
"""Fields of a recipe that hold plug-ins with parameters, and the group that their names come from."""

_SETTINGS: dict[str, partial[Any]] = {
    "interpret.measure": as_measure,
    "interpret.identify": as_identify,
    "interpret.match": as_match,
}
"""Fields that hold the parameters of one class."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a plug-in, in the words of the plug-in's own docstring.

    Parameters
    ----------
    name : str
    meaning : str
    valid : str
        Kind and range of its values.
    default : str
        As a recipe writes it; empty where it has to be given.
    """

    name: str
    meaning: str
    valid: str
    default: str


def fields() -> dict[str, FieldInfo]:
    """Return every field of a recipe by its dotted key.

    Examples
    --------
    >>> "factorize.components" in fields()
    True
    """
    found: dict[str, FieldInfo] = {}
    for name, info in Recipe.model_fields.items():
        section = _SECTIONS.get(name)
        if section is None:
            found[name] = info
        else:
            found |= {f"{name}.{key}": field for key, field in section.model_fields.items()}
    return found


def described(key: str) -> str:
    """Return the description of a field: meaning, unit, range, reason for the default.

    Examples
    --------
    >>> described("factorize.components").split(".")[0]
    'Number of components'
    """
    return fields()[key].description or ""


def listing() -> list[str]:
    """Return one line per field that ``--set`` takes."""
    return [f"{key}: {words_of(field)['meaning']}" for key, field in fields().items() if key != "version"]


def words_of(field: FieldInfo) -> dict[str, str]:
    """Return the words of a field: ``meaning``, ``unit``, ``range``, ``why``."""
    extra: Any = field.json_schema_extra
    words: dict[str, str] = extra["words"]
    return words


def default_text(field: FieldInfo) -> str:
    """Return the default of a field as a recipe writes it."""
    default = field.get_default(call_default_factory=True)
    if isinstance(default, tuple):
        default = [getattr(item, "name", item) for item in default]
    return value_text(default)


def plugins() -> Iterator[tuple[str, type[Any]]]:
    """Yield the dotted key and the class of everything in a recipe that has parameters of its own.

    Examples
    --------
    >>> [key for key, _ in plugins() if key.endswith("sparse")]
    ['factorize.constraints.sparse']
    """
    for field, group in PLUGINS.items():
        for name in registry.names(group):
            yield f"{field}.{name}", registry.load(group, name)
    for field, checked in _SETTINGS.items():
        module, _, kind = checked.args[1].partition(":")
        yield field, getattr(import_module(module), kind)


def summary(plugin: type[Any]) -> str:
    """Return the first sentence of a plug-in's docstring.

    Examples
    --------
    >>> summary(registry.load("steps", "bin"))
    'Sum bins of samples; counts stay counts, and whole numbers never overflow.'
    """
    return _plain((inspect.getdoc(plugin) or "").partition("\n\n")[0])


def parameters(plugin: type[Any]) -> tuple[Parameter, ...]:
    """Return the parameters of a plug-in's constructor, told by the section "Parameters" of its docstring.

    One that the docstring does not speak of has no words.

    Examples
    --------
    >>> [(one.name, one.default) for one in parameters(registry.load("constraints", "sparse"))]
    [('weight', '2.0'), ('side', 'maps'), ('spare', '0')]
    """
    said = _said(inspect.getdoc(plugin) or "")
    found = []
    for one in inspect.signature(plugin).parameters.values():
        if one.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            continue
        valid, meaning = said.get(one.name, ("", ""))
        default = "" if one.default is inspect.Parameter.empty else value_text(one.default)
        found.append(Parameter(one.name, meaning, valid, default))
    return tuple(found)


def _said(doc: str) -> dict[str, tuple[str, str]]:
    """Return kind and meaning of each parameter by its name, from a docstring as numpydoc has it."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-+$|\Z)", doc, re.DOTALL | re.MULTILINE)
    said: dict[str, tuple[str, str]] = {}
    names: list[str] = []
    valid = ""
    lines = [line for line in section[1].splitlines() if line.strip()] if section else []
    for indented, run in groupby(lines, lambda line: line.startswith(" ")):
        if indented:
            meaning = _plain(" ".join(run))
            said |= dict.fromkeys(names, (valid, meaning))
            continue
        for line in run:
            head, _, kind = line.partition(" : ")
            names, valid = [name.strip() for name in head.split(",")], _plain(kind)
            said |= dict.fromkeys(names, (valid, ""))
    return said


def _plain(text: str) -> str:
    """Return words without the marks of the documentation and its line breaks, values as a recipe writes them."""
    return re.sub(r"\bNone\b", "null", " ".join(text.replace("`", "").split()))


def page() -> str:
    """Return docs/reference/recipe.md; a test holds the file to it."""
    lines = [_HEAD.strip(), ""]
    for name, info in Recipe.model_fields.items():
        section = _SECTIONS.get(name)
        rows = {name: info} if section is None else section.model_fields
        if section is not None:
            lines += [f"## {name}", "", (section.__doc__ or "").strip(), ""]
        else:
            lines += [f"## {name}", ""]
        lines += [
            "| field | default | unit | range | meaning | why this default |",
            "|---|---|---|---|---|---|",
        ]
        for key, field in rows.items():
            words = words_of(field)
            cells = [
                f"`{key}`",
                f"`{default_text(field)}`",
                words["unit"],
                words["range"],
                words["meaning"],
                words["why"],
            ]
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join([*lines, _TAIL.strip()])


_HEAD = """
# The recipe

One YAML file says everything that a run does. This page is made from the models in
`unmixel.pipeline.recipe` (`python -c "import unmixel.pipeline.reference as r; print(r.page())"`); a test
holds it to them.

- `unmixel run FILE --recipe R.yaml` runs it. Without `--recipe`, a recipe that ships with unmixel is taken:
  `diffraction` for two pattern axes, `spectrum` for one. Which one and why is printed and recorded.
- A file may leave out sections and fields: they come from the shipped recipe. Lists (`prepare`,
  `constraints`) are replaced whole. `extends: none` leaves the rest at the defaults below instead;
  `extends: diffraction` or `extends: spectrum` chooses by hand.
- `--set factorize.components=8` changes one value. Entries of lists are meant by name
  (`--set factorize.constraints.sparse.weight=3`) or place; `null` removes one
  (`--set factorize.constraints.resolution=null`).
- Every run folder holds `recipe.yaml`, the resolved recipe: all fields, all open values settled. It
  reproduces the run.
- Unknown keys and values out of range are refused with the nearest known word.
"""

_TAIL = """
## Values that the data settle

| entry | becomes |
|---|---|
| `resolution: {fwhm: auto}` | the full width of the diffraction-limited probe, 0.51 lambda / alpha, in nm; \
the constraint is left out, printed and recorded, where voltage, convergence angle or scan step are unknown |
| `spot_shape: {kernel: measured}` | the beam that the step `measure_beam` measured in the same run |
| `stretch: auto`, of `resolution` or `spot_shape` | the factor on the width under which electrons that were set \
aside are predicted best, found anew in every run and told in its log and its settings; \
1 where the data are no counts |
| `total_intensity: {total: measured}` | the sum of each prepared pattern, masked pixels included |
| a step with `when: counts` | the step, where the data are whole numbers >= 0; otherwise it is left out |
| `group: auto` | `rotation` for patterns, `spectrum` for spectra |

## Arrays

A parameter that is an array is written as the name of a file beside the recipe: `known.npy`, `known.npz#key`
or `result.nxs#path/in/file`. A resolved recipe points into the `result.nxs` of its own run folder.
"""
