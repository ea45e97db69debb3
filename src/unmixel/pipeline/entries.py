"""One plug-in as a recipe writes it, ``{name: {parameter: value}}``, checked against its constructor."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, model_serializer, model_validator

from unmixel.core import registry
from unmixel.core.errors import PluginError, RecipeError

DEFERRED = {
    ("constraints", "resolution", "fwhm"): "auto",
    ("constraints", "spot_shape", "kernel"): "measured",
    ("constraints", "total_intensity", "total"): "measured",
}
"""Values that only the data can settle: (group, plug-in, parameter) -> the word that stands for it."""

CONDITIONS = ("counts",)
"""What ``when:`` may say for a step: it runs only where the data are of that kind."""

_ARRAY_FILE = re.compile(r"\.npy$|\.(npz|nxs|h5|hdf5)#.+$")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the known word that is nearest, or nothing.

    Examples
    --------
    >>> nearest("componets", ["components", "tol"])
    " Did you mean 'components'?"
    """
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" Did you mean '{near[0]}'?" if near else ""


class Entry(BaseModel):
    """A plug-in's name and its parameters.

    Parameters
    ----------
    name : str
        Registered name.
    parameters : dict
        Parameters of its constructor; arrays stand for themselves.

    Examples
    --------
    >>> Entry.model_validate({"sparse": {"weight": 2.0}}).name
    'sparse'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    parameters: dict[str, Any]

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if isinstance(value, Entry):
            return {"name": value.name, "parameters": value.parameters}
        if isinstance(value, str):
            return {"name": value, "parameters": {}}
        if isinstance(value, Mapping) and set(value) == {"name", "parameters"}:
            return dict(value)
        if isinstance(value, Mapping) and len(value) == 1:
            ((name, parameters),) = value.items()
            if parameters is None or isinstance(parameters, Mapping):
                return {"name": str(name), "parameters": dict(parameters or {})}
        raise ValueError("expected one name with its parameters, such as {sparse: {weight: 2.0}}")

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> dict[str, Any]:
        """Return the schema of an entry as recipes write it, not as it is held."""
        one = {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": {"type": ["object", "null"]},
        }
        return {"description": "One name with its parameters.", "anyOf": [{"type": "string"}, one]}

    @model_serializer
    def _write(self) -> dict[str, Any]:
        return {self.name: dict(self.parameters)}

    def build(self, group: str) -> Any:
        """Return the plug-in itself, made from its parameters.

        Raises
        ------
        RecipeError
            When the plug-in refuses them; the message is the plug-in's own.
        """
        parameters = {key: _as_tuple(value) for key, value in self.parameters.items() if key != "when"}
        try:
            return registry.load(group, self.name)(**parameters)
        except (PluginError, ValueError, TypeError) as error:
            raise RecipeError(f"{self.name}: {error}") from error


def _as_tuple(value: Any) -> Any:
    """Return YAML's lists as tuples, which frozen dataclasses expect."""
    return tuple(_as_tuple(item) for item in value) if isinstance(value, list) else value


def _parameters(plugin: Any) -> tuple[list[str], list[str], bool]:
    """Return all parameter names of a constructor, those without default, and whether it takes any name."""
    found = inspect.signature(plugin).parameters.values()
    open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in found)
    named = [
        p for p in found if p.kind not in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    ]
    return (
        [p.name for p in named],
        [p.name for p in named if p.default is inspect.Parameter.empty],
        open_ended,
    )


def check_parameters(name: str, plugin: Any, parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that the constructor of `plugin` does not know or that it needs and lacks.

    Raises
    ------
    ValueError
        Names the parameter, the nearest known one and all known ones.
    """
    known, needed, open_ended = _parameters(plugin)
    for key in parameters:
        if key not in known and not open_ended:
            listed = ", ".join(known) or "none"
            raise ValueError(f"{name} has no parameter '{key}'.{nearest(key, known)} Known: {listed}.")
    missing = [key for key in needed if key not in parameters]
    if missing:
        raise ValueError(f"{name} needs {', '.join(missing)}; nothing was given.")


def check_name(group: str, name: str) -> str:
    """Return `name` when a plug-in of that name is installed.

    Raises
    ------
    ValueError
        With the nearest name and all names.
    """
    if name not in registry.names(group):
        known = registry.names(group)
        raise ValueError(
            f"no '{name}' among the {group}.{nearest(name, known)} Installed: {', '.join(known)}."
        )
    return name


def check(group: str, entry: Entry) -> Entry:
    """Return `entry` when its plug-in exists and takes its parameters.

    Values that only the data can settle (``auto``, ``measured``) and arrays in files are checked later.

    Raises
    ------
    ValueError
        With what to change.
    """
    check_name(group, entry.name)
    parameters = dict(entry.parameters)
    if group == "steps" and "when" in parameters and parameters.pop("when") not in CONDITIONS:
        raise ValueError(f"{entry.name}: when must be one of {', '.join(CONDITIONS)}.")
    try:
        plugin = registry.load(group, entry.name)
    except ImportError as error:
        raise ValueError(f"the plug-in {entry.name} cannot be loaded: {error}") from error
    check_parameters(entry.name, plugin, parameters)
    open_values = any(DEFERRED.get((group, entry.name, key)) == value for key, value in _words(parameters))
    if not open_values and not any(is_array_file(value) for value in parameters.values()):
        entry.build(group)
    return entry


def _words(parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(key, value) for key, value in parameters.items() if isinstance(value, str)]


def is_array_file(value: Any) -> bool:
    """Return whether a value names an array in a file: ``x.npy``, ``x.npz#name`` or ``x.nxs#path``.

    Examples
    --------
    >>> is_array_file("known.npy"), is_array_file("result.nxs#entry/arrays/a"), is_array_file("auto")
    (True, True, False)
    """
    return isinstance(value, str) and bool(_ARRAY_FILE.search(value))


def with_arrays(entry: Any, folder: Path) -> Any:
    """Return the raw entry of a recipe file with named arrays read, relative to `folder`."""
    if not isinstance(entry, Mapping):
        return entry
    return {
        name: {
            key: _array(value, folder) if is_array_file(value) else value for key, value in parameters.items()
        }
        if isinstance(parameters, Mapping)
        else parameters
        for name, parameters in entry.items()
    }


def _array(address: str, folder: Path) -> Any:
    from unmixel.io.store import read_array

    file, _, name = address.partition("#")
    try:
        return read_array(folder / file, name)
    except OSError as error:
        raise RecipeError(f"the array '{address}' cannot be read: {error}") from error
